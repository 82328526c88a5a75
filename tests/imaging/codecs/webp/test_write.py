"""Lossless WebP, as Pillow reads and writes it."""

import numpy as np
import pytest
from pictures import smooth
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.photo import Photo

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "animation"])
@pytest.mark.proves("Format", "Lossless WebP and JPEG XL stay lossless")
def test_lossless_stays_lossless(tmp_path, mode):
    image, more = Image.fromarray(NOISE), {}
    if mode == "RGBA":
        image.putalpha(Image.fromarray(smooth(60, 40)[..., 0]))
    if mode == "animation":
        more = {"save_all": True, "append_images": [Image.new("RGB", (60, 40))]}
    image.save(tmp_path / "a.webp", lossless=True, exact=True, exif=Image.Exif(), **more)
    photo = decode(tmp_path / "a.webp")
    write_photo(photo, tmp_path / "b.webp")
    with Image.open(tmp_path / "b.webp") as result:
        np.testing.assert_array_equal(np.asarray(result), np.asarray(image))


def test_all_else_is_lossy(tmp_path):
    Image.fromarray(NOISE).save(tmp_path / "lossy.webp", quality=90)
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    for name in ("lossy.webp", "a.png"):
        assert not decode(tmp_path / name).lossless
    write_photo(Photo(NOISE), tmp_path / "b.webp")
    content = (tmp_path / "b.webp").read_bytes()
    assert b"VP8 " in content and b"VP8L" not in content

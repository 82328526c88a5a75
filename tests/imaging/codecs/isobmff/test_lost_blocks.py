"""Photos of which a copy or a disk has lost blocks: zeros are in their place."""

import numpy as np
import pillow_heif
import pytest
from pictures import smooth
from PIL import Image

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.damaged_jpeg import PARTS_WRONG
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.isobmff.lost_blocks import check_lost_blocks


def busy(width=600, height=400):
    noise = np.random.default_rng(0).integers(0, 60, (height, width, 3))
    return (smooth(width, height) // 2 + noise).astype(np.uint8)


def save(path, pixels, **options):
    image = Image.fromarray(pixels)
    if path.suffix == ".heic":
        pillow_heif.from_pillow(image).save(path, **options)
    else:
        image.save(path, **options)
    return path


@pytest.fixture(params=["a.avif", "a.heic", "a.jp2", "a.webp"])
def photo(request, tmp_path):
    return save(tmp_path / request.param, busy())


@pytest.mark.parametrize("long_edge", [None, 100])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_copy_that_ends_with_zeros_is_an_error(photo, long_edge, share):
    content = photo.read_bytes()
    kept = int(len(content) * share)
    photo.write_bytes(content[:kept] + bytes(len(content) - kept))
    with pytest.raises(PhotoError, match="damaged"):
        decode(photo, long_edge)


def test_so_is_one_with_zeros_within(photo):
    if photo.suffix == ".jp2":
        pytest.skip("empty packets of JPEG 2000 are zeros too")
    content = photo.read_bytes()
    middle = len(content) // 2
    photo.write_bytes(content[:middle] + bytes(1024) + content[middle + 1024 :])
    with pytest.raises(PhotoError, match="damaged"):
        decode(photo)


def test_one_of_many_parts_causes_a_warning():
    warnings: list[str] = []
    whole = bytes(range(256)) * 16
    check_lost_blocks([whole] * 20, warnings)
    assert warnings == []
    check_lost_blocks([*[whole] * 19, whole[:2000] + bytes(2096)], warnings)
    assert warnings == [PARTS_WRONG]


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("flat", ["whole", "lower half"])
@pytest.mark.parametrize(("name", "options"), [
    ("a.avif", {"speed": 9}),
    ("a.heic", {}),
    ("a.jp2", {}),
    ("a.webp", {}),
    ("a.webp", {"method": 0}),
    ("a.webp", {"lossless": True}),
    ("a.webp", {"lossless": True, "method": 0, "quality": 0}),
])  # fmt: skip
def test_a_picture_without_content_is_not_damaged(tmp_path, name, options, flat, level):
    pixels = busy(1024, 1024)
    pixels[0 if flat == "whole" else 512 :] = level
    assert decode(save(tmp_path / name, pixels, **options)).warnings == ()


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("opacity", [0, 255])
def test_neither_is_one_whose_lower_half_is_transparent(tmp_path, lossless, opacity):
    alpha = np.random.default_rng(1).integers(0, 256, (1024, 1024, 1), np.uint8)
    alpha[512:] = opacity
    pixels = np.concatenate([busy(1024, 1024), alpha], axis=2)
    assert decode(save(tmp_path / "a.webp", pixels, lossless=lossless)).warnings == ()

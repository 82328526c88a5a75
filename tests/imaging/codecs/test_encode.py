import errno
from datetime import datetime
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from enhance_cli.errors import OutputError, PhotoError
from enhance_cli.imaging.codecs.encode import encode, to_image, write_photo
from enhance_cli.imaging.photo import Photo

PIXELS = np.linspace(0, 1, 24 * 16 * 3, dtype=np.float32).reshape(16, 24, 3)
PHOTO = Photo(PIXELS)


def test_values_are_rounded_and_clamped():
    pixels = np.array([[[-0.2, 0.5, 1.7]]], np.float32)
    assert to_image(Photo(pixels)).getpixel((0, 0)) == (0, 128, 255)


def test_a_grey_photo_is_written_without_colour(tmp_path):
    encode(to_image(Photo(PIXELS, grey=True)), tmp_path / "grey.jpg")
    with Image.open(tmp_path / "grey.jpg") as image:
        assert image.mode == "L"


def test_jpeg_keeps_every_pixels_colour(tmp_path):
    encode(to_image(PHOTO), tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        sampling = {tuple(component[1:3]) for component in image.layer}
    assert sampling == {(1, 1)}, "chroma is subsampled"


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".tif", ".webp", ".avif"])
def test_every_format_comes_back(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_photo(PHOTO, path)
    with Image.open(path) as image:
        profile = image.info["icc_profile"]
        back = np.asarray(image.convert("RGB"), np.float32) / 255
    assert np.abs(back - PIXELS).mean() < 0.02
    name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(profile)))
    assert "sRGB" in name


def test_transparency_is_laid_on_white_in_jpeg(tmp_path):
    clear = to_image(Photo(np.zeros((8, 8, 3), np.float32), alpha=np.zeros((8, 8), np.float32)))
    encode(clear, tmp_path / "a.jpg")
    encode(clear, tmp_path / "a.png")
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.getpixel((4, 4)) == (255, 255, 255)
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGBA" and image.getpixel((4, 4))[3] == 0


class TestWholeOrNotAtAll:
    @pytest.fixture
    def failing(self, monkeypatch):
        def fail_with(number):
            def save(_image, path, *_args, **_options):
                path.write_bytes(b"half a pic")
                raise OSError(number, "no")

            monkeypatch.setattr(Image.Image, "save", save)

        return fail_with

    def test_a_failure_leaves_the_old_result_and_nothing_else(self, tmp_path, failing):
        path = tmp_path / "a.jpg"
        path.write_bytes(b"the old one")
        failing(errno.EIO)
        with pytest.raises(PhotoError, match=r"a\.jpg"):
            encode(to_image(PHOTO), path)
        assert [p.name for p in tmp_path.iterdir()] == ["a.jpg"]
        assert path.read_bytes() == b"the old one"

    def test_a_full_disk_stops_the_run(self, tmp_path, failing):
        failing(errno.ENOSPC)
        with pytest.raises(OutputError, match="No space left"):
            encode(to_image(PHOTO), tmp_path / "a.jpg")
        assert not list(tmp_path.iterdir())


def test_the_profile_carries_no_time_of_its_own(tmp_path, coffee):
    """Two runs give equal bytes, and what the profile says stays what it was."""
    encode(Image.fromarray(coffee), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        profile = ImageCms.ImageCmsProfile(BytesIO(picture.info["icc_profile"]))
    assert profile.profile.creation_date == datetime(2000, 1, 1)
    assert "sRGB" in ImageCms.getProfileDescription(profile)

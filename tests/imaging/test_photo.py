from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.color_space import SRGB, SRGB_ICC, ColorSpace
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.photo import (
    Photo,
    convert_dtype,
    has_no_color,
    quantize,
    refuse_too_many_pixels,
    to_uint8,
    without_color,
)

EVERY_BYTE = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_eight_bits_survive_a_wider_dtype(dtype):
    wider = convert_dtype(EVERY_BYTE, np.dtype(dtype))
    assert wider.dtype == dtype and wider.min() == 0 and wider.max() in {1, 65535}
    np.testing.assert_array_equal(convert_dtype(wider, np.dtype(np.uint8)), EVERY_BYTE)


def test_sixteen_bits_are_rounded_to_the_nearest_eight():
    every_level = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    expected = (every_level / 257).round()
    np.testing.assert_array_equal(convert_dtype(every_level, np.dtype(np.uint8)), expected)


def test_floats_are_clamped_and_rounded():
    values = np.array([-0.2, 0.0, 0.5, 1.0, 1.7], np.float32)
    assert to_uint8(values).tolist() == [0, 0, 128, 255, 255]
    assert quantize(values, np.dtype(np.uint16)).tolist() == [0, 0, 32768, 65535, 65535]
    assert quantize(values, np.dtype(np.float32)).tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_photo_knows_its_size_and_its_white(dtype):
    white = 1 if dtype is np.float32 else np.iinfo(dtype).max
    photo = Photo(np.full((40, 60, 3), white, dtype), alpha=np.full((40, 60), white, dtype))
    assert photo.size == (60, 40) and (photo.size.width, photo.size.height) == (60, 40)
    assert photo.max_value == white and photo.as_floats(10, 12).shape == (2, 60, 3)
    assert (photo.as_srgb() == 1).all()
    small = photo.fit_within(30)
    assert small.pixels.shape == (20, 30, 3) and small.pixels.dtype == dtype
    assert small.alpha is not None and small.alpha.shape == (20, 30)
    assert photo.fit_within(60).pixels is photo.pixels, "not enlarged, not copied"


def test_a_small_copy_takes_no_color_from_transparent_pixels():
    pixels = np.full((40, 60, 3), 255, np.uint8)
    alpha = np.zeros((40, 60), np.uint8)
    pixels[:, 25:], alpha[:, 25:] = (10, 20, 30), 255
    small = Photo(pixels, alpha=alpha).fit_within(30)
    assert small.alpha is not None
    assert (small.pixels[small.alpha > 3] == (10, 20, 30)).all()


def test_a_photo_without_color_has_no_profile():
    pixels = np.zeros((4, 4, 3), np.uint8)
    assert Photo(pixels).icc_profile == SRGB_ICC
    assert Photo(pixels, grey=True).icc_profile is None


@pytest.mark.parametrize(("difference", "expected"), [(0, True), (3, True), (4, False)])
def test_differences_within_the_noise_of_compression_are_no_color(difference, expected):
    pixels = np.full((2000, 100, 3), 100, np.uint8)
    pixels[-1, -1, 1] += difference
    assert has_no_color(pixels) == expected
    assert has_no_color(pixels.astype(np.uint16) * 257) == expected


@pytest.mark.parametrize("color", [(700, 0, 0), (0, 500, 0), (0, 0, 771), (2000, 1300, 1300)])
@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_dark_colors_are_colors(color, dtype):
    pixels = convert_dtype(np.full((20, 30, 3), color, np.uint16), np.dtype(dtype))
    assert not has_no_color(pixels)


@pytest.mark.parametrize("level", [0, 1, 40, 700, 9000, 65_000])
def test_the_last_bits_of_dark_greys_are_noise(level):
    """A level of 10 bits, as HEIC stores them, is 64 of 16 bits."""
    pixels = np.full((20, 30, 3), level, np.uint16)
    pixels[::2, :, 2] += 64
    assert has_no_color(pixels)


SPACES = {
    "ProPhoto": imagecodecs.cms_profile(
        "rgb",
        whitepoint=[0.3457, 0.3585, 1.0],
        primaries=[0.7347, 0.2653, 1.0, 0.1596, 0.8404, 1.0, 0.0366, 0.0001, 1.0],
        gamma=1.8,
    ),
    "Adobe RGB": imagecodecs.cms_profile("adobergb"),
    "linear": imagecodecs.cms_profile(
        "rgb",
        whitepoint=[0.3127, 0.3290, 1.0],
        primaries=[0.64, 0.33, 1.0, 0.3, 0.6, 1.0, 0.15, 0.06, 1.0],
        gamma=1.0,
    ),
}
GAMMA = {"ProPhoto": 1.8, "Adobe RGB": 563 / 256, "linear": 1.0}


@pytest.mark.parametrize("name", SPACES)
def test_noise_is_measured_as_it_is_seen(name):
    """Two levels of 255 in the dark of a linear space are 20 of sRGB."""
    space = ColorSpace(SPACES[name])
    dark = np.zeros((20, 30, 3), np.uint8)
    dark[..., 0] = 2
    assert has_no_color(dark, space) == (name != "linear")
    bright = np.full((20, 30, 3), 200, np.uint8)
    bright[::2, :, 1] += 2
    assert has_no_color(bright, space)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", SPACES)
def test_without_color_a_photo_is_in_srgb(name, dtype):
    white = np.iinfo(dtype).max
    tones = np.arange(256) * (white // 255)
    pixels = np.repeat(tones.astype(dtype)[None, :, None], 3, axis=2)
    grey = without_color(Photo(pixels, ColorSpace(SPACES[name])))
    linear = (np.arange(256) / 255) ** GAMMA[name]
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert grey.grey and grey.color_space is SRGB and grey.pixels.dtype == dtype
    assert np.abs(grey.pixels[0] / white - expected[:, None]).max() < 0.6 / 255


def test_only_more_pixels_than_the_limit_are_refused(tmp_path):
    refuse_too_many_pixels(tmp_path / "a.jpg", (60, 40), 2400)
    with pytest.raises(PhotoError, match=r"a\.jpg: 60 x 40 pixels, the limit is 2,399"):
        refuse_too_many_pixels(tmp_path / "a.jpg", (60, 40), 2399)


class TestComparison:
    PIXELS = np.full((4, 6, 3), 90, np.uint8)

    def test_photos_with_equal_pixels_are_equal(self):
        photo, other = Photo(self.PIXELS), Photo(self.PIXELS.copy())
        assert photo == other and hash(photo) == hash(other) and photo in [other]
        assert len({photo, other}) == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {"pixels": PIXELS + np.uint8(1)},
            {"pixels": PIXELS[:3]},
            {"pixels": PIXELS.astype(np.uint16)},
            {"alpha": PIXELS[..., 0]},
            {"grey": True},
            {"color_space": ColorSpace(SRGB_ICC)},
            {"metadata": Metadata(exif=b"Exif")},
            {"warnings": ("lost",)},
        ],
    )
    def test_any_difference_counts(self, changes):
        photo = Photo(self.PIXELS)
        assert photo != replace(photo, **changes) and photo != "photo" and photo is not None

"""JPEG XL files, as djxl and ExifTool read them."""

import shutil
import subprocess

import imagecodecs
import numpy as np
import pytest
from pictures import smooth
from PIL import Image

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.color_space import ColorSpace
from enhance_cli.imaging.photo import Photo

COLOR = smooth(240, 160)
ADOBE_RGB = imagecodecs.cms_profile("adobergb")


def djxl(path):
    """Pixels and profile of the PNG that djxl makes."""
    if shutil.which("djxl") is None:
        pytest.skip("djxl is not installed")
    target = path.with_suffix(".png")
    subprocess.run(["djxl", path, target], check=True, capture_output=True)
    with Image.open(target) as image:
        profile = image.info.get("icc_profile")
    return imagecodecs.png_decode(target.read_bytes()), profile


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("profile", [None, ADOBE_RGB], ids=["srgb", "adobe"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_djxl_reads_the_same_colors_and_profile(tmp_path, dtype, profile, lossless):
    pixels = COLOR.astype(dtype) * (1 if dtype == np.uint8 else 257)
    path = tmp_path / "a.jxl"
    write_photo(Photo(pixels, ColorSpace(profile), lossless=lossless), path)
    levels, found = djxl(path)
    assert levels.dtype == dtype and (found == profile or profile is None or not lossless)
    difference = np.abs(levels / np.iinfo(dtype).max - COLOR / 255) * 255
    assert difference.mean() < (1e-6 if lossless else 1)
    back = decode(path)
    assert back.lossless == lossless
    if lossless:
        assert back.color_space.profile == profile
    else:  # the color space is named by numbers
        expected = ColorSpace(profile).to_srgb(back.as_floats())
        assert np.abs(back.color_space.to_srgb(back.as_floats()) - expected).max() < 0.01
    assert np.abs(back.pixels / back.max_value - levels / back.max_value).max() * 255 < 3


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("alpha", [True, False])
def test_grey_and_opacity(tmp_path, dtype, lossless, alpha):
    grey = np.repeat(COLOR[..., :1], 3, axis=2).astype(dtype) * (1 if dtype == np.uint8 else 257)
    opacity = grey[::-1, ::-1, 0].copy() if alpha else None
    photo = Photo(grey, alpha=opacity, grey=True, lossless=lossless)
    write_photo(photo, tmp_path / "a.jxl")
    back = decode(tmp_path / "a.jxl")
    assert back.grey and back.pixels.dtype == dtype and (back.alpha is not None) == alpha
    assert np.abs(back.as_floats() - photo.as_floats()).max() < 0.03
    if opacity is not None:
        np.testing.assert_array_equal(back.alpha, opacity)


@pytest.mark.proves("Format", "Lossless WebP and JPEG XL stay lossless")
def test_a_lossless_one_stays_lossless(tmp_path):
    first, second = tmp_path / "a.jxl", tmp_path / "b.jxl"
    first.write_bytes(imagecodecs.jpegxl_encode(COLOR, lossless=True))
    write_photo(decode(first), second)
    np.testing.assert_array_equal(djxl(second)[0], COLOR)


def test_a_lossy_one_keeps_colors_outside_srgb(tmp_path):
    green = np.full((64, 64, 3), (20, 250, 20), np.uint8)
    write_photo(Photo(green, ColorSpace(ADOBE_RGB)), tmp_path / "a.jxl")
    assert np.abs(djxl(tmp_path / "a.jxl")[0].astype(int) - green).max() <= 4


def test_the_quality_counts(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (96, 96, 3)).astype(np.uint8)
    sizes = []
    for quality in (1, 30, 60, 90, 100):
        write_photo(Photo(noise), tmp_path / "a.jxl", Encoding(quality=quality))
        sizes.append((tmp_path / "a.jxl").stat().st_size)
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("name", ["srgb", "adobergb", "rec709"])
def test_profiles_are_packed_as_the_standard_says(tmp_path, name):
    """djxl unpacks them."""
    try:
        profile = imagecodecs.cms_profile(name)
    except (ValueError, KeyError):
        pytest.skip("LittleCMS does not make it")
    profile = profile[:40] + b"SGI " + profile[44:]
    write_photo(Photo(COLOR, ColorSpace(profile), lossless=True), tmp_path / "a.jxl")
    found = djxl(tmp_path / "a.jxl")[1]
    assert found == profile or name == "srgb"

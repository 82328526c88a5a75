"""The dials against other programs, published formulas and closed forms."""

import shutil
import subprocess

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import color

from enhance_cli.config.dials import NEUTRAL, Dials
from enhance_cli.imaging.color_loop import ColorCoefficients
from enhance_cli.imaging.color_space import ColorSpace
from enhance_cli.imaging.photo import Photo
from enhance_cli.inference.dials import turn_dials, turn_dials_within
from enhance_cli.inference.retouch import Retouch, apply_retouch, unchanged

MAGICK = shutil.which("magick") or shutil.which("convert")

GREYS = np.repeat(np.linspace(0.05, 0.6, 12, dtype=np.float32)[:, None], 3, axis=1)


@pytest.fixture
def colors():
    return np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)


def luminance(colors):
    return color.rgb2xyz(colors)[..., 1]


@pytest.mark.parametrize("stops", [-2, -1, 0.5])
def test_a_stop_doubles_the_light(colors, stops):
    dark = colors / 2
    result = turn_dials(dark, Dials(exposure=stops))
    np.testing.assert_allclose(color.rgb2xyz(result), color.rgb2xyz(dark) * 2**stops, rtol=2e-4)


def test_without_saturation_luminance_alone_is_left(colors):
    result = turn_dials(colors, Dials(saturation=-100))
    np.testing.assert_allclose(luminance(result), luminance(colors), atol=2e-4)
    assert np.ptp(result, axis=-1).max() < 1e-5


def test_saturation_leaves_luminance_and_grey_as_they_are(colors):
    pale = 0.4 + 0.2 * colors
    result = turn_dials(pale, Dials(saturation=50))
    np.testing.assert_allclose(luminance(result), luminance(pale), atol=2e-4)
    assert (np.ptp(result, axis=-1) > 1.2 * np.ptp(pale, axis=-1)).all()
    np.testing.assert_allclose(turn_dials(GREYS, Dials(saturation=50)), GREYS, atol=1e-5)


def xy_of(colors):
    xyz = color.rgb2xyz(colors)
    return xyz[..., :2] / xyz.sum(-1, keepdims=True)


@pytest.mark.parametrize("mired", [-40, -10, 18, 60, 100])
def test_warmth_moves_the_white_by_mireds(mired):
    """McCamy's formula (1992) gives the color temperature of a chromaticity."""
    result = turn_dials(GREYS, Dials(warmth=mired))
    x, y = np.moveaxis(xy_of(result), -1, 0)
    n = (x - 0.3320) / (0.1858 - y)
    kelvin = 449 * n**3 + 3525 * n**2 + 6823.3 * n + 5520.33
    np.testing.assert_allclose(1e6 / kelvin, 1e6 / 6504 + mired, atol=max(1.5, 0.03 * abs(mired)))
    np.testing.assert_allclose(luminance(result), luminance(GREYS), rtol=2e-3)


@pytest.mark.parametrize("tint", [-60, -15, 30])
def test_tint_moves_the_white_across_the_locus(tint):
    """In CIE 1960 (u, v), by 1/3000 for each unit; v falls towards magenta."""
    result = turn_dials(GREYS, Dials(tint=tint))
    uv = []
    for x, y in (xy_of(result)[0], (0.3127, 0.3290)):
        uv.append(np.array([4 * x, 6 * y]) / (-2 * x + 12 * y + 3))
    moved = uv[0] - uv[1]
    assert np.hypot(*moved) == pytest.approx(abs(tint) / 3000, rel=0.02)
    assert np.sign(moved[1]) == -np.sign(tint)
    np.testing.assert_allclose(luminance(result), luminance(GREYS), rtol=2e-3)


@pytest.mark.skipif(MAGICK is None, reason="ImageMagick is not installed")
@pytest.mark.parametrize("contrast", [60, -60, 100, -20])
def test_contrast_is_that_of_imagemagick(tmp_path, colors, contrast):
    levels = (colors * 65535).round().astype(np.uint16)
    (tmp_path / "in.png").write_bytes(imagecodecs.png_encode(levels))
    sign, beta = ("-" if contrast > 0 else "+"), abs(contrast) / 20
    command = [MAGICK, "in.png", f"{sign}sigmoidal-contrast", f"{beta}x50%", "png48:out.png"]
    subprocess.run(command, cwd=tmp_path, check=True)
    expected = imagecodecs.png_decode((tmp_path / "out.png").read_bytes())
    result = turn_dials(levels / np.float32(65535), Dials(contrast=contrast))
    np.testing.assert_allclose(result * 65535, expected, atol=2)


TURNED = st.builds(
    Dials,
    exposure=st.floats(-5, 5),
    warmth=st.floats(-100, 100),
    tint=st.floats(-100, 100),
    contrast=st.floats(-100, 100),
    saturation=st.floats(-100, 100),
)


@settings(deadline=None)
@given(dials=TURNED, seed=st.integers(0, 99), grey=st.booleans())
def test_the_fast_way_equals_the_formula(dials, seed, grey):
    colors = np.random.default_rng(seed).random((50, 3), dtype=np.float32)
    colors[0], colors[1] = 0, 1
    expected = turn_dials(colors, dials, grey).clip(0, 1)
    result = turn_dials_within(colors.copy(), dials, grey)
    np.testing.assert_allclose(result, expected, atol=2 / 65535)


@given(dials=TURNED)
def test_a_grey_photo_stays_grey(dials):
    result = turn_dials(GREYS, dials, grey=True)
    assert np.ptp(result, axis=-1).max() < 1e-6


def test_values_outside_of_the_gamut_go_on_smoothly():
    tones = np.linspace(-0.3, 1.4, 500, dtype=np.float32)[:, None].repeat(3, 1)
    for dials in (Dials(exposure=0.3), Dials(contrast=40), Dials(contrast=-40)):
        assert (np.diff(turn_dials(tones, dials)[:, 0]) > 0).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("profile", [None, "adobergb"])
def test_pixels_of_any_depth_and_color_space_are_turned(dtype, profile, colors):
    """The dials follow the retouch, at any strength; the pixels are rounded once."""
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    space = ColorSpace(profile and imagecodecs.cms_profile(profile))
    pixels = (colors * white).round().astype(dtype) if white > 1 else colors
    photo = Photo(pixels, space)
    dials = Dials(exposure=-1, contrast=20)
    halved = ColorCoefficients(np.hstack([np.eye(3) / 2, np.zeros((3, 1))]).astype(np.float32))
    result = apply_retouch(photo, Retouch(halved), strength=0.5, dials=dials).pixels / white
    srgb = space.to_srgb(photo.as_floats())
    expected = turn_dials(srgb - srgb.clip(0, 1) / 4, dials)
    np.testing.assert_allclose(result, space.from_srgb(expected).clip(0, 1), atol=1.1 / 255)
    if white != 255:
        np.testing.assert_allclose(result, space.from_srgb(expected).clip(0, 1), atol=2e-4)


def test_neutral_dials_change_nothing(colors):
    assert turn_dials(colors, NEUTRAL) is colors
    photo = Photo((colors * 255).astype(np.uint8))
    assert apply_retouch(photo, unchanged(photo), dials=NEUTRAL) == photo

import imagecodecs
import numpy as np
import pytest

from enhance_cli.imaging.color_space import SRGB, SRGB_ICC, ColorSpace, ProfileError

D65 = [0.3127, 0.3290, 1.0]
P3_PRIMARIES = [0.680, 0.320, 1.0, 0.265, 0.690, 1.0, 0.150, 0.060, 1.0]
"""x, y and Y of the primaries of DCI-P3 (SMPTE RP 431-2)."""

SRGB_OF_P3 = np.array([
    [1.2249, -0.2247, 0.0],
    [-0.0420, 1.0419, 0.0],
    [-0.0197, -0.0786, 1.0979],
])  # fmt: skip
"""Linear Display P3 to linear sRGB (CSS Color 4)."""


@pytest.fixture
def linear_p3():
    profile = imagecodecs.cms_profile("rgb", whitepoint=D65, primaries=P3_PRIMARIES, gamma=1.0)
    return ColorSpace(profile)


def encoded(linear):
    """The curve of sRGB (IEC 61966-2-1), whose straight part goes on below 0."""
    curve = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, curve)


def test_colors_outside_srgb_lie_beyond_its_range(linear_p3):
    colors = np.array([[[0.9, 0.5, 0.1], [0.1, 0.9, 0.2], [0.5, 0.5, 0.5]]], np.float32)
    srgb = linear_p3.to_srgb(colors)
    np.testing.assert_allclose(srgb, encoded(colors @ SRGB_OF_P3.T), atol=0.01)
    assert srgb.min() < 0


def test_from_srgb_is_the_inverse(linear_p3):
    colors = np.random.default_rng(0).random((5, 7, 3), np.float32)
    back = linear_p3.from_srgb(linear_p3.to_srgb(colors))
    np.testing.assert_allclose(back, colors, atol=1e-3)


@pytest.mark.parametrize("space", [SRGB, ColorSpace(SRGB_ICC)], ids=["none", "profile"])
def test_srgb_is_recognised_and_left_alone(space):
    colors = np.random.default_rng(0).random((5, 7, 3), np.float32)
    assert space.is_srgb
    assert space.to_srgb(colors) is colors and space.from_srgb(colors) is colors


def test_another_color_space_is_not_srgb(linear_p3):
    assert not linear_p3.is_srgb


@pytest.mark.parametrize("profile", [b"", b"nonsense", imagecodecs.cms_profile("gray", gamma=2.2)])
def test_an_unusable_profile_is_an_error(profile):
    with pytest.raises(ProfileError, match="colour profile"):
        ColorSpace(profile)

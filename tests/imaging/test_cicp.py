"""Expected values: CSS Color 4, ITU-R BT.2100, BT.2390 and BT.2408, ExifTool."""

import shutil
import subprocess

import numpy as np
import pytest

from enhance_cli.imaging.cicp import describe_chromaticities, describe_code_points, to_sdr
from enhance_cli.imaging.color_space import ColorSpace, ProfileError

LINEAR_SRGB_OF = {
    12: [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]],
    9: [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
}
"""Linear Display P3 and BT.2020 to linear sRGB (CSS Color 4; BT.2087)."""

COLORS = np.array(
    [[[0.9, 0.5, 0.1], [0.1, 0.9, 0.2], [0.5, 0.5, 0.5], [0.85, 0.1, 0.1]]], np.float32
)


def linear(encoded):
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encoded(light):
    """The curve of sRGB (IEC 61966-2-1), whose straight part goes on below 0."""
    curve = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, 12.92 * light, curve)


@pytest.mark.parametrize("primaries", LINEAR_SRGB_OF)
@pytest.mark.parametrize(("transfer", "curve"), [(13, linear), (1, linear), (8, lambda v: v)])
def test_colors_of_other_primaries(primaries, transfer, curve):
    profile, hdr = describe_code_points(primaries, transfer)
    assert hdr is None and profile is not None and len(profile) < 700
    expected = encoded(curve(COLORS) @ np.array(LINEAR_SRGB_OF[primaries]).T)
    np.testing.assert_allclose(ColorSpace(profile).to_srgb(COLORS), expected, atol=0.004)


@pytest.mark.parametrize("numbers", [(1, 13), (2, 2), (1, 1), (2, 13), (1, 6)])
def test_srgb_needs_no_profile(numbers):
    assert describe_code_points(*numbers) == (None, None)


@pytest.mark.parametrize("primaries", [1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22])
@pytest.mark.parametrize("transfer", [4, 5, 8, 13, 17])
def test_every_white_is_white_and_every_profile_valid(tmp_path, primaries, transfer):
    profile, _ = describe_code_points(primaries, transfer)
    if profile is None:
        return
    white = ColorSpace(profile).to_srgb(np.ones((1, 1, 3), np.float32))
    np.testing.assert_allclose(white, 1, atol=2e-3)
    if shutil.which("exiftool") and transfer == 13:
        (tmp_path / "a.icc").write_bytes(profile)
        command = ["exiftool", "-validate", "-warning", "-s3", tmp_path / "a.icc"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "OK\n"


@pytest.mark.parametrize("numbers", [(3, 13), (1, 0), (1, 3), (0, 13), (1, 19), (200, 200)])
def test_unknown_numbers_are_an_error(numbers):
    with pytest.raises(ProfileError):
        describe_code_points(*numbers)


def test_what_png_writers_call_srgb_is_srgb():
    srgb = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290))
    for chromaticities in (None, srgb):
        assert describe_chromaticities(chromaticities, 1 / 0.45455).profile is None


@pytest.mark.parametrize(
    "points", [((0.3, 0.3),) * 4, ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), (0.3, 0.0))]
)
def test_impossible_chromaticities_are_an_error(points):
    with pytest.raises(ProfileError):
        describe_chromaticities(points, 2.2)


PQ = {0.0: 0, 0.1: 0.0623, 1.0: 0.1499, 100: 0.5081, 203: 0.5807, 1000: 0.7518, 10_000: 1.0}
"""Luminance, and its level in PQ (SMPTE ST 2084; 203 and 100: BT.2408, table 1)."""


def patches(*levels):
    return np.repeat(np.array([levels]), 3, axis=0).T[None].astype(np.float64)


def as_uint16(levels):
    return (levels * 65535).round().astype(np.uint16)


@pytest.mark.parametrize(("hdr", "level"), [("pq", 0.580689), ("hlg", 0.75)])
def test_without_highlights_diffuse_white_is_white_and_light_is_linear(hdr, level):
    """BT.2408: 203 cd/m2 is 58 % of PQ and 75 % of HLG."""
    white = to_sdr(as_uint16(patches(level)), hdr)
    assert white.min() > 65_400
    if hdr == "pq":
        grey = to_sdr(as_uint16(patches(PQ[100], level)), hdr)[0, 0]
        np.testing.assert_allclose(grey / 65535, encoded(np.array(100 / 203)), atol=2e-3)


@pytest.mark.parametrize("peak", [1000, 10_000])
def test_highlights_are_compressed_and_the_dark_is_not(peak):
    levels = to_sdr(as_uint16(patches(PQ[1.0], PQ[100], PQ[203], PQ[peak])), "pq")[0, :, 0] / 65535
    assert (np.diff(levels) > 0.01).all(), "what differs still differs"
    assert levels[-1] == pytest.approx(1, abs=2e-3)
    assert levels[0] == pytest.approx(encoded(np.array(1 / 203)), abs=2e-3)
    assert 0.6 < levels[2] < 0.95


def test_the_hue_of_highlights_is_kept():
    color = np.array([[[0.72, 0.6, 0.5]]])
    light = linear(to_sdr(as_uint16(color), "pq") / 65535)[0, 0]
    power = color[0, 0] ** (1 / 78.84375)
    before = (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (
        1 / 0.1593017578125
    )
    np.testing.assert_allclose(light / light[0], before / before[0], atol=2e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("hdr", ["pq", "hlg"])
def test_any_depth(dtype, hdr):
    ramp = np.linspace(0, np.iinfo(dtype).max, 200).round().astype(dtype)
    levels = to_sdr(np.repeat(ramp[None, :, None], 3, axis=2), hdr)
    assert levels.dtype == np.uint16 and (np.diff(levels[0, :, 1].astype(int)) >= 0).all()
    assert levels.min() == 0 and levels.max() > 65_400

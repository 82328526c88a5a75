"""Color that a file describes by numbers instead of an ICC profile.

AVIF, HEIC, JPEG XL and PNG may name primaries and transfer function by their code points (ITU-T
H.273, known as CICP or nclx); JPEG XL and an older PNG may state chromaticities and gamma
themselves.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.color_space import Floats, ProfileError
from enhance_cli.imaging.photo import STRIP, quantize
from enhance_cli.imaging.resize import max_value

Hdr = Literal["pq", "hlg"]
"""The transfer functions of high dynamic range (ITU-R BT.2100)."""

Chromaticities = tuple[tuple[float, float], ...]
"""x and y of red, green, blue and white."""

_D65, _C = (0.3127, 0.3290), (0.310, 0.316)
_BT709 = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)
_BT601 = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))

_PRIMARIES: dict[int, tuple[str, Chromaticities]] = {
    1: ("BT.709", _BT709),
    2: ("BT.709", _BT709),  # unspecified
    4: ("BT.470 M", ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C)),
    5: ("BT.470 B/G", ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65)),
    6: ("BT.601", _BT601),
    7: ("SMPTE 240M", _BT601),
    8: ("film", ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C)),
    9: ("BT.2020", ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65)),
    10: ("XYZ", ((1.0, 0.0), (0.0, 1.0), (0.0, 0.0), (1 / 3, 1 / 3))),
    11: ("DCI-P3", (*_P3, (0.314, 0.351))),
    12: ("Display P3", (*_P3, _D65)),
    22: ("EBU 3213", ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65)),
}
"""Names and chromaticities of the primaries (H.273, table 2)."""

_GAMMAS: dict[int, float | None] = {
    # Photos in the curves of video are meant for the screens of computers, as browsers show them.
    **dict.fromkeys((1, 2, 6, 7, 11, 12, 13, 14, 15)),
    4: 2.2,
    5: 2.8,
    8: 1.0,
    17: 2.6,
}
"""Gamma of the transfer functions (H.273, table 3); None is the curve of sRGB."""

_HDR: dict[int, Hdr] = {16: "pq", 18: "hlg"}

_SAME_CHROMATICITY, _SAME_GAMMA = 0.002, 0.03
"""Largest differences at which chromaticities and gammas count as those of sRGB."""

_SRGB_GAMMA = 2.2

_WHITE, _HLG_PEAK = 203.0, 1000.0
"""Luminance of diffuse white (ITU-R BT.2408) and of the brightest HLG, in cd/m2."""

_LUMA_BT2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)


_M1, _M2 = 2610 / 16384, 2523 / 32
_C1, _C2, _C3 = 3424 / 4096, 2413 / 128, 2392 / 128
"""Constants of PQ (SMPTE ST 2084)."""

_D50 = np.array([0.9642, 1.0, 0.8249])
"""White of the ICC's profile connection space (ICC.1:2022, 7.2.16)."""

_BRADFORD = np.array([
    [0.8951, 0.2664, -0.1614],
    [-0.7502, 1.7135, 0.0367],
    [0.0389, -0.0685, 1.0296],
])  # fmt: skip
"""XYZ to the responses of cones, for the adaptation to another white (ICC.1:2022, E.2)."""


class Description(NamedTuple):
    """What numbers say of a picture's color.

    Attributes:
        profile: ICC profile of the same color space, or None if it is sRGB. For HDR, that of its
            primaries with the curve of sRGB.
        hdr: The transfer function, if it is one of high dynamic range.
    """

    profile: bytes | None = None
    hdr: Hdr | None = None


def describe_code_points(primaries: int, transfer: int) -> Description:
    """Look up code points of H.273.

    Raises:
        ProfileError: The code points are unknown.
    """
    if primaries not in _PRIMARIES or transfer not in {*_GAMMAS, *_HDR}:
        raise ProfileError("its colour description is unknown")
    name, chromaticities = _PRIMARIES[primaries]
    gamma = _GAMMAS.get(transfer)
    profile = None
    if chromaticities is not _BT709 or gamma:
        profile = rgb_profile(f"{name}, {_curve_name(gamma)}", chromaticities, gamma)
    return Description(profile, _HDR.get(transfer))


def describe_primaries(
    chromaticities: Chromaticities, transfer: int, gamma: float | None = None
) -> Description:
    """Describe color as JPEG XL does: by chromaticities, and a transfer function or an exponent.

    Args:
        chromaticities: x and y of red, green, blue and white.
        transfer: Code point of the transfer function (H.273, table 3).
        gamma: Exponent from the stored numbers to light, in place of the transfer function.

    Raises:
        ProfileError: The transfer function is unknown, or the numbers are impossible.
    """
    if gamma is None and transfer not in {*_GAMMAS, *_HDR}:
        raise ProfileError("its colour description is unknown")
    hdr = _HDR.get(transfer) if gamma is None else None
    gamma = gamma or _GAMMAS.get(transfer)
    known = (name for name, points in _PRIMARIES.values() if _are_close(points, chromaticities))
    name = next(known, "chromaticities of the file")
    if name == "BT.709" and gamma is None:
        return Description(None, hdr)
    return Description(rgb_profile(f"{name}, {_curve_name(gamma)}", chromaticities, gamma), hdr)


def _are_close(one: Chromaticities, other: Chromaticities) -> bool:
    return bool(np.abs(np.subtract(one, other)).max() <= _SAME_CHROMATICITY)


def describe_chromaticities(
    chromaticities: Chromaticities | None, gamma: float | None
) -> Description:
    """Describe the color of a PNG with cHRM and gAMA chunks.

    Args:
        chromaticities: From cHRM, or None.
        gamma: The exponent from the stored numbers to light: the inverse of gAMA. Or None.

    Raises:
        ProfileError: The numbers are impossible.
    """
    if gamma is not None and abs(gamma - _SRGB_GAMMA) <= _SAME_GAMMA:
        gamma = None  # this is how PNG approximates the curve of sRGB
    if gamma is None and _are_close(chromaticities or _BT709, _BT709):
        return Description()
    name = f"chromaticities of the file, {_curve_name(gamma)}"
    return Description(rgb_profile(name, chromaticities or _BT709, gamma))


def to_sdr(pixels: NDArray[np.uint8] | NDArray[np.uint16], hdr: Hdr) -> NDArray[np.uint16]:
    """Compress high dynamic range to that of a standard display.

    Diffuse white becomes white, unless something is brighter: then the highlights are compressed
    as in ITU-R BT.2390, and keep their hue.

    Args:
        pixels: ``(H, W, 3)``, RGB in the transfer function ``hdr``.
        hdr: The transfer function.

    Returns:
        ``(H, W, 3)`` in the same primaries, with the curve of sRGB.
    """
    rows = max(1, STRIP // pixels.shape[1])
    strips = [np.s_[top : top + rows] for top in range(0, len(pixels), rows)]
    peak = max(_luminance(pixels[strip], hdr).max() for strip in strips)
    knots, factors = _compression(float(peak))
    result = np.empty(pixels.shape, np.uint16)
    for strip in strips:
        light = _luminance(pixels[strip], hdr)
        brightest = light.max(axis=2, keepdims=True)
        light *= np.interp(brightest, knots, factors).astype(np.float32)
        result[strip] = quantize(encode_srgb(light), result.dtype)
    return result


def _luminance(pixels: NDArray[np.uint8] | NDArray[np.uint16], hdr: Hdr) -> Floats:
    """Luminance of each channel, in cd/m2 (BT.2100, tables 4 and 5)."""
    levels = np.arange(max_value(pixels.dtype) + 1) / max_value(pixels.dtype)
    if hdr == "pq":
        return _from_pq(levels).astype(np.float32)[pixels]
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(levels <= 0.5, levels**2 / 3, (np.exp((levels - c) / a) + b) / 12)
    light = scene.astype(np.float32)[pixels]
    overall = (light @ _LUMA_BT2020)[..., None]
    return np.asarray(light * overall ** np.float32(0.2) * _HLG_PEAK, np.float32)


def _compression(peak: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Luminances, and the factors from there to linear light in which white is 1.

    The curve is the EETF of BT.2390 (5.4.1), for black at 0.
    """
    if peak <= _WHITE:
        return np.array([0.0, 1.0]), np.full(2, 1 / _WHITE)
    top = _to_pq(np.array(peak))
    target = _to_pq(np.array(_WHITE)) / top
    knee = 1.5 * target - 0.5
    source = np.linspace(0, 1, 1024)[1:]
    t = ((source - knee) / (1 - knee)).clip(0, 1)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee)
    spline += (3 * t**2 - 2 * t**3) * target
    luminances = _from_pq(source * top)
    compressed = _from_pq(np.where(source < knee, source, spline) * top)
    return luminances, compressed / luminances / _WHITE


def _from_pq(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Luminance in cd/m2 of levels from 0 to 1 (SMPTE ST 2084)."""
    power = levels ** (1 / _M2)
    return 10_000 * ((power - _C1).clip(0) / (_C2 - _C3 * power)) ** (1 / _M1)


def _to_pq(luminance: NDArray[np.float64]) -> NDArray[np.float64]:
    power = (luminance / 10_000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def decode_srgb(encoded: Floats) -> Floats:
    """The linear light of sRGB; the inverse of :func:`encode_srgb`."""
    curve = ((encoded.clip(0) + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(encoded <= 0.04045, encoded / np.float32(12.92), curve)


def encode_srgb(linear: Floats) -> Floats:
    """Encode linear light (IEC 61966-2-1); what is negative stays so, and is not clipped."""
    curve = np.float32(1.055) * linear.clip(0) ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(linear <= 0.0031308, np.float32(12.92) * linear, curve)


def _curve_name(gamma: float | None) -> str:
    return "sRGB curve" if gamma is None else f"gamma {gamma:.4g}"


@lru_cache(maxsize=16)
def rgb_profile(name: str, chromaticities: Chromaticities, gamma: float | None) -> bytes:
    """Build the ICC profile of an RGB color space, version 4.

    Args:
        name: What programs call it.
        chromaticities: x and y of red, green, blue and white.
        gamma: Exponent of the curve; None is the curve of sRGB.

    Raises:
        ProfileError: The chromaticities are not those of a color space.
    """
    xyz = np.array([(x, y, 1 - x - y) for x, y in chromaticities]).T
    white = xyz[:, 3] / xyz[1, 3] if xyz[1, 3] else np.full(3, np.nan)
    try:
        colorants = xyz[:, :3] * np.linalg.solve(xyz[:, :3], white)
    except np.linalg.LinAlgError:
        colorants = np.full((3, 3), np.nan)
    if not np.isfinite(colorants).all() or np.abs(colorants).max() > 100:
        raise ProfileError("its chromaticities are impossible")
    adaptation = np.linalg.solve(
        _BRADFORD, np.diag(_BRADFORD @ _D50 / (_BRADFORD @ white)) @ _BRADFORD
    )
    red, green, blue = (adaptation @ colorants).T
    if gamma is None:
        curve = _parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    else:
        curve = _parametric(0, gamma)
    tags = {
        b"desc": _text(name),
        b"cprt": _text("No copyright, use freely"),
        b"wtpt": _numbers(b"XYZ ", *_D50),
        b"chad": _numbers(b"sf32", *adaptation.ravel().tolist()),
        b"rXYZ": _numbers(b"XYZ ", *red),
        b"gXYZ": _numbers(b"XYZ ", *green),
        b"bXYZ": _numbers(b"XYZ ", *blue),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    return _profile_of(tags)


def _profile_of(tags: dict[bytes, bytes]) -> bytes:
    """A display profile with these tags (ICC.1:2022, 7.1)."""
    start = 128 + 4 + 12 * len(tags)
    table, content, places = struct.pack(">I", len(tags)), b"", {}
    for tag, value in tags.items():
        if value not in places:
            places[value] = start + len(content)
            content += value + bytes(-len(value) % 4)
        table += struct.pack(">4sII", tag, places[value], len(value))
    size = start + len(content)
    # The date is fixed, so that the same photo gives the same file on any day.
    header = struct.pack(
        ">I4xI12s6H4s", size, 0x04400000, b"mntrRGB XYZ ", 2000, 1, 1, 0, 0, 0, b"acsp"
    )
    header += bytes(28) + _fixed(*_D50)
    return header.ljust(128, b"\0") + table + content


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _numbers(kind: bytes, *values: float) -> bytes:
    return kind + bytes(4) + _fixed(*values)


def _parametric(function: int, *parameters: float) -> bytes:
    return struct.pack(">4s4xH2x", b"para", function) + _fixed(*parameters)


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

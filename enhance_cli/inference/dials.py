"""Apply the photographer's dials to colors that have been retouched.

All dials together are one matrix in linear light between two tone curves: sRGB is made linear,
exposure, warmth, tint and saturation multiply it, and the curve of sRGB and contrast bring it back.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from enhance_cli.config.dials import Dials
from enhance_cli.imaging.color_space import Floats
from enhance_cli.imaging.jit import jit

Matrix = NDArray[np.float64]

_TO_XYZ = np.array(
    [
        [0.4123908, 0.3575843, 0.1804808],
        [0.2126390, 0.7151687, 0.0721923],
        [0.0193308, 0.1191948, 0.9505322],
    ]
)
"""From linear sRGB to CIE XYZ (IEC 61966-2-1); its second row gives luminance."""

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
"""From XYZ to the cones' responses in which white points are adapted (ICC.1:2022, annex E)."""

_D65_MIRED, _D65_DUV = 153.681, 0.003266
"""White of sRGB: the nearest point of the Planckian locus, and the distance in CIE 1960 (u, v)."""

_DUV_PER_TINT = 1 / 3000

_CONTRAST_PER_BETA = 20
"""A contrast of 60 % is ImageMagick's ``-sigmoidal-contrast 3x50%``."""

_LEAST_CONTRAST = 1e-3
"""A contrast that cannot be seen, and for which the formula has no digits left."""

_BLOCK = 3 * 1024
"""Values that are processed at a time, three for each pixel; they fit into the L1 cache."""

_TO_LINEAR_STEPS, _FROM_LINEAR_STEPS = 2**12, 2**14
"""Intervals of the tables; between their points, straight lines are off by less than a tenth of a
16-bit level."""


def turn_dials(colors: Floats, dials: Dials, grey: bool = False) -> Floats:
    """Take retouched colors through the dials.

    Args:
        colors: ``(..., 3)``, sRGB; [0, 1] is its gamut, and values outside are allowed.
        dials: The dials.
        grey: Whether the photo has no color, so that only exposure and contrast count.

    Returns:
        sRGB of the same shape, float32, not clamped.
    """
    if dials.are_neutral:
        return colors
    light = to_linear_light(colors.astype(np.float64)) @ matrix_of(dials, grey).T
    return contrast_curve(to_srgb_curve(light), dials.contrast).astype(np.float32)


def turn_dials_within(colors: Floats, dials: Dials, grey: bool = False) -> Floats:
    """Take colors through the dials, and clamp them; much faster than :func:`turn_dials`.

    Args:
        colors: ``(..., 3)``, float32, sRGB in [0, 1], C-contiguous; they are replaced.
        dials: The dials.
        grey: As in :func:`turn_dials`.

    Returns:
        ``colors``, now the clamped result of :func:`turn_dials` to a tenth of a 16-bit level.
    """
    if not dials.are_neutral:
        _turn(colors.reshape(-1), *_chain(dials, grey))
    return colors


class _Chain(NamedTuple):
    """A matrix between two curves. Each table repeats its last value, which needs a successor."""

    matrix: NDArray[np.float32]
    to_linear: Floats
    from_linear: Floats


@lru_cache(maxsize=64)
def _chain(dials: Dials, grey: bool) -> _Chain:
    encoded = np.linspace(0, 1, _TO_LINEAR_STEPS + 1)
    linear = np.linspace(0, 1, _FROM_LINEAR_STEPS + 1)
    curve = contrast_curve(to_srgb_curve(linear), dials.contrast)
    tables = (np.append(table, table[-1]) for table in (to_linear_light(encoded), curve))
    return _Chain(*(table.astype(np.float32) for table in (matrix_of(dials, grey), *tables)))


def matrix_of(dials: Dials, grey: bool = False) -> Matrix:
    """Exposure, warmth, tint and saturation as a ``(3, 3)`` matrix for linear sRGB.

    Warmth and tint leave the luminance of grey as it is, and saturation that of every color.
    """
    light = 2.0**dials.exposure
    if grey:
        return light * np.eye(3)
    share = 1 + dials.saturation / 100
    saturation = share * np.eye(3) + (1 - share) * np.tile(_TO_XYZ[1], (3, 1))
    return light * saturation @ _adaptation(dials.warmth, dials.tint)


def _adaptation(warmth: float, tint: float) -> Matrix:
    """Turn white into the white of another light (Bradford), in linear sRGB."""
    if not warmth and not tint:
        return np.eye(3)
    mired = _D65_MIRED + warmth
    u, v = _planckian(1e6 / mired) + (_D65_DUV - tint * _DUV_PER_TINT) * _across_locus(mired)
    x, y = 3 * u / (2 * u - 8 * v + 4), 2 * v / (2 * u - 8 * v + 4)
    white = np.array([x / y, 1, (1 - x - y) / y])
    gains = (_BRADFORD @ white) / (_BRADFORD @ _TO_XYZ.sum(1))
    cones = _BRADFORD @ _TO_XYZ
    return np.linalg.solve(cones, gains[:, None] * cones)


def _planckian(kelvin: float) -> NDArray[np.float64]:
    """A black body's color in CIE 1960 (u, v), by Krystek (1985)."""
    t = kelvin
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t**2) / (
        1 + 8.42420235e-4 * t + 7.08145163e-7 * t**2
    )
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t**2) / (
        1 - 2.89741816e-5 * t + 1.61456053e-7 * t**2
    )
    return np.array([u, v])


def _across_locus(mired: float) -> NDArray[np.float64]:
    """The direction of a positive Duv, of length 1: across the locus, towards green."""
    along = _planckian(1e6 / (mired + 1)) - _planckian(1e6 / (mired - 1))
    return np.array([-along[1], along[0]]) / np.hypot(*along)


def to_linear_light(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """From sRGB to linear light (IEC 61966-2-1); negative values mirror positive ones."""
    size = np.abs(values)
    light = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.copysign(light, values)


def to_srgb_curve(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """From linear light to sRGB; the inverse of :func:`to_linear_light`."""
    size = np.abs(values)
    encoded = np.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.copysign(encoded, values)


def contrast_curve(values: NDArray[np.float64], contrast: float) -> NDArray[np.float64]:
    """A sigmoid through black, the middle and white of sRGB; its inverse lowers contrast.

    Args:
        values: sRGB. Outside [0, 1], nothing changes.
        contrast: Per cent.
    """
    if abs(contrast) < _LEAST_CONTRAST:
        return values
    beta = abs(contrast) / _CONTRAST_PER_BETA
    low, high = _logistic(np.array([-beta / 2, beta / 2]))
    within = values.clip(0, 1)
    if contrast > 0:
        curved = (_logistic(beta * (within - 0.5)) - low) / (high - low)
    else:
        share = low + within * (high - low)
        curved = 0.5 + np.log(share / (1 - share)) / beta
    return curved + (values - within)


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


@jit()
def _turn(values, matrix, to_linear, from_linear):  # noqa: ANN001, ANN202
    m00, m01, m02 = matrix[0]
    m10, m11, m12 = matrix[1]
    m20, m21, m22 = matrix[2]
    for start in range(0, len(values), _BLOCK):
        block = values[start : start + _BLOCK]
        _look_up(block, to_linear)
        for x in range(0, len(block), 3):
            red, green, blue = block[x], block[x + 1], block[x + 2]
            block[x] = m00 * red + m01 * green + m02 * blue
            block[x + 1] = m10 * red + m11 * green + m12 * blue
            block[x + 2] = m20 * red + m21 * green + m22 * blue
        _look_up(block, from_linear)


@jit()
def _look_up(values, table):  # noqa: ANN001, ANN202
    """Replace values, which are clamped to [0, 1], by those of a table over [0, 1]."""
    steps = np.float32(len(table) - 2)
    for x in range(len(values)):
        place = min(max(values[x], np.float32(0)), np.float32(1)) * steps
        index = int(place)
        share = place - np.float32(index)
        values[x] = table[index] + share * (table[index + 1] - table[index])

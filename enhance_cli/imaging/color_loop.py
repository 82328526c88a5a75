"""A function of color, applied to every pixel of a photo.

The function is a polynomial of degree 4 in red, green and blue (105 coefficients), or a linear map.
Compiled by Numba, the loop evaluates it exactly at every pixel, in the time in which the photo
could be read from memory a few times.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.jit import jit

_RED, _GREEN, _BLUE = np.float32(0.299), np.float32(0.587), np.float32(0.114)
"""Weights of the channels in luma, as ITU-R BT.601 defines it, for photos without color."""


@jit()
def equalize_to_luma(change):  # noqa: ANN001, ANN201
    """Give all channels of each pixel the change of its luma; ``change`` is R, G, B, R, ..."""
    for x in range(0, len(change), 3):
        common = _RED * change[x] + _GREEN * change[x + 1] + _BLUE * change[x + 2]
        change[x] = change[x + 1] = change[x + 2] = common


_BLOCK = 1024
"""Pixels that are processed at a time; their values fit into the L1 cache."""

_NO_LIMIT = 3e38
"""A limit that no value reaches."""


class ColorCoefficients(NamedTuple):
    """The numbers of a function of color, ``f(p) = matrix (p, 1) + polynomial(2 p - 1)``.

    Attributes:
        matrix: The linear part, float32, ``(3, 4)``: row ``i`` gives channel ``i`` of the result
            from R, G, B and 1.
        polynomial: Coefficients of the monomials of degree 0 to 4 in ``2 p - 1``, float32,
            ``(3, 35)``; None if the function is linear. The exponents of R, G and B are in
            lexicographic order: (0, 0, 0), (0, 0, 1), ..., (0, 1, 0), ..., (4, 0, 0).
        white_from: BT.709 luma from which a pixel counts as partly white; at 1, it counts as fully
            white. What is white is not darkened. None: it may be.
        toe: Level and slope of the least result ``s p t / (s p + t)`` of each channel, where ``t``
            is the level and ``s`` the slope. None: every channel may become black.
    """

    matrix: NDArray[np.float32]
    polynomial: NDArray[np.float32] | None = None
    white_from: float | None = None
    toe: tuple[float, float] | None = None

    @classmethod
    def of_polynomial(
        cls,
        terms: NDArray[np.float32],
        white_from: float | None = None,
        toe: tuple[float, float] | None = None,
    ) -> ColorCoefficients:
        """The function whose coefficients :func:`as_polynomial` would return."""
        if len(terms) == len(_LINEAR_TERMS) + 1:
            centered = terms[[3, 2, 1, 0]].T
            offset = centered[:, 3] - centered[:, :3].sum(1)
            return cls(np.column_stack([2 * centered[:, :3], offset]), None, white_from, toe)
        return cls(np.zeros((3, 4), np.float32), np.ascontiguousarray(terms.T), white_from, toe)


def color_exponents(degree: int = 4) -> list[tuple[int, int, int]]:
    """The exponents of R, G and B in the monomials up to a degree, in lexicographic order."""
    counts = range(degree + 1)
    triples = ((red, green, blue) for red in counts for green in counts for blue in counts)
    return [triple for triple in triples if sum(triple) <= degree]


def as_polynomial(function: ColorCoefficients) -> NDArray[np.float64]:
    """The whole function, but for its protections, as one polynomial.

    Returns:
        Coefficients of the monomials of ``2 p - 1``: ``(35, 3)``, or ``(4, 3)`` if it is linear;
        column ``i`` gives channel ``i``. They are in the order of :func:`color_exponents`.
    """
    matrix = _of_centered(function.matrix.astype(np.float64))
    if function.polynomial is None:
        return matrix[:, [3, 2, 1, 0]].T.astype(np.float64)
    return _with_linear_part(function.polynomial.astype(np.float64), matrix).T


def apply_color_function(
    pixels: NDArray[Any],
    function: ColorCoefficients,
    strength: float = 1.0,
    grey: bool = False,
    white: int = 1,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Take the color of every pixel through a function.

    Args:
        pixels: ``(H, W, 3)``, uint8, uint16 or float32, C-contiguous, from 0 to ``white``.
        function: The function, for colors in [0, 1].
        strength: 0 changes nothing, 1 gives the clamped result, and values beyond 1 exaggerate the
            change.
        grey: Change all channels equally, by the change of their luma.
        white: The value of white in ``pixels``: 255, 65535 or 1.
        out: Array for the result; may be ``pixels`` itself. None allocates a new array.

    Returns:
        The result, of the shape and dtype of ``pixels``, from 0 to ``white``.
    """
    result = np.empty_like(pixels) if out is None else out
    half = 0.5 if np.issubdtype(pixels.dtype, np.integer) else 0.0
    _run(pixels, result, function, (strength, white, half), (0, white), grey)
    return result


def color_function_delta(
    pixels: NDArray[np.float32],
    function: ColorCoefficients,
    strength: float = 1.0,
    grey: bool = False,
) -> NDArray[np.float32]:
    """Compute by how much :func:`apply_color_function` changes colors.

    Args:
        pixels: ``(..., 3)``, in [0, 1].
        function: The function.
        strength: As in :func:`apply_color_function`.
        grey: As in :func:`apply_color_function`.

    Returns:
        The change, of the shape of ``pixels``. Pixels plus change are not clamped to [0, 1].
    """
    result = np.empty_like(pixels)
    _run(pixels, result, function, (strength, 1, 0), (-_NO_LIMIT, _NO_LIMIT), grey)
    return result - pixels


def _run(
    pixels: NDArray[Any],
    result: NDArray[Any],
    function: ColorCoefficients,
    levels: tuple[float, float, float],
    limits: tuple[float, float],
    grey: bool,
) -> None:
    matrix, polynomial = np.ascontiguousarray(function.matrix, np.float32), _NO_POLYNOMIAL
    if function.polynomial is not None:
        matrix = _of_centered(matrix)
        polynomial = _with_linear_part(function.polynomial.astype(np.float32), matrix)
    white_from = np.inf if function.white_from is None else function.white_from
    toe, slope = function.toe or (0, 0)
    _apply(
        pixels.reshape(-1),
        result.reshape(-1),
        matrix,
        polynomial,
        (np.float32(white_from), np.float32(toe), np.float32(slope)),
        tuple(np.float32(value) for value in levels),
        tuple(np.float32(value) for value in limits),
        grey,
    )


_NO_POLYNOMIAL = np.empty((3, 0), np.float32)

_CONSTANT, _LINEAR_TERMS = 0, [15, 5, 1]
"""Positions of the monomials 1, and R, G and B, in a polynomial."""


def _of_centered(matrix: NDArray[Any]) -> NDArray[Any]:
    """Turn a linear map of ``p`` into the same map of ``2 p - 1``."""
    halves = matrix[:, :3] / 2
    return np.column_stack([halves, matrix[:, 3] + halves.sum(1)])


def _with_linear_part(polynomial: NDArray[Any], matrix: NDArray[Any]) -> NDArray[Any]:
    whole = polynomial.copy()
    whole[:, _LINEAR_TERMS] += matrix[:, :3]
    whole[:, _CONSTANT] += matrix[:, 3]
    return np.ascontiguousarray(whole)


# Without "nnan" and "ninf", since values that are not finite could turn into any color, and without
# "reassoc", since a color could come out differently at the end of a block.
_FAST = {"contract", "nsz"}


@jit(fastmath=_FAST)
def _apply(source, result, matrix, polynomial, protection, levels, limits, grey):  # noqa: ANN001, ANN202
    """Take the pixels through the function, a block of them at a time.

    The colors are scaled to [0, 1] for a linear map, and to [-1, 1] for a polynomial.
    """
    strength, white, half = levels
    white_from, toe, slope = protection
    plain = strength == 1 and not grey
    linear = polynomial.shape[1] == 0
    scale, shift = (np.float32(1), np.float32(0)) if linear else (np.float32(2), np.float32(-1))
    before = np.empty((3, _BLOCK), np.float32)
    after = np.empty((3, _BLOCK), np.float32)
    share = np.empty(_BLOCK, np.float32)
    change = np.empty(3 * _BLOCK, np.float32)
    pixels = len(source) // 3
    for start in range(0, pixels, _BLOCK):
        n = min(_BLOCK, pixels - start)
        values = source[3 * start : 3 * (start + n)]
        results = result[3 * start : 3 * (start + n)]
        red, green, blue = before[0, :n], before[1, :n], before[2, :n]
        _split(values, scale / white, shift, red, green, blue)
        for channel in range(3):
            if linear:
                _linear(matrix[channel], red, green, blue, after[channel, :n])
            else:
                _quartic(polynomial[channel], red, green, blue, after[channel, :n])
        if white_from < 1 and _pixels_above(scale * white_from + shift, red, green, blue):
            _share_of_white(red, green, blue, scale * white_from + shift, share[:n])
            for channel in range(3):
                _protect_highlights(
                    before[channel, :n], share[:n], scale, shift, after[channel, :n]
                )
        for channel in range(3):
            if toe > 0 and _values_below(toe, after[channel, :n]):
                _protect_shadows(before[channel, :n], toe, slope, scale, shift, after[channel, :n])
        if plain:
            _merge(after[0, :n], after[1, :n], after[2, :n], white, limits, half, results)
        else:
            part = change[: 3 * n]
            _interleaved_change(values, after, levels, part)
            if grey:
                equalize_to_luma(part)
            _add(values, part, limits, half, results)


@jit(fastmath=_FAST)
def _split(values, scale, shift, red, green, blue):  # noqa: ANN001, ANN202
    for x in range(len(red)):
        red[x] = np.float32(values[3 * x]) * scale + shift
        green[x] = np.float32(values[3 * x + 1]) * scale + shift
        blue[x] = np.float32(values[3 * x + 2]) * scale + shift


@jit(fastmath=_FAST)
def _linear(row, red, green, blue, out):  # noqa: ANN001, ANN202
    for x in range(len(out)):
        out[x] = row[0] * red[x] + row[1] * green[x] + row[2] * blue[x] + row[3]


@jit(fastmath=_FAST)
def _quartic(c, red, green, blue, out):  # noqa: ANN001, ANN202
    """Evaluate a polynomial by Horner's rule: in blue, then in green, then in red."""
    for x in range(len(out)):
        r, g, b = red[x], green[x], blue[x]
        of_g0 = c[0] + b * (c[1] + b * (c[2] + b * (c[3] + b * c[4])))
        of_g1 = c[5] + b * (c[6] + b * (c[7] + b * c[8]))
        of_g2 = c[9] + b * (c[10] + b * c[11])
        of_g3 = c[12] + b * c[13]
        of_r0 = of_g0 + g * (of_g1 + g * (of_g2 + g * (of_g3 + g * c[14])))
        of_g0 = c[15] + b * (c[16] + b * (c[17] + b * c[18]))
        of_g1 = c[19] + b * (c[20] + b * c[21])
        of_g2 = c[22] + b * c[23]
        of_r1 = of_g0 + g * (of_g1 + g * (of_g2 + g * c[24]))
        of_g0 = c[25] + b * (c[26] + b * c[27])
        of_g1 = c[28] + b * c[29]
        of_r2 = of_g0 + g * (of_g1 + g * c[30])
        of_r3 = c[31] + b * c[32] + g * c[33]
        out[x] = of_r0 + r * (of_r1 + r * (of_r2 + r * (of_r3 + r * c[34])))


# The next two count, since the maximum of floats would not be vectorised.
@jit(fastmath=_FAST)
def _pixels_above(level, red, green, blue):  # noqa: ANN001, ANN202
    """Count the pixels with a greater BT.709 luma."""
    count = np.int32(0)
    for x in range(len(red)):
        count += np.int32(_luma_bt709(red[x], green[x], blue[x]) > level)
    return count


@jit(fastmath=_FAST)
def _values_below(level, values):  # noqa: ANN001, ANN202
    count = np.int32(0)
    for x in range(len(values)):
        count += np.int32(values[x] < level)
    return count


@jit(inline="always")
def _luma_bt709(red, green, blue):  # noqa: ANN001, ANN202
    return np.float32(0.2126) * red + np.float32(0.7152) * green + np.float32(0.0722) * blue


@jit(fastmath=_FAST)
def _share_of_white(red, green, blue, level, share):  # noqa: ANN001, ANN202
    """How far each pixel is on the way from ``level`` to white, at which luma is 1."""
    per_luma = np.float32(1) / (np.float32(1) - level)
    for x in range(len(share)):
        above = (_luma_bt709(red[x], green[x], blue[x]) - level) * per_luma
        share[x] = min(max(above, np.float32(0)), np.float32(1))


@jit(fastmath=_FAST)
def _protect_highlights(before, share, scale, shift, after):  # noqa: ANN001, ANN202
    """Keep what is white in the photo from getting darker."""
    per_value = np.float32(1) / scale
    for x in range(len(after)):
        darkened = (before[x] - shift) * per_value - after[x]
        after[x] += share[x] * max(darkened, np.float32(0))


@jit(fastmath=_FAST)
def _protect_shadows(before, toe, slope, scale, shift, after):  # noqa: ANN001, ANN202
    """Keep a channel from becoming black that was not."""
    per_value = slope / scale
    for x in range(len(after)):
        scaled = (before[x] - shift) * per_value
        after[x] = max(after[x], scaled * toe / (scaled + toe))


@jit(fastmath=_FAST)
def _merge(red, green, blue, white, limits, half, results):  # noqa: ANN001, ANN202
    low, high = limits
    for x in range(len(red)):
        results[3 * x] = min(max(red[x] * white, low), high) + half
        results[3 * x + 1] = min(max(green[x] * white, low), high) + half
        results[3 * x + 2] = min(max(blue[x] * white, low), high) + half


@jit(fastmath=_FAST)
def _interleaved_change(values, after, levels, change):  # noqa: ANN001, ANN202
    """Compute by how much each value changes, R, G, B, R, ..., in the units of the pixels."""
    strength, white, _ = levels
    for channel in range(3):
        for x in range(len(change) // 3):
            value = min(max(after[channel, x], np.float32(0)), np.float32(1)) * white
            change[3 * x + channel] = strength * (value - np.float32(values[3 * x + channel]))


@jit(fastmath=_FAST)
def _add(values, change, limits, half, results):  # noqa: ANN001, ANN202
    low, high = limits
    for x in range(len(change)):
        results[x] = min(max(np.float32(values[x]) + change[x], low), high) + half

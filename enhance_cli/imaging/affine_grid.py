"""A grid of affine color maps, applied to a photo of any size.

Every pixel of a large photo passes through this loop. Pillow and PyTorch would write each of the
twelve enlarged coefficients to memory first, which takes ten times as long; compiled by Numba, they
stay in the processor's caches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.jit import jit

AffineGrid = NDArray[np.float32]
"""``(h, w, 3, 4)``: coefficients of R, G, B and 1 for R, G and B of the result, at each grid point;
bilinear in between."""

LUMA_BT601 = np.array((0.299, 0.587, 0.114), np.float32)
"""Weights of a grey photo's channels, which are nearly equal (ITU-R BT.601)."""

PER_CHANNEL = np.zeros(3, np.float32)
"""Weights that stand for no luma: each channel changes by itself."""

_BLOCK = 256
"""Pixels of a row that are processed at a time; their coefficients fit into the L1 cache."""

_REACH = 2
"""Distance of a pixel's red and blue values in memory."""

_TAPS = 2 * _REACH + 1

_FREE = np.float32(3e38)
"""In place of a limit: none."""


def apply_affine_grid(
    pixels: NDArray[Any],
    grid: AffineGrid,
    strength: float = 1.0,
    grey: bool = False,
    white: int = 1,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Apply the color map of its place to every pixel.

    Args:
        pixels: ``(H, W, 3)``, integers or float32, C-contiguous.
        grid: The maps, for colors in [0, 1].
        strength: 0 changes nothing, 1 gives the maps' result, clamped; beyond 1 exaggerates it.
        grey: Change all channels equally, by the change of their luma.
        white: The value of white in ``pixels``.
        out: Array for the result; may be ``pixels`` itself. None allocates one, which takes as long
            as everything else for large photos.

    Returns:
        The same shape and dtype, from 0 to ``white``.
    """
    result = np.empty_like(pixels) if out is None else out
    half = 0.5 if np.issubdtype(pixels.dtype, np.integer) else 0.0
    _apply(
        pixels,
        result,
        _scaled(grid, white),
        (0, len(pixels)),
        (np.float32(strength), np.float32(white), np.float32(half)),
        (np.float32(0), np.float32(white)),
        LUMA_BT601 if grey else PER_CHANNEL,
    )
    return result


def affine_grid_delta(
    pixels: NDArray[np.float32],
    grid: AffineGrid,
    top: int,
    height: int,
    strength: float = 1.0,
    grey: bool = False,
) -> NDArray[np.float32]:
    """Compute by how much rows ``top`` to ``top + n`` of a photo change.

    Args:
        pixels: The rows, ``(n, W, 3)``, in [0, 1].
        grid: The maps of the whole photo.
        top: Index of the first row.
        height: Height of the whole photo.
        strength: As in :func:`apply_affine_grid`.
        grey: As in :func:`apply_affine_grid`.

    Returns:
        The difference to be added, ``(n, W, 3)``. The sum is not clamped to [0, 1].
    """
    result = np.empty_like(pixels)
    _apply(
        pixels,
        result,
        _scaled(grid, 1),
        (top, height),
        (np.float32(strength), np.float32(1), np.float32(0)),
        (-_FREE, _FREE),
        LUMA_BT601 if grey else PER_CHANNEL,
    )
    return result - pixels


def _scaled(grid: AffineGrid, white: int) -> AffineGrid:
    """The grid for colors from 0 to ``white``, ``(h, w, 12)``."""
    scaled = np.ascontiguousarray(grid, np.float32).reshape(*grid.shape[:2], 12)
    return scaled * np.tile(np.array((1, 1, 1, white), np.float32), 3)


# Without "nnan" and "ninf": values that are not finite could turn into any color.
@jit(fastmath={"contract", "reassoc", "nsz"})
def _apply(source, result, grid, rows, levels, limits, luma):  # noqa: ANN001, ANN202
    """Apply the maps row by row, a block of pixels at a time.

    Values stay interleaved, R, G, B, R, G, B, ..., which is fastest. Each one then depends on
    itself and on up to two neighbours at either side: five taps, of which the two that belong to
    another pixel are 0. The loops run over slices, since indices that might be negative prevent
    vectorisation.
    """
    top, height = rows
    low, high = limits
    width = source.shape[1]
    tall, wide = grid.shape[:2]
    down, across = np.float32(tall / height), np.float32(wide / width)
    values = source.reshape(len(source), 3 * width)
    results = result.reshape(len(source), 3 * width)
    first = np.zeros((_TAPS + 1, 3 * _BLOCK), np.float32)  # taps at the grid row above ...
    slope = np.zeros(
        (_TAPS + 1, 3 * _BLOCK), np.float32
    )  # ... and their difference to the row below
    colors = np.zeros(3 * _BLOCK + 2 * _REACH, np.float32)
    changes = np.empty(3 * _BLOCK, np.float32)
    y = 0
    while y < len(source):
        above = _place(top + y, down, tall)[0]
        end = y + 1
        while end < len(source) and _place(top + end, down, tall)[0] == above:
            end += 1
        for left in range(0, width, _BLOCK):
            n = min(_BLOCK, width - left)
            _enlarge(grid, above, left, n, across, first, slope)
            change = changes[: 3 * n]
            color = colors[_REACH : _REACH + 3 * n]
            for row in range(y, end):
                share = _place(top + row, down, tall)[1]
                before = values[row, 3 * left : 3 * (left + n)]
                for number in range(3 * n):
                    color[number] = before[number]
                _change(colors, first, slope, share, levels, change)
                if luma[1] > 0:
                    _luma_only(change, luma)
                after = results[row, 3 * left : 3 * (left + n)]
                for number in range(3 * n):
                    value = min(max(color[number] + change[number], low), high)
                    after[number] = value + levels[2]
        y = end


@jit(inline="always")
def _place(number, scale, count):  # noqa: ANN001, ANN202
    """Position of a row or column in the grid: the grid point before, and the share beyond it."""
    at = max((np.float32(number) + np.float32(0.5)) * scale - np.float32(0.5), np.float32(0))
    before = min(int(at), count - 1)
    return before, at - np.float32(before)


@jit()
def _enlarge(grid, above, left, n, across, first, slope):  # noqa: ANN001, ANN202
    """Enlarge a row of the grid, and its difference to the row below, for ``n`` pixels."""
    tall, wide = grid.shape[:2]
    upper, lower = grid[above], grid[min(above + 1, tall - 1)]
    for x in range(n):
        before, share = _place(left + x, across, wide)
        after = min(before + 1, wide - 1)
        for channel in range(3):
            for part in range(4):
                number = 4 * channel + part
                one = upper[before, number]
                one += share * (upper[after, number] - one)
                other = lower[before, number]
                other += share * (lower[after, number] - other)
                tap = _TAPS if part == 3 else _REACH + part - channel
                first[tap, 3 * x + channel] = one
                slope[tap, 3 * x + channel] = other - one


@jit(fastmath={"contract", "reassoc", "nsz"})
def _change(colors, first, slope, share, levels, change):  # noqa: ANN001, ANN202
    """By how much each value of a block changes."""
    n = len(change)
    strength, white, _ = levels
    a, b, c = colors[:n], colors[1 : n + 1], colors[2 : n + 2]
    d, e = colors[3 : n + 3], colors[4 : n + 4]
    for number in range(n):
        value = (
            (first[0, number] + share * slope[0, number]) * a[number]
            + (first[1, number] + share * slope[1, number]) * b[number]
            + (first[2, number] + share * slope[2, number]) * c[number]
            + (first[3, number] + share * slope[3, number]) * d[number]
            + (first[4, number] + share * slope[4, number]) * e[number]
            + (first[5, number] + share * slope[5, number])
        )
        value = min(max(value, np.float32(0)), white)
        change[number] = strength * (value - c[number])


@jit()
def _luma_only(change, luma):  # noqa: ANN001, ANN202
    """Give all channels of a pixel the change of its luma."""
    for x in range(0, len(change), 3):
        common = luma[0] * change[x] + luma[1] * change[x + 1] + luma[2] * change[x + 2]
        change[x] = change[x + 1] = change[x + 2] = common

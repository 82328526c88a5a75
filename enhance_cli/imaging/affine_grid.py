"""A grid of affine color maps, applied to a photo of any size.

Every pixel of a large photo passes through this loop. Pillow and PyTorch would first write each of
the twelve enlarged coefficients to memory, which takes ten times as long. Compiled by Numba, the
loop keeps them in the processor's caches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.color_loop import equalize_to_luma
from enhance_cli.imaging.jit import jit

AffineGrid = NDArray[np.float32]
"""``(h, w, 3, 4)``: at each grid point, a 3 x 4 matrix that maps (R, G, B, 1) to the R, G and B of
the result. Between grid points, the matrices are interpolated bilinearly."""

_BLOCK = 256
"""Pixels of a row that are processed at a time; their coefficients fit into the L1 cache."""

_REACH = 2
"""Distance from a pixel's red value to its blue value in memory, in values."""

_TAPS = 2 * _REACH + 1
"""Values on which a value of the result depends: its neighbours in reach, and itself."""

_NO_LIMIT = np.float32(3e38)
"""A limit that no value reaches."""


def apply_affine_grid(
    pixels: NDArray[Any],
    grid: AffineGrid,
    strength: float = 1.0,
    grey: bool = False,
    white: int = 1,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Map the color of every pixel by the matrix that the grid has at its place.

    Args:
        pixels: ``(H, W, 3)``, uint8, uint16 or float32, C-contiguous.
        grid: The matrices, for colors in [0, 1].
        strength: 0 changes nothing, 1 gives the clamped result, and values beyond 1 exaggerate the
            change.
        grey: Change all channels equally, by the change of their luma.
        white: The value of white in ``pixels``: 255, 65535 or 1.
        out: Array for the result; may be ``pixels`` itself. None allocates a new array, which takes
            as long as all the rest if the photo is large.

    Returns:
        The result, of the shape and dtype of ``pixels``, from 0 to ``white``.
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
        grey,
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
    """Compute by how much :func:`apply_affine_grid` changes some rows of a photo.

    Args:
        pixels: The rows, ``(n, W, 3)``, in [0, 1].
        grid: The matrices for the whole photo.
        top: Index of the first of these rows in the photo.
        height: Height of the whole photo in pixels.
        strength: As in :func:`apply_affine_grid`.
        grey: As in :func:`apply_affine_grid`.

    Returns:
        The change, ``(n, W, 3)``. Pixels plus change are not clamped to [0, 1].
    """
    result = np.empty_like(pixels)
    _apply(
        pixels,
        result,
        _scaled(grid, 1),
        (top, height),
        (np.float32(strength), np.float32(1), np.float32(0)),
        (-_NO_LIMIT, _NO_LIMIT),
        grey,
    )
    return result - pixels


def _scaled(grid: AffineGrid, white: int) -> AffineGrid:
    """The grid for colors from 0 to ``white``, ``(h, w, 12)``."""
    scaled = np.ascontiguousarray(grid, np.float32).reshape(*grid.shape[:2], 12)
    return scaled * np.tile(np.array((1, 1, 1, white), np.float32), 3)


# Without "nnan" and "ninf": values that are not finite could turn into any color.
@jit(fastmath={"contract", "reassoc", "nsz"})
def _apply(source, result, grid, rows, levels, limits, grey):  # noqa: ANN001, ANN202
    """Apply the matrices row by row, a block of pixels at a time.

    The values stay interleaved, R, G, B, R, G, B, ..., which is fastest. A value of the result then
    depends on five values: the one at the same place and two on either side. The taps of the two
    values that belong to another pixel are 0. The loops run over slices, since indices that might
    be negative prevent vectorisation.
    """
    top, height = rows
    low, high = limits
    width = source.shape[1]
    grid_height, grid_width = grid.shape[:2]
    down, across = np.float32(grid_height / height), np.float32(grid_width / width)
    values = source.reshape(len(source), 3 * width)
    results = result.reshape(len(source), 3 * width)
    # The taps and the constant at the grid row above, and their differences to the row below.
    first = np.zeros((_TAPS + 1, 3 * _BLOCK), np.float32)
    slope = np.zeros((_TAPS + 1, 3 * _BLOCK), np.float32)
    colors = np.zeros(3 * _BLOCK + 2 * _REACH, np.float32)
    changes = np.empty(3 * _BLOCK, np.float32)
    y = 0
    while y < len(source):
        above = _place(top + y, down, grid_height)[0]
        end = y + 1
        while end < len(source) and _place(top + end, down, grid_height)[0] == above:
            end += 1
        for left in range(0, width, _BLOCK):
            n = min(_BLOCK, width - left)
            _enlarge(grid, above, left, n, across, first, slope)
            change = changes[: 3 * n]
            color = colors[_REACH : _REACH + 3 * n]
            for row in range(y, end):
                share = _place(top + row, down, grid_height)[1]
                before = values[row, 3 * left : 3 * (left + n)]
                for number in range(3 * n):
                    color[number] = before[number]
                _change(colors, first, slope, share, levels, change)
                if grey:
                    equalize_to_luma(change)
                after = results[row, 3 * left : 3 * (left + n)]
                for number in range(3 * n):
                    value = min(max(color[number] + change[number], low), high)
                    after[number] = value + levels[2]
        y = end


@jit(inline="always")
def _place(number, scale, count):  # noqa: ANN001, ANN202
    """Position of a row or column in the grid: the grid point before it, and the fraction after."""
    at = max((np.float32(number) + np.float32(0.5)) * scale - np.float32(0.5), np.float32(0))
    before = min(int(at), count - 1)
    return before, at - np.float32(before)


@jit()
def _enlarge(grid, above, left, n, across, first, slope):  # noqa: ANN001, ANN202
    """Enlarge a row of the grid, and its difference to the row below, for ``n`` pixels."""
    grid_height, grid_width = grid.shape[:2]
    upper, lower = grid[above], grid[min(above + 1, grid_height - 1)]
    for x in range(n):
        before, share = _place(left + x, across, grid_width)
        after = min(before + 1, grid_width - 1)
        for channel in range(3):
            for part in range(4):
                number = 4 * channel + part
                at_upper = upper[before, number]
                at_upper += share * (upper[after, number] - at_upper)
                at_lower = lower[before, number]
                at_lower += share * (lower[after, number] - at_lower)
                tap = _TAPS if part == 3 else _REACH + part - channel
                first[tap, 3 * x + channel] = at_upper
                slope[tap, 3 * x + channel] = at_lower - at_upper


@jit(fastmath={"contract", "reassoc", "nsz"})
def _change(colors, first, slope, share, levels, change):  # noqa: ANN001, ANN202
    """Compute by how much each value of a block changes."""
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

"""Affine maps of colour, laid over a photo of any size.

This is where all pixels of a large photo pass. Pillow and PyTorch would write every one of the
twelve enlarged coefficients to memory first, which takes ten times as long; compiled by Numba, they
stay in the processor's caches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.compiling import compiled

Field = NDArray[np.float32]
"""``(h, w, 3, 4)``: for R, G and B of the result what R, G, B and 1 count; enlarged bilinearly."""

LUMA = np.array((0.299, 0.587, 0.114), np.float32)
"""What a grey photo's channels count for, which are as good as equal (ITU-R BT.601)."""

EACH = np.zeros(3, np.float32)
"""In their place: each channel is changed by itself."""

_BLOCK = 256
"""Pixels of a row at a time, whose coefficients fit into the processor's first cache."""

_REACH = 2
"""How far, among the numbers of a row of pixels, red and blue of one pixel lie apart."""

_TAPS = 2 * _REACH + 1

_FREE = np.float32(3e38)
"""A limit that is none."""


def painted(
    pixels: NDArray[Any],
    field: Field,
    strength: float = 1.0,
    grey: bool = False,
    white: int = 1,
    into: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Change every colour as the field says of its place.

    Args:
        pixels: ``(H, W, 3)``, whole numbers or float32, C-contiguous.
        field: The maps, of colours from 0 to 1.
        strength: 0 changes nothing, 1 what the field says, clamped; beyond 1 exaggerates that.
        grey: Change all channels alike.
        white: The number of white in ``pixels``.
        into: Takes the result; may be ``pixels`` itself. None asks for new memory, which takes as
            long to get, for large photos, as all the rest.

    Returns:
        The same shape and kind, within 0 and ``white``.
    """
    result = np.empty_like(pixels) if into is None else into
    half = 0.5 if np.issubdtype(pixels.dtype, np.integer) else 0.0
    _paint(
        pixels,
        result,
        _scaled(field, white),
        (0, len(pixels)),
        (np.float32(strength), np.float32(white), np.float32(half)),
        (np.float32(0), np.float32(white)),
        LUMA if grey else EACH,
    )
    return result


def changed_rows(
    pixels: NDArray[np.float32],
    field: Field,
    top: int,
    height: int,
    strength: float = 1.0,
    grey: bool = False,
) -> NDArray[np.float32]:
    """The same for rows ``top`` to ``top + n`` of a photo of this height, as a difference.

    Args:
        pixels: ``(n, W, 3)``, from 0 to 1.
        field: The maps of the whole photo.
        top: First row.
        height: Of the whole photo.
        strength: As in :func:`painted`.
        grey: As in :func:`painted`.

    Returns:
        What is to be added, ``(n, W, 3)``; colours with it may lie beyond 0 and 1.
    """
    result = np.empty_like(pixels)
    _paint(
        pixels,
        result,
        _scaled(field, 1),
        (top, height),
        (np.float32(strength), np.float32(1), np.float32(0)),
        (-_FREE, _FREE),
        LUMA if grey else EACH,
    )
    return result - pixels


def _scaled(field: Field, white: int) -> Field:
    """The field for colours from 0 to ``white``, with its twelve numbers in a row."""
    scaled = np.ascontiguousarray(field, np.float32).reshape(*field.shape[:2], 12)
    return scaled * np.tile(np.array((1, 1, 1, white), np.float32), 3)


# No "nnan" and "ninf" among the liberties: what is not finite would turn into any colour.
@compiled(fastmath={"contract", "reassoc", "nsz"})
def _paint(source, result, field, rows, levels, limits, luma):  # noqa: ANN001, ANN202
    """Paint row by row, a block at a time.

    The colours stay in the order R, G, B, R, G, B, ..., which is what processors take fastest. A
    number then depends on itself and on two neighbours on one side or the other: five taps, of
    which the two beyond its own pixel are 0. Loops run over slices, since an index that might be
    negative keeps the compiler from taking many numbers at once.
    """
    top, height = rows
    low, high = limits
    width = source.shape[1]
    tall, wide = field.shape[:2]
    down, across = np.float32(tall / height), np.float32(wide / width)
    numbers = source.reshape(len(source), 3 * width)
    results = result.reshape(len(source), 3 * width)
    first = np.zeros((_TAPS + 1, 3 * _BLOCK), np.float32)  # taps at the field's row above ...
    slope = np.zeros((_TAPS + 1, 3 * _BLOCK), np.float32)  # ... and how far to the row below
    colours = np.zeros(3 * _BLOCK + 2 * _REACH, np.float32)
    changes = np.empty(3 * _BLOCK, np.float32)
    y = 0
    while y < len(source):
        above = _place(top + y, down, tall)[0]
        end = y + 1
        while end < len(source) and _place(top + end, down, tall)[0] == above:
            end += 1
        for left in range(0, width, _BLOCK):
            n = min(_BLOCK, width - left)
            _enlarge(field, above, left, n, across, first, slope)
            change = changes[: 3 * n]
            colour = colours[_REACH : _REACH + 3 * n]
            for row in range(y, end):
                share = _place(top + row, down, tall)[1]
                before = numbers[row, 3 * left : 3 * (left + n)]
                for number in range(3 * n):
                    colour[number] = before[number]
                _change(colours, first, slope, share, levels, change)
                if luma[1] > 0:
                    _alike(change, luma)
                after = results[row, 3 * left : 3 * (left + n)]
                for number in range(3 * n):
                    value = min(max(colour[number] + change[number], low), high)
                    after[number] = value + levels[2]
        y = end


@compiled(inline="always")
def _place(number, scale, count):  # noqa: ANN001, ANN202
    """Where a pixel of the large photo lies in the small one: the pixel before, and how far on."""
    at = max((np.float32(number) + np.float32(0.5)) * scale - np.float32(0.5), np.float32(0))
    before = min(int(at), count - 1)
    return before, at - np.float32(before)


@compiled()
def _enlarge(field, above, left, n, across, first, slope):  # noqa: ANN001, ANN202
    """Enlarge a row of the field, and its distance to the row below, for ``n`` pixels."""
    tall, wide = field.shape[:2]
    upper, lower = field[above], field[min(above + 1, tall - 1)]
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


@compiled(fastmath={"contract", "reassoc", "nsz"})
def _change(colours, first, slope, share, levels, change):  # noqa: ANN001, ANN202
    """By how much each number of a row changes."""
    n = len(change)
    strength, white, _ = levels
    a, b, c = colours[:n], colours[1 : n + 1], colours[2 : n + 2]
    d, e = colours[3 : n + 3], colours[4 : n + 4]
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


@compiled()
def _alike(change, luma):  # noqa: ANN001, ANN202
    """Change all channels of a pixel alike."""
    for x in range(0, len(change), 3):
        alike = luma[0] * change[x] + luma[1] * change[x + 1] + luma[2] * change[x + 2]
        change[x] = change[x + 1] = change[x + 2] = alike

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

_FREE = np.float32(3e38)
"""A limit that is none."""


def painted(
    pixels: NDArray[Any],
    field: Field,
    strength: float = 1.0,
    grey: bool = False,
    white: int = 1,
) -> NDArray[Any]:
    """Change every colour as the field says of its place.

    Args:
        pixels: ``(H, W, 3)``, whole numbers or float32, C-contiguous.
        field: The maps, of colours from 0 to 1.
        strength: 0 changes nothing, 1 what the field says, clamped; beyond 1 exaggerates that.
        grey: Change all channels alike.
        white: The number of white in ``pixels``.

    Returns:
        The same shape and kind, within 0 and ``white``.
    """
    result = np.empty_like(pixels)
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
def _paint(  # noqa: ANN202  (one loop nest: split up, it is no longer fused)
    source,  # noqa: ANN001
    result,  # noqa: ANN001
    field,  # noqa: ANN001
    rows,  # noqa: ANN001
    levels,  # noqa: ANN001
    limits,  # noqa: ANN001
    luma,  # noqa: ANN001
):
    top, height = rows
    strength, white, half = levels
    low, high = limits
    grey = luma[1] > 0
    width = source.shape[1]
    tall, wide = field.shape[:2]
    down, across = np.float32(tall / height), np.float32(wide / width)
    first = np.empty((12, _BLOCK), np.float32)  # coefficients at the field's row above ...
    slope = np.empty((12, _BLOCK), np.float32)  # ... and how far it is to the row below
    colour = np.empty((3, _BLOCK), np.float32)
    change = np.empty((3, _BLOCK), np.float32)
    y = 0
    while y < len(source):
        above = _place(top + y, down, tall)[0]
        end = y + 1
        while end < len(source) and _place(top + end, down, tall)[0] == above:
            end += 1
        for left in range(0, width, _BLOCK):
            n = min(_BLOCK, width - left)
            _enlarge(field, above, left, n, across, first, slope)
            for row in range(y, end):
                share = _place(top + row, down, tall)[1]
                for x in range(n):
                    for channel in range(3):
                        colour[channel, x] = source[row, left + x, channel]
                for channel in range(3):
                    a, b = first[4 * channel :], slope[4 * channel :]
                    for x in range(n):
                        value = (
                            (a[0, x] + share * b[0, x]) * colour[0, x]
                            + (a[1, x] + share * b[1, x]) * colour[1, x]
                            + (a[2, x] + share * b[2, x]) * colour[2, x]
                            + (a[3, x] + share * b[3, x])
                        )
                        value = min(max(value, np.float32(0)), white)
                        change[channel, x] = strength * (value - colour[channel, x])
                if grey:
                    for x in range(n):
                        alike = (
                            luma[0] * change[0, x] + luma[1] * change[1, x] + luma[2] * change[2, x]
                        )
                        change[0, x] = change[1, x] = change[2, x] = alike
                for x in range(n):
                    for channel in range(3):
                        value = colour[channel, x] + change[channel, x]
                        result[row, left + x, channel] = min(max(value, low), high) + half
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
    below = min(above + 1, tall - 1)
    for x in range(n):
        before, share = _place(left + x, across, wide)
        after = min(before + 1, wide - 1)
        for number in range(12):
            one = field[above, before, number]
            one += share * (field[above, after, number] - one)
            other = field[below, before, number]
            other += share * (field[below, after, number] - other)
            first[number, x] = one
            slope[number, x] = other - one

"""At which size the networks see a photo."""

from __future__ import annotations

from typing import NamedTuple

STRIDE = 4
"""Factor by which the two stride-2 convolutions of PRNet reduce height and width (section 2.2)."""


class Shape(NamedTuple):
    """Height and width in pixels: the order of tensors and arrays.

    Attributes:
        height: Number of rows.
        width: Number of columns.
    """

    height: int
    width: int


def input_shape(shape: Shape, edge: int) -> Shape:
    """Return the shape at which the networks see a photo.

    Sides are rounded to multiples of PRNet's stride. Copies of a photo at several sizes, whose
    sides have already been rounded to whole pixels, then get the same shape.

    Args:
        shape: Height and width of the photo.
        edge: Greatest length of the longer edge in pixels.

    Returns:
        ``shape`` itself if it is small enough.
    """
    if max(shape) <= edge:
        return shape
    height, width = (max(1, round(side * edge / max(shape) / STRIDE)) * STRIDE for side in shape)
    return Shape(height, width)

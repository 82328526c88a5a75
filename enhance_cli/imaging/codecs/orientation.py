"""Turning pixels upright as EXIF's orientation asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ORIENTATION_TAG = 0x0112

_TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""The turn for each value of EXIF's Orientation; 1 is upright already."""


def upright(pixels: NDArray[Any], image: Image.Image) -> NDArray[Any]:
    """Turn the pixels of an opened image, ``(H, W, ...)``, as its EXIF orientation asks."""
    turn = _TURNS.get(image.getexif().get(ORIENTATION_TAG, 1))
    return np.ascontiguousarray(turn(pixels)) if turn else pixels

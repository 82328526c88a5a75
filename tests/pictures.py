"""Test images, and published color formulas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smooth(width: int, height: int) -> NDArray[np.uint8]:
    """Red rises to the right, green downwards, blue falls along the diagonal."""
    y, x = np.mgrid[0:height, 0:width]
    across, down = x / max(width - 1, 1), y / max(height - 1, 1)
    channels = np.stack([across, down, 1 - (across + down) / 2], axis=-1)
    return (30 + channels * 190).round().astype(np.uint8)


def scene(number: int = 0, width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """A smooth image, different for each ``number``."""
    y, x = np.mgrid[0:height, 0:width]
    draw = np.random.default_rng(number)
    waves = sum(
        np.sin(x * draw.uniform(-0.12, 0.12) + y * draw.uniform(-0.12, 0.12) + draw.uniform(0, 6))
        for _ in range(4)
    )
    tint = draw.uniform(0.7, 1.0, 3)
    return ((0.45 + 0.09 * waves)[..., None] * tint * 255).clip(8, 247).round().astype(np.uint8)


def srgb_to_linear(pixels: NDArray) -> NDArray:
    """Linear values of sRGB in [0, 1] (IEC 61966-2-1)."""
    return np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)


def srgb_to_prophoto(pixels: NDArray) -> NDArray[np.uint16]:
    """Convert sRGB in [0, 1] to 16-bit ProPhoto RGB."""
    # sRGB to XYZ (D50, Bradford), and XYZ to ROMM RGB, as published by Lindbloom.
    to_xyz = np.array([
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ])  # fmt: skip
    to_romm = np.array([
        [1.3459433, -0.2556075, -0.0511118],
        [-0.5445989, 1.5081673, 0.0205351],
        [0.0000000, 0.0000000, 1.2118128],
    ])  # fmt: skip
    romm = (srgb_to_linear(pixels) @ to_xyz.T @ to_romm.T).clip(0, 1)
    return (romm ** (1 / 1.8) * 65535).round().astype(np.uint16)


QUADRANTS = np.array([[[220, 30, 30], [30, 200, 30]], [[30, 30, 220], [230, 230, 230]]], np.uint8)
"""Red, green, blue and white, in the order of reading."""


def enlarged(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Every pixel as a square of ``factor`` x ``factor``."""
    return pixels.repeat(factor, 0).repeat(factor, 1)

"""Averages of blocks of pixels, the first step of downscaling large photos."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.jit import jit


def block_means(pixels: NDArray[Any], across: int, down: int) -> NDArray[Any]:
    """Average blocks of pixels, as Pillow's ``Image.reduce`` does, without copying the photo.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)``.
        across: Width of a block in pixels.
        down: Height of a block in pixels.

    Returns:
        The averages, of the same dtype; integers are rounded. Width and height are rounded up,
        since the blocks at the right and at the bottom may be partial.
    """
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim > 2 else 1
    shape = (-(-height // down), -(-width // across), channels)
    means = np.empty(shape, pixels.dtype)
    half = 0.5 if np.issubdtype(pixels.dtype, np.integer) else 0.0
    source = np.ascontiguousarray(pixels).reshape(height, width * channels)
    _block_means(source, means, across, down, np.float32(half))
    return means if pixels.ndim > 2 else means[..., 0]


@jit()
def _block_means(source, means, across, down, half):  # noqa: ANN001, ANN202
    height = source.shape[0]
    tall, wide, channels = means.shape
    width = source.shape[1] // channels
    sums = np.empty(source.shape[1], np.float32)
    for y in range(tall):
        top, bottom = y * down, min((y + 1) * down, height)
        sums[:] = 0
        for row in range(top, bottom):
            for number in range(source.shape[1]):
                sums[number] += source[row, number]
        for x in range(wide):
            left, right = x * across, min((x + 1) * across, width)
            count = np.float32((bottom - top) * (right - left))
            for channel in range(channels):
                total = np.float32(0)
                for column in range(left, right):
                    total += sums[column * channels + channel]
                means[y, x, channel] = total / count + half

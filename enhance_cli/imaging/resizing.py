"""Photos made smaller."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def fitted(size: tuple[int, int], long_edge: int | None) -> tuple[int, int]:
    """Width and height with a longer edge of ``long_edge``; nothing is enlarged."""
    width, height = size
    longest = max(width, height)
    if long_edge is None or longest <= long_edge:
        return width, height
    scale = long_edge / longest
    return max(1, round(width * scale)), max(1, round(height * scale))


def resize_image(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize with Lanczos' filter, after a fast reduction where much is to go."""
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def resize_pixels(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Resize with Lanczos' filter in the precision that the pixels have.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)``, uint8 or uint16 in their full range, or floats in
            [0, 1].
        size: Width and height.
    """
    if pixels.shape[1::-1] == size:
        return pixels
    if pixels.dtype == np.uint8:
        return np.asarray(resize_image(Image.fromarray(pixels), size))
    if pixels.ndim == 2:
        return _resize_channel(pixels, size)
    # Channel by channel: a 45-megapixel photo as floats would take half a gigabyte.
    channels = [_resize_channel(channel, size) for channel in np.moveaxis(pixels, 2, 0)]
    return np.stack(channels, axis=2)


def _resize_channel(channel: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    whole = np.issubdtype(channel.dtype, np.integer)
    white = np.iinfo(channel.dtype).max if whole else 1
    values = resize_image(Image.fromarray(np.ascontiguousarray(channel, np.float32)), size)
    result = np.asarray(values).clip(0, white)
    return result.round().astype(channel.dtype) if whole else result

"""Photos made smaller."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.imaging.compiling import compiled

GAP = 3.0
"""How much larger than its result a picture stays at least when whole blocks of pixels are averaged
first: Lanczos' filter then sees all that it would keep."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of a picture, in pixels."""


def white_of(kind: np.dtype) -> int:
    """The number of white in pixels of this kind."""
    return int(np.iinfo(kind).max) if np.issubdtype(kind, np.integer) else 1


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
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=GAP)


def resize_pixels(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Resize like :func:`resize_image`, in the precision that the pixels have.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)``, uint8 or uint16 in their full range, or floats in
            [0, 1].
        size: Width and height.
    """
    if pixels.shape[1::-1] == size:
        return pixels
    pixels, box = _reduced(pixels, size)
    if pixels.dtype == np.uint8:
        image = Image.fromarray(pixels)
        return np.asarray(image.resize(size, Image.Resampling.LANCZOS, box))
    if pixels.ndim == 2:
        return _resize_channel(pixels, size, box)
    return _resize_channels(pixels, size, box)


def resize_unrounded(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize ``(H, W, 3)`` pixels like :func:`resize_pixels`, to floats in [0, 1].

    What is carried up to a large photo must not depend on how a small one was rounded.
    """
    pixels, box = _reduced(pixels, size)
    floats = pixels.astype(np.float32) / np.float32(white_of(pixels.dtype))
    return _resize_channels(floats, size, box)


def _reduced(pixels: NDArray[Any], size: tuple[int, int]) -> tuple[NDArray[Any], Box]:
    """A fast reduction where much is to go, and the part of the result that is the photo."""
    height, width = pixels.shape[:2]
    across, down = (max(1, int(n / m / GAP)) for n, m in zip((width, height), size, strict=True))
    # What is left of a block at the right or below counts for its share.
    box = (0, 0, width / across, height / down)
    return (block_means(pixels, across, down) if across > 1 or down > 1 else pixels), box


def _resize_channels(pixels: NDArray[Any], size: tuple[int, int], box: Box) -> NDArray[Any]:
    return np.stack([_resize_channel(one, size, box) for one in np.moveaxis(pixels, 2, 0)], axis=2)


def _resize_channel(channel: NDArray[Any], size: tuple[int, int], box: Box) -> NDArray[Any]:
    whole, white = np.issubdtype(channel.dtype, np.integer), white_of(channel.dtype)
    image = Image.fromarray(np.ascontiguousarray(channel, np.float32))
    result = np.asarray(image.resize(size, Image.Resampling.LANCZOS, box)).clip(0, white)
    return result.round().astype(channel.dtype) if whole else result


def block_means(pixels: NDArray[Any], across: int, down: int) -> NDArray[Any]:
    """Average blocks of pixels, as Pillow's ``Image.reduce`` does, but without a copy before.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)``.
        across: Width of a block.
        down: Its height.

    Returns:
        The same kind, its sides rounded up: at the right and below, blocks may be smaller.
    """
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim > 2 else 1
    shape = (-(-height // down), -(-width // across), channels)
    means = np.empty(shape, pixels.dtype)
    half = 0.5 if np.issubdtype(pixels.dtype, np.integer) else 0.0
    source = np.ascontiguousarray(pixels).reshape(height, width * channels)
    _block_means(source, means, across, down, np.float32(half))
    return means if pixels.ndim > 2 else means[..., 0]


@compiled()
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

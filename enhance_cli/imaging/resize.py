"""Downscaling photos."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Resampling

REDUCING_GAP = 3.0
"""Before the Lanczos filter, blocks of pixels are averaged, as long as the photo stays this many
times larger than the result. The filter then still sees all detail that it would keep (Pillow's
``reducing_gap``)."""


class Size(NamedTuple):
    """Width and height in pixels, in the order of image files."""

    width: int
    height: int


def size_of(pixels: NDArray[Any]) -> Size:
    """The size of an ``(H, W, ...)`` array."""
    return Size(pixels.shape[1], pixels.shape[0])


def max_value(dtype: np.dtype) -> int:
    """The value of white in pixels of this dtype: 255, 65535 or 1."""
    return int(np.iinfo(dtype).max) if np.issubdtype(dtype, np.integer) else 1


def fit_within(size: tuple[int, int], long_edge: int | None) -> Size:
    """Scale a size down to a longer edge of ``long_edge``, keeping the aspect ratio.

    Args:
        size: Width and height in pixels.
        long_edge: Longer edge in pixels; None, or more than the size has, keeps the size.
    """
    width, height = size
    longest = max(width, height)
    if long_edge is None or longest <= long_edge:
        return Size(width, height)
    scale = long_edge / longest
    return Size(max(1, round(width * scale)), max(1, round(height * scale)))


def resize_image(image: Image.Image, size: Size) -> Image.Image:
    """Resize a Pillow image with the Lanczos filter, fast even if it is much larger."""
    if image.size == size:
        return image
    return image.resize(size, Resampling.LANCZOS, reducing_gap=REDUCING_GAP)


def resize_pixels(
    pixels: NDArray[Any], size: Size, alpha: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Resize like :func:`resize_image`, in the precision of the pixels.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)``, uint8 or uint16 in their full range, or floats in
            [0, 1].
        size: Width and height of the result.
        alpha: Opacity of the pixels, ``(H, W)``, by which they are not multiplied. The color of
            transparent ones then does not count.
    """
    if size_of(pixels) == size:
        return pixels
    resized = _resize(pixels, size) if alpha is None else _resize_by_opacity(pixels, alpha, size)
    np.clip(resized, 0, max_value(pixels.dtype), out=resized)
    if np.issubdtype(pixels.dtype, np.integer):
        np.rint(resized, out=resized)
    return resized.astype(pixels.dtype, copy=False)


def resize_unrounded(
    pixels: NDArray[Any], size: Size, resampling: Resampling = Resampling.LANCZOS
) -> NDArray[np.float32]:
    """Resize like :func:`resize_pixels`, without rounding the result.

    The retouch of a large photo must not depend on how its small copy was rounded.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)``, uint8 or uint16 in their full range, or floats in
            [0, 1].
        size: Width and height of the result.
        resampling: Filter of Pillow's: ``BILINEAR`` or ``LANCZOS``.

    Returns:
        Pixels in [0, 1].
    """
    white = max_value(pixels.dtype)
    if size_of(pixels) == size:
        return pixels.astype(np.float32) / np.float32(white)
    resized = _resize(pixels, size, resampling)
    resized /= np.float32(white)
    return np.clip(resized, 0, 1, out=resized)


def _resize_by_opacity(
    pixels: NDArray[Any], alpha: NDArray[Any], size: Size
) -> NDArray[np.float32]:
    """Resize pixels, each of which counts as much as it is opaque; the result is not clipped."""
    least = np.float32(1e-6 * max_value(alpha.dtype))
    opacity = np.maximum(_resize(alpha.astype(np.float32), size), least)
    channels = np.atleast_3d(pixels)
    resized = np.empty((*opacity.shape, channels.shape[2]), np.float32)
    for number in range(channels.shape[2]):  # one at a time, to save memory
        weighted = np.multiply(channels[..., number], alpha, dtype=np.float32)
        resized[..., number] = _resize(weighted, size) / opacity
    return resized.reshape(*opacity.shape, *pixels.shape[2:])


def _resize(
    pixels: NDArray[Any], size: Size, resampling: Resampling = Resampling.LANCZOS
) -> NDArray[np.float32]:
    """Resize ``(H, W)`` or ``(H, W, C)`` pixels; the result has their units, and is not clipped."""
    # Late: Numba takes long to import.
    from enhance_cli.imaging.resample import block_means, resample

    blocks = np.atleast_3d(pixels)
    height, width = blocks.shape[:2]
    across, down = (
        max(1, int(n / m / REDUCING_GAP)) for n, m in zip((width, height), size, strict=True)
    )
    # The last blocks may be partial.
    box = (0.0, 0.0, width / across, height / down)
    if (across, down) != (1, 1):
        blocks = block_means(blocks, across, down)
    resized = resample(blocks, size, box, resampling)
    return resized.reshape(*resized.shape[:2], *pixels.shape[2:])

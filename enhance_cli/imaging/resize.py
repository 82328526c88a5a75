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


def resize_pixels(pixels: NDArray[Any], size: Size) -> NDArray[Any]:
    """Resize like :func:`resize_image`, in the precision of the pixels.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)``, uint8 or uint16 in their full range, or floats in
            [0, 1].
        size: Width and height of the result.
    """
    if size_of(pixels) == size:
        return pixels
    channels = pixels[..., None] if pixels.ndim == 2 else pixels
    resized = _resize(channels, size, Resampling.LANCZOS)
    if np.issubdtype(pixels.dtype, np.integer):
        np.rint(resized, out=resized)
    return resized.astype(pixels.dtype, copy=False).reshape(*resized.shape[:2], *pixels.shape[2:])


def resize_unrounded(
    pixels: NDArray[Any], size: Size, resampling: Resampling = Resampling.LANCZOS
) -> NDArray[np.float32]:
    """Resize like :func:`resize_pixels`, without rounding the result.

    The retouch of a large photo must not depend on how its small copy was rounded.

    Args:
        pixels: ``(H, W, C)``, uint8 or uint16 in their full range, or floats in [0, 1].
        size: Width and height of the result.
        resampling: Filter of Pillow's: ``BILINEAR`` or ``LANCZOS``.

    Returns:
        ``(size.height, size.width, C)`` in [0, 1].
    """
    white = max_value(pixels.dtype)
    if size_of(pixels) == size:
        return pixels.astype(np.float32) / np.float32(white)
    resized = _resize(pixels, size, resampling)
    resized /= np.float32(white)
    return resized


def _resize(pixels: NDArray[Any], size: Size, resampling: Resampling) -> NDArray[np.float32]:
    """Resize ``(H, W, C)`` pixels; the result is in their range."""
    # Late: Numba takes long to import.
    from enhance_cli.imaging.resample import block_means, resample

    height, width = pixels.shape[:2]
    across, down = (
        max(1, int(n / m / REDUCING_GAP)) for n, m in zip((width, height), size, strict=True)
    )
    # The last blocks may be partial.
    box = (0.0, 0.0, width / across, height / down)
    blocks = pixels if across == down == 1 else block_means(pixels, across, down)
    resized = resample(blocks, size, box, resampling)
    return np.clip(resized, 0, max_value(pixels.dtype), out=resized)

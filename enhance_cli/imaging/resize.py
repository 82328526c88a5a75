"""Downscaling photos."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.Image import Resampling

REDUCING_GAP = 3.0
"""Before the Lanczos filter, blocks of pixels are averaged, as long as the photo stays this many
times larger than the result. The filter then still sees all detail that it would keep (Pillow's
``reducing_gap``)."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of an image, in pixels."""


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
    pixels, box = _reduced(pixels, size)
    if pixels.dtype == np.uint8:
        if box == (0, 0, *size_of(pixels)) and _torch_has_lanczos():
            return _resize_bytes(pixels, size)
        image = Image.fromarray(pixels)
        return np.asarray(image.resize(size, Resampling.LANCZOS, box))
    if pixels.ndim == 2:
        return _resize_channel(pixels, size, box)
    return _resize_channels(pixels, size, box, Resampling.LANCZOS)


def resize_unrounded(
    pixels: NDArray[Any], size: Size, resampling: Resampling = Resampling.LANCZOS
) -> NDArray[np.float32]:
    """Resize like :func:`resize_pixels`, without rounding the result.

    The retouch of a large photo must not depend on how its small copy was rounded.

    Args:
        pixels: ``(H, W, C)``, uint8 or uint16 in their full range, or floats in [0, 1].
        size: Width and height of the result.
        resampling: Filter of Pillow's.

    Returns:
        ``(size.height, size.width, C)`` in [0, 1].
    """
    pixels, box = _reduced(pixels, size)
    floats = pixels.astype(np.float32)
    floats /= np.float32(max_value(pixels.dtype))
    return _resize_channels(floats, size, box, resampling)


def _reduced(pixels: NDArray[Any], size: Size) -> tuple[NDArray[Any], Box]:
    """Average blocks of pixels if the photo is much larger than ``size``.

    Returns:
        The averages, and the part of them that the photo covers: the last blocks may be partial.
    """
    height, width = pixels.shape[:2]
    across, down = (
        max(1, int(n / m / REDUCING_GAP)) for n, m in zip((width, height), size, strict=True)
    )
    box = (0, 0, width / across, height / down)
    if across == down == 1:
        return pixels, box
    from enhance_cli.imaging.block_means import block_means  # late: Numba takes long to import

    return block_means(pixels, across, down), box


def _resize_bytes(pixels: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Resize bytes with PyTorch: the same as Pillow, a level here and there apart, and much faster.

    PyTorch is imported late: a command that decodes no photo does without it.
    """
    import torch
    from torch.nn import functional as F

    planes = pixels[..., None] if pixels.ndim == 2 else pixels
    batch = torch.from_numpy(np.require(planes, requirements="W")).permute(2, 0, 1)[None]
    shape = size.height, size.width
    resized = F.interpolate(batch, shape, mode="lanczos", antialias=True)[0].permute(1, 2, 0)
    return np.ascontiguousarray(resized.numpy().reshape(*shape, *pixels.shape[2:]))


@cache
def _torch_has_lanczos() -> bool:
    """Whether PyTorch has the Lanczos filter: 2.13 has it."""
    try:
        _resize_bytes(np.zeros((2, 2), np.uint8), Size(1, 1))
    except (NotImplementedError, ValueError):
        return False
    return True


def _resize_channels(
    pixels: NDArray[Any], size: Size, box: Box, resampling: Resampling
) -> NDArray[Any]:
    channels = (_resize_channel(one, size, box, resampling) for one in np.moveaxis(pixels, 2, 0))
    return np.stack(list(channels), axis=2)


def _resize_channel(
    channel: NDArray[Any],
    size: Size,
    box: Box,
    resampling: Resampling = Resampling.LANCZOS,
) -> NDArray[Any]:
    integers, white = np.issubdtype(channel.dtype, np.integer), max_value(channel.dtype)
    image = Image.fromarray(np.ascontiguousarray(channel, np.float32))
    result = np.asarray(image.resize(size, resampling, box)).clip(0, white)
    return result.round().astype(channel.dtype) if integers else result

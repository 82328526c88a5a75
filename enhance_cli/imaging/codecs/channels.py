"""A photo's channels as PNG and TIFF files store them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.photo import Photo, convert_dtype

_BYTE, _MAX_BYTE = 8, 255


def wants_sixteen_bits(photo: Photo, encoding: Encoding) -> bool:
    """Whether to store a photo with 16 bits per channel."""
    if encoding.bits is None:
        return photo.max_value > _MAX_BYTE
    return encoding.bits > _BYTE


def stored_channels(photo: Photo, dtype: np.dtype) -> NDArray[Any]:
    """Join the channels that a file has to store: RGB or grey, and opacity if there is any.

    Args:
        photo: The photo.
        dtype: uint8 or uint16.

    Returns:
        A contiguous array of this dtype: ``(H, W)`` for a grey photo without opacity, else
        ``(H, W, C)`` with 2, 3 or 4 channels.
    """
    color = convert_dtype(photo.pixels, dtype)
    parts = [color[..., :1] if photo.grey else color]
    if photo.alpha is not None:
        parts.append(convert_dtype(photo.alpha, dtype)[..., None])
    joined = np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0]
    return np.ascontiguousarray(joined[..., 0] if joined.shape[2] == 1 else joined)

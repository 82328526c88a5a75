"""libwebp's incremental decoder, which tells how much of a file a picture needs.

No package offers it, so it is called in the library that Pillow has loaded. Where that cannot be
(on Windows, the library is a part of Pillow that shows nothing of itself) there is no such decoder.
"""

from __future__ import annotations

import ctypes
import importlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

_COLOR_MODES = {"RGB": 0, "RGBA": 1}
"""Pillow's modes, and their numbers in WEBP_CSP_MODE (libwebp's decode.h)."""

_OK, _SUSPENDED = 0, 5
"""Of VP8StatusCode: the picture is complete, and it needs more data."""

_LAST = 16
"""Bytes at the end of the data without which the picture must not be complete. Encoders fill the
last byte or two."""


def decode_to_the_end(
    content: bytes, end: int, size: tuple[int, int], mode: str
) -> NDArray[np.uint8] | None:
    """Decode a picture that needs its data up to the end.

    Args:
        content: The file.
        end: Where its pixel data end.
        size: Width and height.
        mode: Pillow's mode of the pixels, RGB or RGBA.

    Returns:
        ``(H, W, C)``; None if the picture is complete before the end or is never complete, if there
        are several, or if there is no such decoder.
    """
    library = _library()
    if library is None or mode not in _COLOR_MODES:
        return None
    width, height = size
    pixels = np.empty((height, width, len(mode)), np.uint8)
    decoder = library.WebPINewRGB(
        _COLOR_MODES[mode], pixels.ctypes.data, pixels.nbytes, pixels.strides[0]
    )
    try:
        for known, expected in ((end - _LAST, _SUSPENDED), (end, _OK)):
            if library.WebPIUpdate(decoder, content, known) != expected:
                return None
    finally:
        library.WebPIDelete(decoder)
    return pixels


@cache
def _library() -> ctypes.CDLL | None:
    """Pillow's libwebp; None if it does not show its functions."""
    try:
        library = ctypes.CDLL(importlib.import_module("PIL._webp").__file__)
        library.WebPINewRGB.argtypes = (
            ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
        )  # fmt: skip
        library.WebPINewRGB.restype = ctypes.c_void_p
        library.WebPIUpdate.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
        library.WebPIDelete.argtypes = (ctypes.c_void_p,)
        library.WebPIDelete.restype = None
    except (AttributeError, ImportError, OSError, TypeError):
        return None
    return library

"""From a file to a photo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import rawpy
from PIL import Image

from enhance_cli.config import MAX_PIXELS
from enhance_cli.errors import PhotoError
from enhance_cli.imaging.bitmaps import decode_bitmap
from enhance_cli.imaging.formats import is_raw
from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.raw import decode_raw


def decode(
    path: Path,
    long_edge: int | None = None,
    max_pixels: int = MAX_PIXELS,
    admit: Callable[[int], None] = lambda _pixels: None,
) -> Photo:
    """Read a photo: a camera RAW, or any bitmap that Pillow reads.

    EXIF orientation is applied. RAW files are developed with the camera's white balance and without
    automatic brightening. Pictures of 9 to 16 bits a channel keep them.

    Args:
        path: The file.
        long_edge: Longer edge of the result, in pixels; a smaller photo keeps its size.
        max_pixels: A photo with more is refused.
        admit: Told how many pixels will be in memory, before they are read; it may wait.

    Raises:
        PhotoError: The file cannot be read as a photo.
    """
    try:
        read = decode_raw if is_raw(path) else decode_bitmap
        return read(path, long_edge, max_pixels, admit)
    except PhotoError:
        raise
    except MemoryError as problem:
        raise PhotoError(f"{path}: too large for this machine's memory") from problem
    # A damaged file makes the codecs raise whatever they please, from SyntaxError to struct.error.
    except Exception as problem:
        raise PhotoError(f"{path}: {_reason(path, problem)}") from problem


def _reason(path: Path, problem: Exception) -> str:
    if isinstance(problem, FileNotFoundError):
        return "the file is not there"
    if isinstance(problem, PermissionError):
        return "reading it is not permitted"
    if path.stat().st_size == 0:
        return "the file is empty"
    if isinstance(problem, Image.UnidentifiedImageError | rawpy.LibRawFileUnsupportedError):
        return "not a photo, or of a kind that cannot be read"
    return f"damaged or not a photo ({str(problem).strip() or type(problem).__name__})"

"""Reading WebP, and telling whether one is lossless, and whether it is damaged."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from enhance_cli.imaging.codecs.open_image import open_image
from enhance_cli.imaging.codecs.pillow_image import photo_from_decoded, photo_from_image
from enhance_cli.imaging.codecs.stored_image import SEVERAL_IMAGES
from enhance_cli.imaging.codecs.webp.decoder import decode_to_the_end
from enhance_cli.imaging.containers.riff import FIRST_CHUNK, Chunk, riff_chunks
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.file_limits import refuse_costly_file
from enhance_cli.imaging.photo import Photo, refuse_too_many_pixels

_LAST, _CHANGE, _LEAST = 64, 0x5A, 256
"""How many bytes are changed, and how, in chunks of at least so many bytes."""

_FRAME_HEADER = 16
"""Bytes of a frame of an animation in front of its own chunks."""


def is_webp(signature: bytes) -> bool:
    """Whether the first bytes of a file are those of a WebP."""
    return signature.startswith(b"RIFF") and signature[8:12] == b"WEBP"


def read_webp(
    path: Path, long_edge: int | None, max_pixels: int, reserve: Callable[[int], None]
) -> Photo:
    """Read a WebP; of an animation, its first picture.

    Args:
        path: The file.
        long_edge: As in :func:`enhance_cli.imaging.codecs.decode.decode`.
        max_pixels: Largest number of pixels that a file may have.
        reserve: Called with the number of pixels before they are read into memory.
    """
    content, warnings = path.read_bytes(), list[str]()
    with open_image(path, content) as image:
        refuse_too_many_pixels(path, image.size, max_pixels)
        refuse_costly_file(path, image)
        if getattr(image, "is_animated", False):
            warnings.append(SEVERAL_IMAGES)
        reserve(math.prod(image.size))
        chunk = _pixels_in(Source(content))
        photo = _read_pixels(path, content, chunk, image, long_edge, warnings)
        return replace(photo, lossless=chunk is not None and chunk.name == b"VP8L")


def _read_pixels(
    path: Path,
    content: bytes,
    chunk: Chunk | None,
    image: Image.Image,
    long_edge: int | None,
    warnings: list[str],
) -> Photo:
    """Read an opened WebP, and refuse one of which only a part makes the whole picture.

    libwebp notices data that end too early. It does not notice data that it leaves over: the
    picture was damaged before. Opacity that is compressed by itself is not checked.

    Raises:
        ValueError: It is damaged.
    """
    if chunk is None or chunk.end - chunk.start < _LEAST:
        return photo_from_image(image, long_edge, warnings)
    pixels = decode_to_the_end(content, chunk.end, image.size, image.mode)
    if pixels is not None:
        return photo_from_decoded(pixels, image, long_edge, warnings)
    if not _needs_end(path, content, chunk, image):
        raise ValueError("the pixel data do not fit the picture")
    return photo_from_image(image, long_edge, warnings)


def _needs_end(path: Path, content: bytes, chunk: Chunk, image: Image.Image) -> bool:
    """Whether any pixel changes with the last bytes of the pixel data.

    Args:
        path: The file.
        content: Its content.
        chunk: Its pixel data.
        image: The same file, opened by Pillow.
    """
    changed = bytearray(content)
    last = slice(chunk.end - _LAST, chunk.end)
    changed[last] = bytes(byte ^ _CHANGE for byte in changed[last])
    try:
        with open_image(path, bytes(changed)) as opened:
            after = np.asarray(opened)
    except (OSError, ValueError, EOFError, SyntaxError):
        return True
    return not np.array_equal(np.asarray(image), after)


def _pixels_in(source: Source, start: int = FIRST_CHUNK, end: int | None = None) -> Chunk | None:
    """The chunk of the first picture's pixels; None if there is none."""
    for chunk in riff_chunks(source, start, end):
        if chunk.name in {b"VP8 ", b"VP8L"}:
            return chunk
        if chunk.name == b"ANMF":
            return _pixels_in(source, chunk.start + _FRAME_HEADER, chunk.end)
    return None

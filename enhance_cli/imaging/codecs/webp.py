"""Writing WebP, and telling whether one is lossless, and whether it is damaged."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.open_image import open_image
from enhance_cli.imaging.codecs.pillow_image import image_from_photo, save_image
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.photo import Photo

_EFFORT = 75
"""Of lossless compression, from 0 to 100; more takes twice the time for a percent of the size."""


_LAST, _CHANGE, _LEAST = 64, 0x5A, 256
"""How many bytes are changed, and how, in chunks of at least so many bytes."""


class _Chunk(NamedTuple):
    """A chunk of a WebP: its name, and where its content lies."""

    name: bytes
    start: int
    length: int


def is_lossless_webp(path: Path) -> bool:
    """Whether the pixels of a WebP are compressed without loss (WebP Container Specification)."""
    chunk = _pixels_in(path.read_bytes())
    return chunk is not None and chunk.name == b"VP8L"


def check_webp(path: Path, image: Image.Image) -> None:
    """Refuse a WebP of which only a part makes the whole picture: it is damaged before.

    libwebp notices data that end too early. It does not notice data that it leaves over, so the
    last of them are changed: if no pixel changes, they were not read. Opacity that is compressed
    by itself is not checked.

    Args:
        path: The file.
        image: The same file, opened by Pillow.

    Raises:
        ValueError: It is damaged.
    """
    content = bytearray(path.read_bytes())
    chunk = _pixels_in(bytes(content))
    if chunk is None or chunk.length < _LEAST:
        return
    last = slice(chunk.start + chunk.length - _LAST, chunk.start + chunk.length)
    content[last] = bytes(byte ^ _CHANGE for byte in content[last])
    try:
        with open_image(path, bytes(content)) as changed:
            after = np.asarray(changed)
    except (OSError, ValueError, EOFError, SyntaxError):
        return  # the last bytes matter
    if np.array_equal(np.asarray(image), after):
        raise ValueError("the pixel data do not fit the picture")


def _pixels_in(content: bytes) -> _Chunk | None:
    """The chunk of the first picture's pixels; None if there is none."""
    at = 12
    while at + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, at)
        if name in {b"VP8 ", b"VP8L"}:
            return _Chunk(name, at + 8, min(length, len(content) - at - 8))
        if name == b"ANMF":  # a frame: its chunks follow 16 bytes
            length = 16
        at += 8 + length + length % 2
    return None


def write_webp(photo: Photo, path: Path, encoding: Encoding, metadata: Metadata) -> None:
    """Write a WebP file of 8 bits per channel, lossless if the photo comes from such a WebP."""
    options: dict[str, Any] = {"icc_profile": photo.icc_profile, "quality": encoding.quality}
    if photo.lossless:
        # Here, the quality is the effort; exact keeps the colors under transparent pixels.
        options |= {"lossless": True, "quality": _EFFORT, "exact": True}
    if metadata.exif_block:
        options["exif"] = metadata.exif_block
    if metadata.xmp:
        options["xmp"] = metadata.xmp
    save_image(image_from_photo(photo), path, "WEBP", **options)

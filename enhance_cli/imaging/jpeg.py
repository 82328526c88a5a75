"""Large JPEGs between file and array, without the copies that Pillow makes on the way.

The decoder and the encoder are the same, libjpeg-turbo, and so are the pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_COMMENT, _FIRST_APP, _LAST_APP = 0xFE, 0xE0, 0xEF


def read_jpeg(path: Path) -> NDArray[np.uint8] | None:
    """Decode a JPEG in colour.

    Returns:
        ``(H, W, 3)``, not turned; None where Pillow had better look at it.
    """
    content = path.read_bytes()
    # This decoder makes grey of what is missing at the end, and says nothing.
    if not _is_whole(content):
        return None
    try:
        pixels = imagecodecs.jpeg8_decode(content)
    except (imagecodecs.Jpeg8Error, ValueError):
        return None
    return pixels if pixels.ndim == 3 and pixels.shape[2] == 3 else None


def jpeg_bytes(pixels: NDArray[np.uint8], quality: int, subsampling: str, **blocks: Any) -> bytes:
    """Encode ``(H, W, 3)`` pixels.

    Args:
        pixels: In colour.
        quality: 1 to 100.
        subsampling: ``"4:4:4"``, ``"4:2:2"`` or ``"4:2:0"``.
        blocks: Metadata, as options of Pillow's.
    """
    small = BytesIO()
    Image.new("RGB", (1, 1)).save(small, "JPEG", **blocks)
    told = b"".join(part for name, part in _segments(small.getvalue()) if _tells(name))
    encoded = bytes(
        imagecodecs.jpeg8_encode(pixels, level=quality, subsampling=subsampling.replace(":", ""))
    )
    own = sum(len(part) for name, part in _segments(encoded) if _tells(name))
    return encoded[:2] + told + encoded[2 + own :]


def _tells(name: int) -> bool:
    return name == _COMMENT or _FIRST_APP <= name <= _LAST_APP


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The segments before the pixels, each with its marker (ITU-T T.81, B.1.1)."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        name = content[at + 1]
        length = 2 + struct.unpack_from(">H", content, at + 2)[0]
        yield name, content[at : at + length]
        if name == _SOS:
            return
        at += length


def _is_whole(content: bytes) -> bool:
    """Whether the pixels are followed by the marker that ends a picture."""
    if content[:2] != bytes((0xFF, _SOI)):
        return False
    segments = list(_segments(content))
    if not segments or segments[-1][0] != _SOS:
        return False
    start = 2 + sum(len(part) for _, part in segments)
    after = np.frombuffer(content, np.uint8, offset=start)
    marks = np.flatnonzero(after[:-1] == 0xFF)
    return bool((after[marks + 1] == _EOI).any())

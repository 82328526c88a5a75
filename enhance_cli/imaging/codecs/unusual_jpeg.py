"""JPEGs that Pillow does not open as they are: without their end, or with more than 8 bits."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.imaging.codecs.levels import full_range

JPEG_SIGNATURE = b"\xff\xd8"

_END = b"\xff\xd9"
_FILLING = bytes(range(1, 255)) * 4
"""Stands for missing pixels. It differs from what the decoder puts there."""

_LAST_BLOCKS = 32
"""Rows of pixels that may be missing: the last row of blocks, and one that is smoothed with it."""

_SCAN = b"\xff\xda"

_SEARCHED = 4096
"""Bytes at the end of a file in which its end marker is looked for first."""

_BITS = 8
_START_OF_SCAN, _COMMENT = 0xDA, 0xFE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_APPLICATIONS = range(0xE0, 0xF0)
"""Markers (ITU-T T.81, table B.1)."""


class DeepJpeg(NamedTuple):
    """A JPEG with 9 to 16 bits per channel.

    Attributes:
        size: Width and height.
        bits: Bits per channel.
        header: A JPEG of one pixel with the same profile and metadata.
    """

    size: tuple[int, int]
    bits: int
    header: bytes


def deep_jpeg(path: Path) -> DeepJpeg | None:
    """Look at the header of a JPEG; None if it has 8 bits per channel."""
    pixel = BytesIO()
    Image.new("RGB", (1, 1)).save(pixel, "JPEG")
    with path.open("rb") as file:
        frame, kept = _read_header(file)
    if frame is None or not _BITS < frame[0] <= 2 * _BITS:
        return None
    header = JPEG_SIGNATURE + kept + pixel.getvalue().removeprefix(JPEG_SIGNATURE)
    return DeepJpeg((frame[2], frame[1]), frame[0], header)


def read_deep_jpeg(path: Path, deep: DeepJpeg) -> NDArray[np.uint16]:
    """Decode a JPEG with all its bits.

    Returns:
        ``(H, W)`` or ``(H, W, C)``, not turned upright, over the full range.
    """
    content = path.read_bytes()
    if _END not in content[-_SEARCHED:]:
        raise ValueError("the file is cut short")
    return full_range(imagecodecs.jpeg8_decode(content), deep.bits)


def completed_jpeg(path: Path) -> bytes | None:
    """Complete a JPEG that lacks only its end: the marker, or some of the last pixels too.

    Returns:
        The content with an end. None if the file has one, or lacks more.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _SEARCHED))
        if _END in file.read():
            return None
    content = path.read_bytes().removesuffix(_END[:1])
    if _END in content[content.rfind(_SCAN) :]:
        return None
    try:
        pixels = imagecodecs.jpeg8_decode(content + _END)
        filled = imagecodecs.jpeg8_decode(content + _FILLING + _END)
    except (imagecodecs.Jpeg8Error, ValueError):
        return None
    # Where pixels are missing, they depend on what stands in their place.
    whole = np.array_equal(pixels[:-_LAST_BLOCKS], filled[:-_LAST_BLOCKS])
    return content + _END if whole else None


def _read_header(file: IO[bytes]) -> tuple[tuple[int, int, int] | None, bytes]:
    """Read the segments in front of the pixels.

    Returns:
        Precision, height and width, if there are any, and the segments with profile and metadata.
    """
    frame, kept = None, []
    at = file.seek(len(JPEG_SIGNATURE))
    while len(start := file.read(4)) == 4 and start[0] == 0xFF:
        marker, length = start[1], struct.unpack(">H", start[2:])[0]
        if marker in _FRAMES:
            frame = struct.unpack(">BHH", file.read(5).ljust(5, b"\0"))
        elif marker == _COMMENT or marker in _APPLICATIONS:
            kept.append(start + file.read(length - 2))
        elif marker == _START_OF_SCAN:
            break
        at = file.seek(at + 2 + length)
    return frame, b"".join(kept)

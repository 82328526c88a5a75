"""JPEGs with more than 8 bits per channel, which Pillow does not open."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
from PIL import Image

from enhance_cli.imaging.codecs.damaged_jpeg import mend_jpeg
from enhance_cli.imaging.codecs.levels import full_range
from enhance_cli.imaging.codecs.stored_image import StoredImage
from enhance_cli.imaging.containers.jpeg_segments import (
    FRAMES,
    SIGNATURE,
    is_metadata,
    jpeg_segments,
)
from enhance_cli.imaging.containers.source import Source

_BITS, _INKS = 8, 4


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
        frame, kept = _read_header(Source(file))
    if frame is None or not _BITS < frame[0] <= 2 * _BITS:
        return None
    header = SIGNATURE + kept + pixel.getvalue().removeprefix(SIGNATURE)
    return DeepJpeg((frame[2], frame[1]), frame[0], header)


def read_deep_jpeg(path: Path, deep: DeepJpeg, warnings: list[str]) -> StoredImage:
    """Decode a JPEG with all its bits.

    Args:
        path: The file.
        deep: What its header says.
        warnings: Gets a line if its end is missing.

    Returns:
        Grey, RGB or inks, uint16 over the full range, not turned upright.

    Raises:
        ValueError: More than the end is missing, or much of the picture is wrong.
    """
    content = mend_jpeg(path.read_bytes(), "", warnings)
    levels = full_range(imagecodecs.jpeg8_decode(content), deep.bits)
    if levels.ndim == 3 and levels.shape[2] == _INKS:
        # As with 8 bits, the paper that is left is stored.
        return StoredImage(np.invert(levels), "cmyk")
    return StoredImage.of(levels)


def _read_header(source: Source) -> tuple[tuple[int, int, int] | None, bytes]:
    """Read the segments in front of the pixels.

    Returns:
        Precision, height and width, if there are any, and the segments with profile and metadata.
    """
    frame, kept = None, []
    for segment in jpeg_segments(source):
        if segment.marker in FRAMES:
            frame = struct.unpack(">BHH", source.read(segment.start, 5).ljust(5, b"\0"))
        elif is_metadata(segment.marker):
            kept.append(source.between(segment.at, segment.end))
    return frame, b"".join(kept)

"""The segments of a JPEG in front of its pixels (ITU-T T.81, B.1.1)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from enhance_cli.imaging.containers.source import Source

SIGNATURE = b"\xff\xd8"

SOI, EOI, SOS, DRI, COMMENT = 0xD8, 0xD9, 0xDA, 0xDD, 0xFE
APPLICATIONS = range(0xE0, 0xF0)
APP1, APP2, APP13 = 0xE1, 0xE2, 0xED
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers (T.81, table B.1)."""

_TEM = 0x01
_WITHOUT_LENGTH = frozenset({_TEM, SOI})

LONGEST = 65_533
"""Longest content of a segment, in bytes."""

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
"""Neither stuffing, nor filling in front of a marker, nor a restart."""

_MAX_SEGMENTS = 10_000
_SEARCHED = 2**16
"""Bytes that are searched at once for the next marker."""


class Segment(NamedTuple):
    """A segment.

    Attributes:
        marker: The second byte of its marker.
        at: Position of the marker.
        start: Position of its content, behind the length.
        end: Where its content ends, by what the segment says.
    """

    marker: int
    at: int
    start: int
    end: int


def jpeg_segments(source: Source, start: int = 0) -> Iterator[Segment]:
    """Find the segments of a JPEG, up to its first scan; their contents are not read.

    As libjpeg does, it passes over what stands between segments and belongs to none.

    Args:
        source: The file, in which several JPEGs may stand.
        start: Position of the JPEG.

    Yields:
        The segments in their order, up to the header of the first scan or the end of the file;
        none if there is no JPEG.
    """
    if source.read(start, len(SIGNATURE)) != SIGNATURE:
        return
    at: int | None = start + len(SIGNATURE)
    for _ in range(_MAX_SEGMENTS):
        at = _next_marker(source, at)
        if at is None:
            return
        marker, length = source.read(at + 1, 1)[0], source.read(at + 2, 2)
        if marker in _WITHOUT_LENGTH:
            at += 2
            continue
        if marker == EOI or len(length) < 2:
            return
        end = at + 2 + max(2, int.from_bytes(length))
        yield Segment(marker, at, at + 4, end)
        if marker == SOS:
            return
        at = end


def is_metadata(marker: int) -> bool:
    """Whether a segment is a comment, or one of those for applications."""
    return marker == COMMENT or marker in APPLICATIONS


def build_segment(marker: int, content: bytes) -> bytes:
    """Build a segment.

    Raises:
        ValueError: The content is longer than ``LONGEST``.
    """
    if len(content) > LONGEST:
        raise ValueError("metadata too long for a JPEG")
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def _next_marker(source: Source, at: int) -> int | None:
    """Position of the first marker from a position on; None if there is none."""
    length = 2
    while len(part := source.read(at, length)) >= 2:
        found = _MARKER.search(part)
        if found:
            return at + found.start()
        at += len(part) - 1
        length = _SEARCHED
    return None

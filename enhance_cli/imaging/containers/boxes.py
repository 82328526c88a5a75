"""The boxes of which AVIF, HEIC, CR3, JPEG XL and JPEG 2000 consist (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from enhance_cli.imaging.containers.source import Source

_HEADER, _LARGE_SIZE = struct.Struct(">I4s"), struct.Struct(">Q")
_SIZE_FOLLOWS, _UP_TO_THE_END = 1, 0
"""Sizes that are none: a larger one follows the type, or the last box is as long as the rest."""


class Box(NamedTuple):
    """A box: its type, and where its content begins and ends, by what the box says.

    The end of a file that is cut short may lie in front of both.
    """

    kind: bytes
    start: int
    end: int


def find_boxes(source: Source) -> Iterator[Box]:
    """Find the boxes of a file, without those within boxes; their contents are not read.

    Args:
        source: The file, or the content of a box.

    Yields:
        The boxes in their order, up to one whose size is impossible.
    """
    at = 0
    while len(header := source.read(at, _HEADER.size)) == _HEADER.size:
        size, kind = _HEADER.unpack(header)
        start = at + _HEADER.size
        if size == _SIZE_FOLLOWS:
            large = source.read(start, _LARGE_SIZE.size)
            size = int.from_bytes(large) if len(large) == _LARGE_SIZE.size else 0
            start += _LARGE_SIZE.size
        elif size == _UP_TO_THE_END:
            size = source.size - at
        if at + size < start:
            return
        yield Box(kind, start, at + size)
        at += size


def boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each box, from the bytes of a file or the content of a box."""
    return ((kind, content[start:end]) for kind, start, end in find_boxes(Source(content)))


def end_of_boxes(source: Source) -> int:
    """Where the last box says that it ends, which may lie behind the end of the file."""
    return max((box.end for box in find_boxes(source)), default=0)


def brands_of(signature: bytes) -> tuple[bytes, ...]:
    """The major and the compatible brands, from the first bytes of a file."""
    if signature[4:8] != b"ftyp":
        return ()
    end = min(int.from_bytes(signature[:4]), len(signature) - 3)
    return (signature[8:12], *(signature[at : at + 4] for at in range(16, end, 4)))

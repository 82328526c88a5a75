"""The chunks of a RIFF file, such as a WebP (RFC 9649, 2.3)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from enhance_cli.imaging.containers.source import Source

_HEADER = struct.Struct("<4sI")
FIRST_CHUNK = 12
"""Position of a file's first chunk, behind the name RIFF, a length, and the name of the form."""


class Chunk(NamedTuple):
    """A chunk: its name, and where its content begins and ends within the source."""

    name: bytes
    start: int
    end: int


def riff_chunks(
    source: Source, start: int = FIRST_CHUNK, end: int | None = None
) -> Iterator[Chunk]:
    """Find the chunks of a file, or those within a chunk; none is read.

    Args:
        source: The file.
        start: Position of the first chunk.
        end: Where the last one ends; None is the end of the file.

    Yields:
        The chunks in their order. One that is cut short or says that it is longer ends there too.
    """
    end = source.size if end is None else min(end, source.size)
    at = start
    while at + _HEADER.size <= end:
        name, length = _HEADER.unpack(source.read(at, _HEADER.size))
        at += _HEADER.size
        yield Chunk(name, at, min(at + length, end))
        at += length + length % 2  # padded to an even length

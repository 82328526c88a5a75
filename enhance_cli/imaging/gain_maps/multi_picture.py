"""JPEGs that hold several pictures, one behind the other (CIPA DC-007: Multi-Picture Format).

A segment of the first picture, the index, lists the positions and lengths of all. Positions count
from the byte order mark in that segment.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from enhance_cli.imaging.containers.jpeg_segments import APP2, build_segment, jpeg_segments
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.metadata.exif_block import ExifBlock

PREFIX = b"MPF\x00"

_SEGMENT_HEADER = 4
"""Bytes of a segment in front of its content."""

_ENTRY = "IIIHH"
"""Attributes, length and position of a picture, and two numbers of pictures that it needs."""

_VERSION, _COUNT, _ENTRIES = 0xB000, 0xB001, 0xB002
"""Tags of the index (CIPA DC-007, 5.2.3)."""

_UNDEFINED, _LONG = 7, 4
_PRIMARY = 0x030000
"""Attributes of the main picture, of which no other picture is a version."""

_CLASS, _VIEWS = 0xFF0000, 0x020000
"""Bits of the attributes that tell the class of a picture, and that of panoramas and views of one
scene (CIPA DC-007, 5.2.3.3); the others are previews, gain maps and the like."""

_MAX_PICTURES = 16
"""Pictures that are looked at. Phones write two or three."""


class Place(NamedTuple):
    """Where a picture lies in a file: its position and length in bytes, as the file states them.

    Attributes:
        is_view: Whether it is a further view of the scene: of a stereo pair or a panorama.
    """

    start: int
    length: int
    is_view: bool = False


def has_index(image: Image.Image) -> bool:
    """Whether an opened JPEG lists several pictures."""
    segments = getattr(image, "applist", ())
    return any(name == "APP2" and content.startswith(PREFIX) for name, content in segments)


def further_pictures(source: Source) -> list[Place]:
    """The pictures that the index of a JPEG lists, but for the first.

    Nothing is said of whether the places exist: the index may be damaged.
    """
    for segment in jpeg_segments(source):
        if segment.marker != APP2:
            continue
        content = source.between(segment.start, segment.end)
        if content.startswith(PREFIX):
            base = segment.start + len(PREFIX)
            try:
                places = list(_entries(content[len(PREFIX) :]))[1:_MAX_PICTURES]
            except (struct.error, KeyError):
                return []
            return [place._replace(start=base + place.start) for place in places if place.start]
    return []


def has_views(image: Image.Image) -> bool:
    """Whether an opened JPEG holds further views of its scene, and not only previews and maps."""
    path = getattr(image, "filename", "")
    if not path or not has_index(image):
        return False
    with Path(path).open("rb") as file:
        return any(place.is_view for place in further_pictures(Source(file)))


def _entries(index: bytes) -> Iterator[Place]:
    """The entries of an index, which begins with its byte order mark.

    Raises:
        struct.error: It is cut off.
        KeyError: It has no byte order mark.
    """
    block = ExifBlock(index)
    for tag in block.entries(block.first):
        if tag.tag == _ENTRIES:
            start, end = block.span(tag)
            count = min((end - start) // struct.calcsize("=" + _ENTRY), _MAX_PICTURES)
            for entry in range(count):
                attributes, size, place, _, _ = struct.unpack_from(
                    block.order + _ENTRY, index, start + entry * struct.calcsize("=" + _ENTRY)
                )
                yield Place(place, size, attributes & _CLASS == _VIEWS)


def join_pictures(
    primary: Sequence[bytes | memoryview], further: bytes
) -> list[bytes | memoryview]:
    """Put a further picture behind a JPEG, and list both in an index.

    Args:
        primary: The parts of the JPEG; before the last one, the index is inserted.
        further: The other JPEG.

    Returns:
        The parts of the file.
    """
    *head, rest = primary
    before = sum(len(part) for part in head)
    length = before + len(_index(0, 0, 0)) + len(rest)
    base = before + _SEGMENT_HEADER + len(PREFIX)
    return [*head, _index(length, len(further), length - base), rest, further]


def _index(length: int, further: int, position: int) -> bytes:
    """The segment that lists two pictures, by their lengths and the position of the second."""
    entries = struct.pack(">" + _ENTRY, _PRIMARY, length, 0, 0, 0)
    entries += struct.pack(">" + _ENTRY, 0, further, position, 0, 0)
    at = len(b"MM\x00*") + 4 + 2 + 3 * 12 + 4
    tags = struct.pack(">HHI4s", _VERSION, _UNDEFINED, 4, b"0100")
    tags += struct.pack(">HHII", _COUNT, _LONG, 1, 2)
    tags += struct.pack(">HHII", _ENTRIES, _UNDEFINED, len(entries), at)
    content = PREFIX + b"MM\x00*" + struct.pack(">IH", 8, 3) + tags + bytes(4) + entries
    return build_segment(APP2, content)

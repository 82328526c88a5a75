"""The boxes of AVIF and HEIC that describe their main picture (ISO/IEC 14496-12 and 23008-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from enhance_cli.imaging.containers.boxes import boxes, find_boxes
from enhance_cli.imaging.containers.source import Source

_MAX_ITEMS = 65_536
"""Items that are looked at; large grids have some hundred."""

_PICTURES = frozenset({b"hvc1", b"av01", b"avc1"})
"""Items of compressed pixels whose codec has no long rows of zeros."""


class Item(NamedTuple):
    """An item of a file: a picture, or metadata.

    Attributes:
        kind: Its type, such as ``b"Exif"`` or ``b"mime"``.
        content_type: MIME type of a ``b"mime"`` item.
        parts: Offset and length of each part of its content.
    """

    kind: bytes
    content_type: bytes
    parts: tuple[tuple[int, int], ...]


class PictureBoxes(NamedTuple):
    """What the boxes say of the main picture.

    Attributes:
        properties: Type and content of its properties, in the order in which they apply.
        all_properties: The same, of all pictures of the file.
        items: All items.
    """

    properties: tuple[tuple[bytes, bytes], ...] = ()
    all_properties: tuple[tuple[bytes, bytes], ...] = ()
    items: tuple[Item, ...] = ()

    @property
    def has_gain_map(self) -> bool:
        """Whether there is an HDR rendition, made by a gain map (ISO 21496-1, annex B)."""
        return any(item.kind == b"tmap" for item in self.items)

    def property_of(self, kind: bytes, *beginnings: bytes) -> bytes | None:
        """The main picture's first property of a type that begins in one of these ways."""
        for found, content in self.properties:
            if found == kind and content.startswith(beginnings or b""):
                return content
        return None


def is_animated(content: bytes) -> bool:
    """Whether a file has frames like a video."""
    return any(box.kind == b"moov" for box in find_boxes(Source(content)))


def read_picture_boxes(content: bytes) -> PictureBoxes:
    """Read the boxes of a file; nothing is found in those that are damaged."""
    try:
        meta = next(body for kind, body in boxes(content) if kind == b"meta")
        found = dict(boxes(meta[4:]))
        properties = dict(boxes(found[b"iprp"]))
        everything = tuple(boxes(properties[b"ipco"]))
        primary = _primary(found[b"pitm"])
        of_primary = _associated(properties[b"ipma"], primary)
        own = tuple(everything[number - 1] for number in of_primary if number)
        return PictureBoxes(own, everything, tuple(_items(found)))
    except (KeyError, IndexError, StopIteration, struct.error, ValueError):
        return PictureBoxes()


def content_of(item: Item, content: bytes) -> bytes:
    """The content of an item, from the bytes of its file."""
    return b"".join(content[start : start + length] for start, length in item.parts)


def pictures_in(found: PictureBoxes, content: bytes) -> Iterator[bytes]:
    """The compressed pixels of all pictures, from the bytes of their file."""
    return (content_of(item, content) for item in found.items if item.kind in _PICTURES)


def _primary(pitm: bytes) -> int:
    return struct.unpack_from(">I" if pitm[0] else ">H", pitm, 4)[0]


def _associated(ipma: bytes, wanted: int) -> list[int]:
    """Numbers of the properties that are associated with an item, beginning at 1."""
    version, wide = ipma[0], ipma[3] & 1
    (count,) = struct.unpack_from(">I", ipma, 4)
    at = 8
    for _ in range(min(count, _MAX_ITEMS)):
        (item,) = struct.unpack_from(">I" if version else ">H", ipma, at)
        at += 4 if version else 2
        n_properties = ipma[at]
        code, essential = ("H", 0x8000) if wide else ("B", 0x80)
        numbers = struct.unpack_from(f">{n_properties}{code}", ipma, at + 1)
        if item == wanted:
            return [number & ~essential for number in numbers]
        at += 1 + n_properties * (2 if wide else 1)
    return []


def _items(found: dict[bytes, bytes]) -> Iterator[Item]:
    places = _places(found.get(b"iloc", b""))
    iinf = found.get(b"iinf", bytes(6))
    for kind, infe in boxes(iinf[8 if iinf[0] else 6 :]):
        if kind != b"infe" or infe[0] not in {2, 3}:
            continue
        code = ">I" if infe[0] == 3 else ">H"
        number = struct.unpack_from(code, infe, 4)[0]
        at = 4 + struct.calcsize(code) + 2
        texts = infe[at + 4 :].split(b"\0")
        yield Item(infe[at : at + 4], texts[1] if len(texts) > 1 else b"", places.get(number, ()))


def _places(iloc: bytes) -> dict[int, tuple[tuple[int, int], ...]]:
    """Offset and length of each part of the items that lie in the file itself."""
    if not iloc:
        return {}
    version = iloc[0]
    offset, length, base = iloc[4] >> 4, iloc[4] & 15, iloc[5] >> 4
    index = iloc[5] & 15 if version else 0
    number, at = (4, 6) if version == 2 else (2, 6)
    count, at = _number(iloc, at, number), at + number
    places: dict[int, tuple[tuple[int, int], ...]] = {}
    for _ in range(min(count, _MAX_ITEMS)):
        item, at = _number(iloc, at, number), at + number
        method = iloc[at + 1] & 15 if version else 0
        at += 4 if version else 2
        start, at = _number(iloc, at, base), at + base
        n_parts, at = _number(iloc, at, 2), at + 2
        parts = []
        for _ in range(n_parts):
            at += index
            parts.append((start + _number(iloc, at, offset), _number(iloc, at + offset, length)))
            at += offset + length
        if method == 0:
            places[item] = tuple(parts)
    return places


def _number(content: bytes, at: int, length: int) -> int:
    if at + length > len(content):
        raise ValueError("a box is too short")
    return int.from_bytes(content[at : at + length])

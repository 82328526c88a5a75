"""Tags of EXIF that a result cannot have: what to say of them, and blocks without the longest."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

import piexif

from enhance_cli.imaging.metadata.exif_block import ExifBlock
from enhance_cli.imaging.metadata.tiff_tags import POINTERS, TagId

LEFT_OUT = "cannot be read and {were} left out"
TOO_LONG = "{do} not fit a JPEG and {were} left out"
"""What is said of damaged tags, and of long ones."""

_ALL_TAGS = {
    "0th": "some tags",
    "Exif": "all or some tags on the exposure",
    "GPS": "all or some tags on the location",
    "Interop": "InteroperabilityIndex",
}
"""What is lost with a directory that is cut short or lies outside of the file."""

_MOST_NAMED = 6


def describe_tags(tags: Sequence[TagId], fate: str) -> tuple[str, ...]:
    """A line that names tags, or says how many they are; none if there are none.

    Args:
        tags: The tags.
        fate: What has become of them, with ``{were}`` and ``{do}`` for forms of these verbs.
    """
    names = [*dict.fromkeys(_name_of(*one) for one in tags)]
    if not names:
        return ()
    if len(names) > _MOST_NAMED:
        listed = f"{len(names)} tags"
    else:
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    one = len(names) == 1 and tags[0][1] is not None
    verbs = {"were": "was", "do": "does"} if one else {"were": "were", "do": "do"}
    return (f"{listed} in its EXIF {fate.format(**verbs)}",)


def _name_of(directory: str, tag: int | None) -> str:
    if tag is None:
        return _ALL_TAGS[directory]
    known = piexif.TAGS["Image" if directory == "0th" else directory].get(tag)
    return known["name"] if known else f"tag 0x{tag:04X}"


class _Tag(NamedTuple):
    """A tag of a block.

    Attributes:
        type: Type of its values.
        n_values: Number of them.
        content: The values.
        at: Where they must begin, or None.
    """

    type: int
    n_values: int
    content: bytes | memoryview
    at: int | None = None


_Directories = dict[str, dict[int, _Tag]]

_LONG, _SUB_IFDS, _MAKER_NOTE = 4, 0x014A, ("Exif", 0x927C)
_HEADER, _ENTRY, _INLINE = 8, 12, 4
"""Bytes of the header, of a directory entry, and of values for which it has room itself."""


def shortened(content: bytes, limit: int) -> tuple[bytes | None, list[TagId]]:
    """Build a block anew, without the tags that are too long for a format.

    The longest go first. MakerNotes hold offsets, so that they stay in their place or go.

    Args:
        content: The block, without ``Exif`` in front.
        limit: Bytes for which the format has room.

    Returns:
        The block, and the tags that were left out. None if it is damaged.
    """
    lost: list[TagId] = []
    try:
        found = _directories(ExifBlock(content), lost)
    except (KeyError, struct.error):
        return None, []
    lengths = {
        (name, tag): len(one.content) for name, tags in found.items() for tag, one in tags.items()
    }
    excess = _HEADER + sum(map(_size, found.values())) + len(_note_in(found).content) - limit
    by_length = sorted(lengths, key=lengths.__getitem__)
    while excess > 0 and by_length and lengths[by_length[-1]] > _INLINE:
        name, tag = by_length.pop()
        del found[name][tag]
        lost.append((name, tag))
        excess -= lengths[name, tag]
    packed = _packed(content[:4], found, limit)
    if packed is None and _note_in(found).content:
        del found["Exif"][_MAKER_NOTE[1]]
        lost.append(_MAKER_NOTE)
        packed = _packed(content[:4], found, limit)
    return packed, lost


def _directories(block: ExifBlock, lost: list[TagId]) -> _Directories:
    """The tags of a block by directory; ``lost`` gets those that are damaged."""
    found: _Directories = {"0th": {}}
    content = memoryview(bytes(block.bytes))  # of which very many tags may name the same part
    positions = {"0th": block.first}
    pointers = {(parent, tag): name for name, parent, tag in POINTERS}
    for name in ("0th", *(name for name, _, _ in POINTERS)):
        for entry in block.entries(positions[name]) if name in positions else ():
            if (name, entry.tag) in pointers:
                directory = pointers[name, entry.tag]
                positions[directory], found[directory] = block.number(entry), {}
                found[name][entry.tag] = _Tag(_LONG, 1, bytes(_INLINE))
                continue
            start, end = block.span(entry)
            if block.is_damaged(entry) or start < _HEADER or entry.tag == _SUB_IFDS:
                lost.append((name, entry.tag))
                continue
            fixed = (name, entry.tag) == _MAKER_NOTE and end - start > _INLINE
            tag = _Tag(entry.type, entry.n_values, content[start:end], start if fixed else None)
            found[name][entry.tag] = tag
    return found


def _note_in(found: _Directories) -> _Tag:
    """The MakerNotes, which must stay where they are; without content if there are none."""
    note = found.get("Exif", {}).get(_MAKER_NOTE[1])
    return note if note is not None and note.at is not None else _Tag(_LONG, 0, b"")


def _size(tags: dict[int, _Tag]) -> int:
    """Bytes of a directory and of the values behind it."""
    apart = [len(one.content) for one in tags.values() if one.at is None]
    values = sum(length + length % 2 for length in apart if length > _INLINE)
    return 2 + _ENTRY * len(tags) + 4 + values


def _packed(header: bytes, found: _Directories, limit: int) -> bytes | None:
    """Lay out directories before and behind MakerNotes; None if there is too little room."""
    note = _note_in(found)
    room = limit if note.at is None else note.at
    end = 0 if note.at is None else note.at + len(note.content)
    front, behind = _HEADER, end + end % 2
    places: dict[str, int] = {}
    for name, tags in found.items():
        if front + _size(tags) <= room:
            places[name] = front
            front += _size(tags)
        else:
            places[name] = behind
            behind += _size(tags)
    total = max(front, behind)
    if total > limit or (note.at is None and behind):
        return None
    order = "<" if header.startswith(b"II") else ">"
    block = bytearray(total)
    block[:_HEADER] = header + struct.pack(f"{order}I", places["0th"])
    if note.at is not None:
        block[note.at : end] = note.content
    for name, parent, tag in POINTERS:
        if name in found:
            content = struct.pack(f"{order}I", places[name])
            found[parent][tag] = found[parent][tag]._replace(content=content)
    for name, tags in found.items():
        written = _written(tags, places[name], order)
        block[places[name] : places[name] + len(written)] = written
    return bytes(block)


def _written(tags: dict[int, _Tag], start: int, order: str) -> bytes:
    """A directory that begins at ``start``, and the values behind it."""
    directory, values = struct.pack(f"{order}H", len(tags)), b""
    values_at = start + 2 + _ENTRY * len(tags) + 4
    for tag, one in sorted(tags.items()):
        place = bytes(one.content[:_INLINE]).ljust(_INLINE, b"\0")
        if one.at is not None:
            place = struct.pack(f"{order}I", one.at)
        elif len(one.content) > _INLINE:
            place = struct.pack(f"{order}I", values_at + len(values))
            values += bytes(one.content) + bytes(len(one.content) % 2)
        directory += struct.pack(f"{order}HHI", tag, one.type, one.n_values) + place
    return directory + bytes(4) + values

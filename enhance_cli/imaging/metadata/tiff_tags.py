"""Reading the EXIF of files that are built like a TIFF, but not as piexif expects it.

piexif knows neither BigTIFF nor pointers of type IFD, and looks at the first directory alone, which
may be that of a thumbnail.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import piexif

MAX_TAG_BYTES, MAX_TAGS = 2**20, 4096
"""Longest value that is read, and most entries of a directory. No camera writes more."""

_ORDERS = {b"II": "<", b"MM": ">"}
_BIG_TIFF = 43
_SUBFILE_TYPE, _EXIF, _GPS = 254, 0x8769, 0x8825

_SUB_IFDS, _PARTS = 330, ((273, 279), (324, 325))
"""Tags of further directories, and of the offsets and lengths of strips and of tiles."""

_UNKNOWN_LENGTH = 2**32 - 1
"""What some cameras write for the length of the pixels."""

_MAX_PICTURES = 64
"""Directories that are looked at."""

_CODES = {
    1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 6: "b", 7: "s", 8: "h", 9: "i", 10: "ii", 11: "f",
    12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q",
}  # fmt: skip
"""The types of TIFF 6.0, its supplement 1 and BigTIFF, as ``struct`` formats."""

_TEXT, _BYTES, _POINTER = 2, 7, 13

_POINTERS = (("Exif", "0th", _EXIF), ("GPS", "0th", _GPS), ("Interop", "Exif", 0xA005))
"""Names of directories, and where the tag is that points to them."""


class _Directory(NamedTuple):
    """A directory.

    Attributes:
        values: Values by tag, as piexif gives them.
        types: Types by tag.
        next: Position of the next directory, or 0.
    """

    values: dict[int, Any]
    types: dict[int, int]
    next: int = 0


class DamagedTiffError(Exception):
    """The file is not built like a TIFF."""


def piexif_misses(path: Path) -> bool:
    """Whether a file is built like a TIFF whose EXIF piexif would not find."""
    with path.open("rb") as file:
        try:
            reader = _Reader(file)
        except DamagedTiffError:
            return False
        first = reader.directory(reader.first)
        pointers = {_EXIF, _GPS} & first.values.keys()
        return (
            reader.big or _POINTER in {first.types[tag] for tag in pointers} or _is_thumbnail(first)
        )


def read_directories(path: Path) -> dict[str, dict[int, Any]]:
    """Read the tags of the photo's, the EXIF and the GPS directory that piexif knows.

    Returns:
        Tags by directory, as ``piexif.load`` gives them. Damaged tags are left out.

    Raises:
        DamagedTiffError: The file is not built like a TIFF.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        reader = _Reader(file)
        first = reader.directory(reader.first)
        tags = first.values
        if _is_thumbnail(first):
            tags = tags | reader.directory(first.next).values
        found = {"0th": tags}
        for name, parent, tag in _POINTERS:
            position = found[parent].get(tag)
            found[name] = reader.directory(position).values if isinstance(position, int) else {}
    names = {"0th": "Image", "Exif": "Exif", "GPS": "GPS", "Interop": "Interop"}
    return {
        name: {tag: value for tag, value in values.items() if tag in piexif.TAGS[names[name]]}
        for name, values in found.items()
    }


def end_of_pixels(path: Path) -> int | None:
    """Where the pixels of the largest picture end, in bytes from the beginning of the file.

    Returns:
        The position as the directories state it, which may lie behind the end of a file that is
        cut short. None if the file is not built like a TIFF, or does not state it.
    """
    with path.open("rb") as file:
        try:
            reader = _Reader(file)
        except DamagedTiffError:
            return None
        largest, end = 0, None
        for directory in _pictures(reader):
            for offsets, lengths in _PARTS:
                parts = list(
                    zip(
                        _as_tuple(directory.get(offsets)),
                        _as_tuple(directory.get(lengths)),
                        strict=False,
                    )
                )
                total = sum(length for _, length in parts)
                if largest < total < _UNKNOWN_LENGTH:
                    largest, end = total, max(offset + length for offset, length in parts)
    return end


def _pictures(reader: _Reader) -> Iterator[dict[int, Any]]:
    """The directories of a file's pictures, those in SubIFDs among them."""
    waiting, seen = [reader.first], set()
    while waiting and len(seen) < _MAX_PICTURES:
        position = waiting.pop()
        if not position or position in seen:
            continue
        seen.add(position)
        directory = reader.directory(position)
        waiting += [directory.next, *_as_tuple(directory.values.get(_SUB_IFDS))]
        yield directory.values


def _as_tuple(value: Any) -> tuple[int, ...]:
    values = value if isinstance(value, tuple) else (value,)
    return tuple(one for one in values if isinstance(one, int))


def _is_thumbnail(directory: _Directory) -> bool:
    kind = directory.values.get(_SUBFILE_TYPE)
    return isinstance(kind, int) and bool(kind & 1)


class _Reader:
    """Reads the directories of a TIFF (TIFF 6.0, section 2) or BigTIFF.

    Attributes:
        first: Position of the first directory.
        big: Whether this is a BigTIFF.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        header = self._read(0, 16)
        if header[:2] not in _ORDERS or len(header) < 16:
            raise DamagedTiffError
        self._order = _ORDERS[header[:2]]
        self.big = struct.unpack_from(f"{self._order}H", header, 2)[0] == _BIG_TIFF
        self._count, self._offset = ("Q", "Q") if self.big else ("H", "I")
        first = struct.unpack_from(f"{self._order}{self._offset}", header, 8 if self.big else 4)
        self.first = first[0]

    def directory(self, position: int) -> _Directory:
        """Read the directory at this position, which may lie outside the file."""
        count = f"{self._order}{self._count}"
        entry = f"{self._order}HH{self._offset}"
        inline = struct.calcsize(self._offset)
        length = struct.calcsize(entry) + inline
        content = self._read(position, struct.calcsize(count) + MAX_TAGS * length)
        start = struct.calcsize(count)
        if len(content) < start:
            return _Directory({}, {})
        n_entries = min(struct.unpack_from(count, content)[0], (len(content) - start) // length)
        end = start + n_entries * length
        values, types = {}, {}
        for at in range(start, end, length):
            tag, type_, n_values = struct.unpack_from(entry, content, at)
            value = self._value(type_, n_values, content[at + length - inline : at + length])
            if value is not None:
                values[tag], types[tag] = value, type_
        link = content[end : end + inline].ljust(inline, b"\0")
        return _Directory(values, types, struct.unpack(f"{self._order}{self._offset}", link)[0])

    def _value(self, type_: int, n_values: int, stored: bytes) -> Any:
        """The value of an entry, of which ``stored`` is the value itself or its position."""
        code = _CODES.get(type_)
        if code is None or n_values == 0:
            return None
        length = struct.calcsize(f"<{code}") * n_values
        if length > MAX_TAG_BYTES:
            return None
        if length > len(stored):
            stored = self._read(struct.unpack(f"{self._order}{self._offset}", stored)[0], length)
        if len(stored) < length:
            return None
        if type_ == _TEXT:
            return stored[:length].rstrip(b"\0")
        if type_ == _BYTES:
            return stored[:length]
        numbers = struct.unpack_from(f"{self._order}{code * n_values}", stored)
        if len(code) == 2:
            numbers = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        return numbers[0] if n_values == 1 else numbers

    def _read(self, position: int, length: int) -> bytes:
        if position >= self._size:
            return b""
        self._file.seek(position)
        return self._file.read(length)

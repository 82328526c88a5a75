"""Reading the EXIF of files that are built like a TIFF, tag by tag.

piexif knows neither BigTIFF nor types that are not of TIFF 6.0, looks at the first directory alone,
which may be that of a thumbnail, and reads nothing at all if one tag is not as it expects.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import piexif

MAX_TAG_BYTES, MAX_TAGS = 2**20, 4096
"""Longest value that is read, and most entries of a directory. No camera writes more."""

MAX_DIRECTORY_BYTES = 2**23
"""Most bytes of all values that are read of a file, which may give many tags the same ones."""

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
    12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q", 129: "s",
}  # fmt: skip
"""The types of TIFF 6.0, its supplement 1, BigTIFF and Exif 3.0, as ``struct`` formats."""

_TEXTS, _BYTES = (2, 129), 7
"""Types of texts, in ASCII and in UTF-8, and that of bytes without a meaning."""

_BYTE, _TEXT, _FLOAT, _DOUBLE = 1, 2, 11, 12
_RATIONALS = {5: (0, 2**32 - 1), 10: (-(2**31), 2**31 - 1)}
_INTEGERS = {
    1: (0, 2**8 - 1), 3: (0, 2**16 - 1), 4: (0, 2**32 - 1),
    6: (-(2**7), 2**7 - 1), 8: (-(2**15), 2**15 - 1), 9: (-(2**31), 2**31 - 1),
}  # fmt: skip
"""Types of fractions and integers, and the least and the greatest number of each."""

_LARGEST_DENOMINATOR = 2**31 - 1

_CODED_TEXTS = frozenset({("Exif", 0x9286), ("GPS", 27), ("GPS", 28)})
"""Texts that begin with the name of their encoding (Exif 2.32, 4.6.5): UserComment, and method and
area of the location."""

_ASCII, _UNICODE = b"ASCII\0\0\0", b"UNICODE\0"

POINTERS = (("Exif", "0th", _EXIF), ("GPS", "0th", _GPS), ("Interop", "Exif", 0xA005))
"""Names of directories, and where the tag is that points to them."""


TagId = tuple[str, int | None]
"""The name of a directory, and the number of a tag in it; None stands for all of its tags."""


class _Directory(NamedTuple):
    """A directory.

    Attributes:
        values: Values by tag: bytes, a number, a fraction as two numbers, or a tuple of these.
        types: Types by tag.
        next: Position of the next directory, or 0.
        damaged: Tags that cannot be read; None among them if the directory itself cannot.
    """

    values: dict[int, Any]
    types: dict[int, int]
    next: int = 0
    damaged: tuple[int | None, ...] = ()

    def joined(self, other: _Directory) -> _Directory:
        """Both directories as one, which has the other one's values for tags that both have."""
        damaged = {*self.damaged} - other.values.keys() | {*other.damaged} - self.values.keys()
        return _Directory(
            self.values | other.values, self.types | other.types, damaged=tuple(damaged)
        )


class StoredTag(NamedTuple):
    """The value of a tag as it is stored in a little-endian file.

    Attributes:
        type: Type of the values (TIFF 6.0, section 2).
        n_values: Number of values.
        content: The values.
    """

    type: int
    n_values: int
    content: bytes


class DamagedTiffError(Exception):
    """The file is not built like a TIFF."""


class _Stored(NamedTuple):
    """A directory as it is stored; the attributes are those of :class:`_Directory`."""

    tags: dict[int, StoredTag]
    next: int = 0
    damaged: tuple[int | None, ...] = ()


def read_directories(
    source: Path | bytes, damaged: list[TagId] | None = None
) -> dict[str, dict[int, Any]]:
    """Read the tags of the photo's, the EXIF and the GPS directory that piexif knows.

    Args:
        source: A file, or its content.
        damaged: Gets the tags that are left out.

    Returns:
        Tags by directory, as ``piexif.load`` gives them, and of the types that ``piexif.dump``
        takes. Damaged tags are left out, and those whose values mean nothing in that type.

    Raises:
        DamagedTiffError: The file is not built like a TIFF.
        OSError: The file cannot be read.
    """
    with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        reader = _Reader(file)
        first = reader.directory(reader.first)
        if _is_thumbnail(first) and first.next:
            first = first.joined(reader.directory(first.next))
        found = {"0th": first}
        for name, parent, tag in POINTERS:
            position = found[parent].values.get(tag)
            known = isinstance(position, int)
            found[name] = reader.directory(position) if known else _Directory({}, {})
    lost: list[TagId] = []
    for name, directory in found.items():
        lost += [(name, tag) for tag in directory.damaged]
    tags = {name: _as_piexif(name, directory, lost) for name, directory in found.items()}
    # Cameras that follow TIFF/EP (ISO 12234-2) describe the exposure in the first directory.
    tags["Exif"] = _as_piexif("Exif", first, []) | tags["Exif"]
    if damaged is not None:
        damaged += _with_directories(lost)
    return tags


def stored_directories(
    block: bytes, damaged: list[TagId] | None = None
) -> dict[str, dict[int, StoredTag]]:
    """Read the directories of an EXIF block with the types and the bytes of their values.

    Args:
        block: The block, without ``Exif`` in front.
        damaged: Gets the tags that are left out.

    Returns:
        Tags by directory: ``0th``, ``Exif``, ``GPS`` and ``Interop``. Damaged ones are left out.

    Raises:
        DamagedTiffError: The block is not built like a TIFF.
    """
    reader = _Reader(BytesIO(block))
    stored = reader.stored(reader.first)
    found, lost = {"0th": stored.tags}, [("0th", tag) for tag in stored.damaged]
    for name, parent, tag in POINTERS:
        pointer = found[parent].get(tag)
        position = None if pointer is None else reader.value(pointer)
        stored = reader.stored(position) if isinstance(position, int) else _Stored({})
        found[name] = stored.tags
        lost += [(name, tag) for tag in stored.damaged]
    if damaged is not None:
        damaged += _with_directories(lost)
    if reader.order == ">":
        return {
            name: {tag: _swapped(one) for tag, one in tags.items()} for name, tags in found.items()
        }
    return found


def _with_directories(tags: list[TagId]) -> list[TagId]:
    """These tags, with the directories to which they point in place of pointers."""
    directories: dict[TagId, str] = {(parent, tag): name for name, parent, tag in POINTERS}
    return [(directories[one], None) if one in directories else one for one in tags]


def _swapped(tag: StoredTag) -> StoredTag:
    """A value of a big-endian file in a little-endian one."""
    width = struct.calcsize(f"<{_CODES[tag.type][0]}")
    content, name = tag.content, b""
    if content.startswith(_UNICODE):  # a text of 16-bit numbers, in the order of the file
        width, name, content = 2, _UNICODE, content[len(_UNICODE) :]
    end = len(content) - len(content) % width
    swapped = np.frombuffer(content[:end], f"u{width}").byteswap().tobytes() + content[end:]
    return tag._replace(content=name + swapped)


def _as_piexif(name: str, directory: _Directory, lost: list[TagId]) -> dict[int, Any]:
    """The tags of a directory that piexif knows, with values of the types that it expects.

    Args:
        name: Name of the directory.
        directory: Its content.
        lost: Gets the tags that mean nothing in these types.
    """
    known = piexif.TAGS[name]
    tags: dict[int, Any] = {}
    for tag in directory.values.keys() & known.keys():
        value, type_, wanted = directory.values[tag], directory.types[tag], known[tag]["type"]
        if type_ != wanted:
            value = _converted(value, type_, wanted, coded=(name, tag) in _CODED_TEXTS)
        if value is None:
            lost.append((name, tag))
        else:
            tags[tag] = value
    return tags


def _converted(value: Any, type_: int, wanted: int, *, coded: bool) -> Any:
    """A value of one type in another; None if it means nothing there.

    Args:
        value: The value, as in :class:`_Directory`.
        type_: Its type.
        wanted: The type that piexif expects.
        coded: Whether texts begin with the name of their encoding.
    """
    if isinstance(value, bytes) and wanted == _TEXT:
        return value.rstrip(b"\0")
    if type_ in _TEXTS and wanted == _BYTES:
        return _with_encoding(value) if coded else value
    if type_ == _BYTES and wanted == _BYTE:
        return tuple(value)
    with suppress(ValueError, OverflowError, ZeroDivisionError):
        return _from_numbers(_numbers(value, type_), wanted, as_bytes=type_ == _BYTE)
    return None


def _from_numbers(numbers: list[int] | list[Fraction], wanted: int, *, as_bytes: bool) -> Any:
    """Numbers in a type; a text of them is made of their digits, or of bytes."""
    if wanted in _INTEGERS:
        return _single([_within(round(one), *_INTEGERS[wanted]) for one in numbers])
    if wanted in _RATIONALS:
        return _single([_as_fraction(one, *_RATIONALS[wanted]) for one in numbers])
    if wanted == _BYTES:
        return bytes(round(one) for one in numbers)
    if wanted == _TEXT and as_bytes:
        return bytes(round(one) for one in numbers).rstrip(b"\0")
    return " ".join(f"{float(one):.15g}" for one in numbers).encode() if wanted == _TEXT else None


def _with_encoding(text: bytes) -> bytes:
    """A text with the name of its encoding in front, if it has none yet."""
    if text.startswith((_ASCII, _UNICODE, b"JIS\0", bytes(8))):
        return text
    if text.isascii():
        return _ASCII + text
    return _UNICODE + text.decode("utf-8", "replace").encode("utf-16-be")  # as piexif writes


def _numbers(value: Any, type_: int) -> list[int] | list[Fraction]:
    """The numbers of a value; ValueError or the like if it has others than finite ones."""
    if type_ in _TEXTS:
        words = value.decode("ascii").lower().split()
        if any("e" in word for word in words):  # of which the digits may be endless
            raise ValueError("a text with an exponent")
        return [Fraction(word) for word in words]
    if type_ == _BYTES:
        if len(value) != 1:
            raise ValueError("several bytes, which may be any number")
        return list(value)
    values = value if isinstance(value, tuple) else (value,)
    if len(values) > MAX_TAGS:
        raise ValueError("too many for a tag of a photographer")
    if type_ in _RATIONALS:
        pairs = values if isinstance(values[0], tuple) else (values,)
        return [Fraction(*pair) for pair in pairs]
    if type_ == _FLOAT:  # the shortest number that rounds to this one
        return [Fraction(f"{one:.7g}") for one in values]
    return [Fraction(str(one)) for one in values] if type_ == _DOUBLE else list(values)


def _within(number: int, least: int, greatest: int) -> int:
    """The number; ValueError if it lies outside these limits."""
    if not least <= number <= greatest:
        raise ValueError(f"{number} is not from {least} to {greatest}")
    return number


def _as_fraction(number: int | Fraction, least: int, greatest: int) -> tuple[int, int]:
    """The closest fraction of numbers within these limits."""
    limit = max(1, _LARGEST_DENOMINATOR // max(1, math.ceil(abs(number))))
    numerator, denominator = Fraction(number).limit_denominator(limit).as_integer_ratio()
    return _within(numerator, least, greatest), denominator


def _single(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


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
        order: Byte order, as in ``struct`` formats.
        first: Position of the first directory.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        self._left = MAX_DIRECTORY_BYTES
        header = self._read(0, 16)
        if header[:2] not in _ORDERS or len(header) < 8:
            raise DamagedTiffError
        header = header.ljust(16, b"\0")
        self.order = _ORDERS[header[:2]]
        big = struct.unpack_from(f"{self.order}H", header, 2)[0] == _BIG_TIFF
        self._count, self._offset = ("Q", "Q") if big else ("H", "I")
        first = struct.unpack_from(f"{self.order}{self._offset}", header, 8 if big else 4)
        self.first = first[0]

    def directory(self, position: int) -> _Directory:
        """Read the directory at this position, which may lie outside the file."""
        tags, following, damaged = self.stored(position)
        values = {tag: self.value(one) for tag, one in tags.items()}
        types = {tag: one.type for tag, one in tags.items()}
        return _Directory(values, types, following, damaged)

    def stored(self, position: int) -> _Stored:
        """The tags of the directory at this position, as they are stored."""
        count = f"{self.order}{self._count}"
        entry = f"{self.order}HH{self._offset}"
        inline = struct.calcsize(self._offset)
        length = struct.calcsize(entry) + inline
        content = self._read(position, struct.calcsize(count) + MAX_TAGS * length)
        start = struct.calcsize(count)
        if len(content) < start:
            return _Stored({}, damaged=(None,))
        claimed = struct.unpack_from(count, content)[0]
        n_entries = min(claimed, (len(content) - start) // length)
        end = start + n_entries * length
        tags, damaged = {}, set[int | None]([None] if n_entries < claimed else [])
        for at in range(start, end, length):
            tag, type_, n_values = struct.unpack_from(entry, content, at)
            value = self._content(type_, n_values, content[at + length - inline : at + length])
            if value is not None:
                tags[tag] = StoredTag(type_, n_values, value)
            elif n_values:  # an empty one has nothing to lose
                damaged.add(tag)
        link = content[end : end + inline].ljust(inline, b"\0")
        following = struct.unpack(f"{self.order}{self._offset}", link)[0]
        return _Stored(tags, following, tuple(damaged - tags.keys()))

    def value(self, tag: StoredTag) -> Any:
        """The value of a tag of this file, as in :class:`_Directory`."""
        if tag.type in _TEXTS:
            return tag.content.rstrip(b"\0")
        if tag.type == _BYTES:
            return tag.content
        code = _CODES[tag.type]
        numbers = struct.unpack(f"{self.order}{code * tag.n_values}", tag.content)
        if len(code) == 2:
            numbers = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        return numbers[0] if tag.n_values == 1 else numbers

    def _content(self, type_: int, n_values: int, stored: bytes) -> bytes | None:
        """The bytes of an entry, of which ``stored`` is the value itself or its position."""
        code = _CODES.get(type_)
        if code is None or n_values == 0:
            return None
        length = struct.calcsize(f"<{code}") * n_values
        if length > min(MAX_TAG_BYTES, self._left):
            return None
        self._left -= length
        if length > len(stored):
            stored = self._read(struct.unpack(f"{self.order}{self._offset}", stored)[0], length)
        return stored[:length] if len(stored) >= length else None

    def _read(self, position: int, length: int) -> bytes:
        if not 0 <= position < self._size:
            return b""
        self._file.seek(position)
        return self._file.read(length)

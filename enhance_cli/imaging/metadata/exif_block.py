"""An EXIF block that is changed in place: MakerNotes hold offsets that no library rewrites."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import piexif

from enhance_cli.imaging.metadata.location import bytes_may_tell_location

EXIF_DIRECTORY = 0x8769
"""The tag of the first directory that points to the EXIF directory."""

ORIENTATION, COLOR_SPACE, INTEROPERABILITY_INDEX = 0x0112, 0xA001, 1
"""Tags of the first, the EXIF and the interoperability directory."""

_GPS, _INTEROPERABILITY = 0x8825, 0xA005
_MAKER_NOTE, _DEVICE_SETTINGS, _USER_COMMENT = 0x927C, 0xA40B, 0x9286
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I"}
"""The types of integers, as ``struct`` formats; 13 is a LONG that points to a directory."""

WIDTHS = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1,
}  # fmt: skip
"""Bytes of a value of each type of TIFF 6.0, its supplement 1, and Exif 3.0."""

_ENTRY, _INLINE, _HEADER = 12, 4, 8
"""Bytes of a directory entry, of values for which it has room itself, and of the header."""

_XP_TEXTS = frozenset(range(0x9C9B, 0x9CA0))
"""Title, comment, author, keywords and subject, as Windows writes them."""

_TEXTS = _XP_TEXTS | {_USER_COMMENT}
"""Tags that hold a text although their type does not say so."""

_SAFE_IN_FIRST = _XP_TEXTS | {
    EXIF_DIRECTORY,
    *(0x0100, 0x0101, 0x0102, 0x0103, 0x0106, 0x010D, 0x010E, 0x010F, 0x0110, 0x0112, 0x0115),
    *(0x011A, 0x011B, 0x011C, 0x0128, 0x0129, 0x012D, 0x0131, 0x0132, 0x013B, 0x013C, 0x013E),
    *(0x013F, 0x0211, 0x0212, 0x0213, 0x0214, 0x4746, 0x4749, 0x8298),
}
"""Tags of the first directory that do not tell the location: TIFF's own, and those of texts."""

_SAFE_IN_EXIF = frozenset(piexif.TAGS["Exif"]) - {_MAKER_NOTE, _DEVICE_SETTINGS} | {
    *range(0xA436, 0xA43E),  # title, photographer, editor, software (Exif 3.0)
}
"""Tags of the EXIF directory that do not tell the location: those of the standard."""

_SAFE_IN_INTEROPERABILITY = frozenset({1, 2, 0x1000, 0x1001, 0x1002})

_POINTERS = (
    (EXIF_DIRECTORY, _SAFE_IN_EXIF),
    (_INTEROPERABILITY, _SAFE_IN_INTEROPERABILITY),
)
"""From the first directory to the next ones: the tag that points there, and the tags there."""

_NAMES = ("0th", "Exif", "Interop")
"""Their names, in the same order, after that of the first directory."""

_POINTER_TAGS = frozenset(tag for tag, _ in _POINTERS)

_ASCII, _UTF8 = 2, 129

_MAX_TEXT, _MAX_NUMBERS, _MAX_BYTES = 65_535, 2048, 64
"""Longest values of safe tags, in bytes: texts, numbers, and bytes without a meaning."""

_MAX_LOCATIONS = 8
"""GPS directories of a directory that are looked at; what no entry points to goes anyway."""


class Entry(NamedTuple):
    """An entry of a directory.

    Attributes:
        tag: Number of the tag.
        type: Type of the values, see ``WIDTHS``.
        n_values: Number of values.
        at: Position of the entry in the block.
    """

    tag: int
    type: int
    n_values: int
    at: int


class Stripped(NamedTuple):
    """What went with the location.

    Attributes:
        damaged: Tags that cannot be read: the name of the directory, and the number.
        texts: Whether there were texts that may tell the location.
    """

    damaged: list[tuple[str, int]]
    texts: bool


class ExifBlock:
    """A TIFF structure whose numbers are changed in place (TIFF 6.0, section 2).

    Directories and entries are given by their position in the block. The methods raise KeyError or
    struct.error if the structure is damaged.

    Attributes:
        bytes: The content.
        order: Byte order, as in ``struct`` formats.
        first: Position of the first directory.
    """

    def __init__(self, content: bytes) -> None:
        self.bytes = bytearray(content)
        self.order = {b"II": "<", b"MM": ">"}[bytes(content[:2])]
        self.first = self._read("I", 4)

    def entries(self, directory: int) -> Iterator[Entry]:
        """The entries of the directory at this position."""
        for number in range(self._read("H", directory)):
            at = directory + 2 + _ENTRY * number
            tag, type_, n_values = struct.unpack_from(f"{self.order}HHI", self.bytes, at)
            yield Entry(tag, type_, n_values, at)

    def number(self, entry: Entry) -> int:
        """The value of an entry that is an integer, or the first one of several."""
        return self._read(_NUMBERS[entry.type], self.span(entry)[0])

    def patch(self, directory: int, values: dict[int, int]) -> None:
        """Overwrite the integers of tags that the directory already has."""
        for entry in self.entries(directory):
            if entry.tag in values and entry.type in _NUMBERS and entry.n_values:
                code = _NUMBERS[entry.type]
                self._write(code, self.span(entry)[0], values[entry.tag])

    def color_space(self) -> tuple[int | None, bytes | None]:
        """ColorSpace and InteroperabilityIndex."""
        exposure = self._sub_directory(self.first, EXIF_DIRECTORY)
        entries = () if exposure is None else self.entries(exposure)
        found = (self.number(entry) for entry in entries if entry.tag == COLOR_SPACE)
        at = self._interoperability_index()
        return next(found, None), None if at is None else bytes(self.bytes[at : at + 4])

    def patch_interoperability(self, found: bytes, wanted: bytes) -> None:
        """Overwrite the InteroperabilityIndex if it is ``found``."""
        at = self._interoperability_index()
        if at is not None and self.bytes[at : at + len(found)] == found:
            self.bytes[at : at + len(wanted)] = wanted

    def _interoperability_index(self) -> int | None:
        """Position of the InteroperabilityIndex."""
        exposure = self._sub_directory(self.first, EXIF_DIRECTORY)
        if exposure is None:
            return None
        directory = self._sub_directory(exposure, _INTEROPERABILITY)
        entries = () if directory is None else self.entries(directory)
        places = (entry.at + 8 for entry in entries if entry.tag == INTEROPERABILITY_INDEX)
        return next(places, None)

    def _sub_directory(self, directory: int, tag: int) -> int | None:
        """Position of the directory to which a tag points."""
        return next((self.number(one) for one in self.entries(directory) if one.tag == tag), None)

    def drop_thumbnail(self) -> None:
        """Unlink the second directory and wipe the thumbnail that it points to."""
        link = self._end(self.first)
        second = self._read("I", link)
        self._write("I", link, 0)
        if not second:
            return
        try:
            entries = [entry for entry in self.entries(second) if entry.n_values == 1]
            found = {entry.tag: self.number(entry) for entry in entries}
        except (KeyError, struct.error):
            return  # it is unlinked, and cannot be wiped
        start, length = found.get(_THUMBNAIL, 0), found.get(_THUMBNAIL_LENGTH, 0)
        if not start or start + length > len(self.bytes):
            return
        if start + length >= len(self.bytes) - 1:
            del self.bytes[start:]
        else:
            self.bytes[start : start + length] = bytes(length)

    def strip_location(self) -> Stripped:
        """Wipe all that is not known to be free of the location.

        What stays are the tags of the standards that do not tell it, in their places. GPS
        directories go, wherever they are, and MakerNotes, unknown tags, texts that read like
        coordinates, and whatever no entry points to.
        """
        harmful: set[tuple[int, int]] = set()
        directories: list[tuple[int, list[Entry]]] = []
        stripped = Stripped([], False)
        position, known = self.first, _SAFE_IN_FIRST
        for (pointer, known_next), name in zip((*_POINTERS, (0, frozenset())), _NAMES, strict=True):
            safe = self._safe_entries(position, known, harmful)
            directories.append((position, safe))
            stripped = self._noted(stripped, name, position, safe, known)
            found = [entry for entry in safe if entry.tag == pointer]
            if not found:
                break
            position, known = self.number(found[0]), known_next
        self._keep_only(directories, harmful)
        return stripped

    def _noted(
        self,
        stripped: Stripped,
        name: str,
        directory: int,
        safe: list[Entry],
        known: frozenset[int],
    ) -> Stripped:
        """Note which of the known tags of a directory are not among the safe ones."""
        kept = {entry.tag for entry in safe}
        gone = [one for one in self.entries(directory) if one.tag in known and one.tag not in kept]
        damaged = [(name, one.tag) for one in gone if self.is_damaged(one)]
        return Stripped(stripped.damaged + damaged, stripped.texts or len(gone) > len(damaged))

    def is_damaged(self, entry: Entry) -> bool:
        """Whether its values are of no known type, or lie outside the block."""
        return entry.type not in WIDTHS or self.span(entry)[1] > len(self.bytes)

    def _safe_entries(
        self, directory: int, known: frozenset[int], harmful: set[tuple[int, int]]
    ) -> list[Entry]:
        """The entries that do not tell the location; ``harmful`` gets the values of all others."""
        safe: dict[int, Entry] = {}
        locations: set[int] = set()
        for entry in self.entries(directory):
            if entry.tag in known and entry.tag not in safe and self._is_safe(entry):
                safe[entry.tag] = entry
                continue
            harmful.add(self.span(entry))
            if entry.tag == _GPS and entry.type in _NUMBERS:
                locations.add(self.number(entry))
        for position in sorted(locations)[:_MAX_LOCATIONS]:
            harmful.update(self._values_in(position))
        return list(safe.values())

    def _is_safe(self, entry: Entry) -> bool:
        if entry.tag in _POINTER_TAGS:
            return entry.type in _NUMBERS and entry.n_values == 1
        start, end = self.span(entry)
        if self.is_damaged(entry) or end - start > _MAX_TEXT:
            return False
        is_text = entry.type in (_ASCII, _UTF8) or entry.tag in _TEXTS
        if not is_text and WIDTHS[entry.type] > 1:
            return end - start <= _MAX_NUMBERS
        if not is_text and end - start > _MAX_BYTES:
            return False
        value = bytes(self.bytes[start:end])  # bytes may be a text of the wrong type
        return not bytes_may_tell_location(value, wide=entry.tag in _XP_TEXTS)

    def _keep_only(
        self, directories: list[tuple[int, list[Entry]]], harmful: set[tuple[int, int]]
    ) -> None:
        """Wipe all but the header, and in each directory these entries and their values."""
        kept = bytearray(len(self.bytes))
        for _, entries in directories:
            for start, end in map(self.span, entries):
                kept[start:end] = self.bytes[start:end]
        wiped = 0
        for start, end in sorted(harmful):  # which may overlap
            from_, to = max(start, wiped), min(end, len(kept))
            if from_ < to:
                kept[from_:to] = bytes(to - from_)
                wiped = to
        end = _HEADER
        kept[:_HEADER] = self.bytes[:_HEADER]
        for position, entries in directories:
            content = struct.pack(f"{self.order}H", len(entries))
            content += b"".join(bytes(self.bytes[one.at : one.at + _ENTRY]) for one in entries)
            link = position + len(content)
            kept[position:link] = content
            # Some writers have no link after directories but the first, and values in its place.
            if position == self.first:
                kept[link : link + _INLINE] = bytes(_INLINE)  # no further directory
            end = max(end, link + _INLINE, *(self.span(one)[1] for one in entries))
        self.bytes = kept[:end]

    def _values_in(self, directory: int) -> list[tuple[int, int]]:
        """A directory and the values in it; none if there is no directory at this position."""
        try:
            values = [self.span(entry) for entry in self.entries(directory)]
            return [(directory, self._end(directory) + _INLINE), *values]
        except struct.error:
            return []

    def span(self, entry: Entry) -> tuple[int, int]:
        """Where the values of an entry begin and end, which may be outside of the block."""
        length = WIDTHS.get(entry.type, 1) * entry.n_values
        start = entry.at + 8 if length <= _INLINE else self._read("I", entry.at + 8)
        return start, start + length

    def remove(self, directory: int, tag: int) -> None:
        """Remove an entry from a directory and move the following entries up."""
        for entry in list(self.entries(directory)):
            if entry.tag == tag:
                # The link to the next directory, which follows the entries, moves up as well.
                end = self._end(directory) + _INLINE
                self.bytes[entry.at : end - _ENTRY] = self.bytes[entry.at + _ENTRY : end]
                self._wipe(end - _ENTRY, _ENTRY)
                self._write("H", directory, self._read("H", directory) - 1)
                return

    def _wipe(self, start: int, length: int) -> None:
        end = min(start + length, len(self.bytes))
        self.bytes[start:end] = bytes(max(0, end - start))

    def _end(self, directory: int) -> int:
        """Position after the last entry of the directory, where the link to the next one is."""
        return directory + 2 + _ENTRY * self._read("H", directory)

    def _read(self, code: str, at: int) -> int:
        return struct.unpack_from(f"{self.order}{code}", self.bytes, at)[0]

    def _write(self, code: str, at: int, value: int) -> None:
        struct.pack_into(f"{self.order}{code}", self.bytes, at, value)

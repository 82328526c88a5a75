"""EXIF blocks, updated to match the output image.

A block from a JPEG, PNG, WebP, AVIF or HEIC file is kept byte by byte and patched in place, since
MakerNotes contain offsets that no library rewrites. A TIFF or RAW file is itself one large block,
so the tags that matter to a photographer are copied to a new one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import piexif

from enhance_cli.imaging.metadata.tiff_tags import piexif_misses, read_directories
from enhance_cli.imaging.resize import Size

PREFIX = b"Exif\x00\x00"

Tags = Mapping[str, Any]
"""Tags by directory, as piexif gives them."""

_ORIENTATION, _EXIF, _GPS = 0x0112, 0x8769, 0x8825
_COLOR_SPACE, _INTEROPERABILITY, _INTEROPERABILITY_INDEX = 0xA001, 0xA005, 1
_UNCALIBRATED, _ADOBE_RGB = 0xFFFF, 2
"""ColorSpace of all but sRGB, and that of Adobe RGB as some cameras write it."""

_SRGB_INDEX, _ADOBE_RGB_INDEX = b"R98", b"R03"
"""InteroperabilityIndex of files in sRGB and in Adobe RGB (DCF 2.0, 5.2)."""

_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I"}
"""The types of integers, as ``struct`` formats; 13 is a LONG that points to a directory."""

_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of a value of each type of TIFF 6.0 and its supplement 1."""

_ENTRY, _INLINE = 12, 4
"""Bytes of a directory entry, and of the values that an entry itself has room for."""

_COPIED = frozenset(
    {
        piexif.ImageIFD.ImageDescription,
        piexif.ImageIFD.Make,
        piexif.ImageIFD.Model,
        piexif.ImageIFD.Software,
        piexif.ImageIFD.DateTime,
        piexif.ImageIFD.Artist,
        piexif.ImageIFD.Copyright,
        piexif.ImageIFD.Rating,
    }
)
"""Tags of the first directory that are copied from TIFF and RAW files."""

_NOT_COPIED = frozenset(
    {
        piexif.ExifIFD.MakerNote,  # its offsets point into the file that it comes from
        piexif.ExifIFD.ColorSpace,
        piexif.ExifIFD.PixelXDimension,
        piexif.ExifIFD.PixelYDimension,
        piexif.ExifIFD.InteroperabilityTag,
        piexif.ExifIFD.CFAPattern,
    }
)
"""Tags of the EXIF directory that are not copied."""

_IMAGE_REQUIRED = {
    piexif.ImageIFD.XResolution: (72, 1),
    piexif.ImageIFD.YResolution: (72, 1),
    piexif.ImageIFD.ResolutionUnit: 2,
    piexif.ImageIFD.YCbCrPositioning: 1,
}
_EXIF_REQUIRED = {
    piexif.ExifIFD.ExifVersion: b"0232",
    piexif.ExifIFD.ComponentsConfiguration: b"\x01\x02\x03\x00",
    piexif.ExifIFD.FlashpixVersion: b"0100",
}
"""Tags that Exif 2.32 requires (tables 4 and 7) and RAW files often lack."""


_UNREADABLE = "its EXIF cannot be read and was left out"


class ExifError(Exception):
    """EXIF cannot be read or written; the photo is retouched without it."""


def update_block(exif: bytes, size: Size, *, srgb: bool = True, gps: bool = True) -> bytes:
    r"""Update an EXIF block to match the result, and leave all else as it is.

    The orientation becomes 1, the pixel dimensions become those of the result, and the thumbnail,
    which would be out of date, is removed.

    Args:
        exif: The block as stored in the file, with or without ``Exif\0\0`` in front.
        size: Width and height of the result.
        srgb: Whether the result is sRGB; EXIF calls other color spaces "uncalibrated".
        gps: Whether to keep the location.

    Returns:
        The block with ``Exif\0\0`` in front.

    Raises:
        ExifError: The block is damaged.
    """
    try:
        block = _Block(exif.removeprefix(PREFIX))
        block.patch(block.first, {_ORIENTATION: 1, 0x0100: size[0], 0x0101: size[1]})
        color_space = 1 if srgb else 0xFFFF
        for entry in block.entries(block.first):
            if entry.tag == _EXIF:
                values = {_COLOR_SPACE: color_space, 0xA002: size[0], 0xA003: size[1]}
                block.patch(block.number(entry), values)
        if srgb:
            block.patch_interoperability(_ADOBE_RGB_INDEX, _SRGB_INDEX)
        block.drop_thumbnail()
        if not gps:
            block.drop_gps()
    except (KeyError, struct.error) as problem:
        raise ExifError("its EXIF block is damaged and was left out") from problem
    return PREFIX + bytes(block.bytes)


def orientation_in(exif: bytes) -> int | None:
    r"""The orientation that a block states, from 1 to 8; None if it states none or is damaged.

    Args:
        exif: The block as stored in the file, with or without ``Exif\0\0`` in front.
    """
    try:
        block = _Block(exif.removeprefix(PREFIX))
        for entry in block.entries(block.first):
            if entry.tag == _ORIENTATION:
                value = block.number(entry)
                return value if value in range(1, 9) else None
    except (KeyError, struct.error):
        pass
    return None


def names_adobe_rgb(exif: bytes | Tags) -> bool:
    """Whether EXIF says that the colors are those of Adobe RGB (DCF 2.0, 4.4).

    Args:
        exif: A block as stored in a file, or tags from :func:`read_tags`.
    """
    if isinstance(exif, bytes):
        try:
            color_space, index = _Block(exif.removeprefix(PREFIX)).color_space()
        except (KeyError, struct.error):
            return False
    else:
        color_space = exif.get("Exif", {}).get(_COLOR_SPACE)
        index = exif.get("Interop", {}).get(_INTEROPERABILITY_INDEX)
    named = isinstance(index, bytes) and index.startswith(_ADOBE_RGB_INDEX)
    return color_space == _ADOBE_RGB or (color_space == _UNCALIBRATED and named)


def read_tags(source: Path | bytes) -> Tags:
    """Read the tags of a TIFF or RAW file.

    Args:
        source: A file built like a TIFF, or the bytes of a JPEG.

    Raises:
        ExifError: The file has no EXIF that can be read.
    """
    try:
        if isinstance(source, bytes):
            return piexif.load(source)
        return read_directories(source) if piexif_misses(source) else piexif.load(str(source))
    # A damaged block makes piexif raise whatever its indexing runs into.
    except Exception as problem:
        raise ExifError(_UNREADABLE) from problem


def build_block(tags: Tags, size: Size, *, srgb: bool = True, gps: bool = True) -> bytes:
    r"""Build an EXIF block from the tags of a TIFF or RAW file.

    It has the tags on camera, lens, exposure, author and location, and those that Exif requires.

    Args:
        tags: From :func:`read_tags`.
        size: Width and height of the result.
        srgb: Whether the result is sRGB.
        gps: Whether to include the location.

    Returns:
        The block with ``Exif\0\0`` in front.

    Raises:
        ExifError: The tags cannot be written.
    """
    try:
        image = {tag: value for tag, value in tags["0th"].items() if tag in _COPIED}
        exposure = {tag: value for tag, value in tags["Exif"].items() if tag not in _NOT_COPIED}
        image[piexif.ImageIFD.Orientation] = 1
        exposure[piexif.ExifIFD.ColorSpace] = 1 if srgb else 0xFFFF
        exposure[piexif.ExifIFD.PixelXDimension], exposure[piexif.ExifIFD.PixelYDimension] = size
        for directory, required in ((image, _IMAGE_REQUIRED), (exposure, _EXIF_REQUIRED)):
            for tag, value in required.items():
                directory.setdefault(tag, value)
        location = tags["GPS"] if gps else {}
        if location:
            location = {piexif.GPSIFD.GPSVersionID: (2, 3, 0, 0)} | location
        return piexif.dump({"0th": image, "Exif": exposure, "GPS": location})
    # Values of the wrong type make piexif raise whatever its packing runs into.
    except Exception as problem:
        raise ExifError(_UNREADABLE) from problem


def without_orientation(exif: bytes) -> bytes:
    """Remove the orientation from an updated block, for formats that store it elsewhere."""
    block = _Block(exif.removeprefix(PREFIX))
    block.remove(block.first, _ORIENTATION)
    return PREFIX + bytes(block.bytes)


class _Entry(NamedTuple):
    """An entry of a directory.

    Attributes:
        tag: Number of the tag.
        type: Type of the values, see ``_WIDTHS``.
        n_values: Number of values.
        at: Position of the entry in the block.
    """

    tag: int
    type: int
    n_values: int
    at: int


class _Block:
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

    def entries(self, directory: int) -> Iterator[_Entry]:
        """The entries of the directory at this position."""
        for number in range(self._read("H", directory)):
            at = directory + 2 + _ENTRY * number
            tag, type_, n_values = struct.unpack_from(f"{self.order}HHI", self.bytes, at)
            yield _Entry(tag, type_, n_values, at)

    def number(self, entry: _Entry) -> int:
        """The value of an entry that is an integer, or the first one of several."""
        return self._read(_NUMBERS[entry.type], self._value_at(entry))

    def patch(self, directory: int, values: dict[int, int]) -> None:
        """Overwrite the integers of tags that the directory already has."""
        for entry in self.entries(directory):
            if entry.tag in values and entry.type in _NUMBERS and entry.n_values:
                code = _NUMBERS[entry.type]
                self._write(code, self._value_at(entry), values[entry.tag])

    def color_space(self) -> tuple[int | None, bytes | None]:
        """ColorSpace and InteroperabilityIndex."""
        exposure = self._sub_directory(self.first, _EXIF)
        entries = [] if exposure is None else list(self.entries(exposure))
        found = (self.number(entry) for entry in entries if entry.tag == _COLOR_SPACE)
        at = self._interoperability_index()
        return next(found, None), None if at is None else bytes(self.bytes[at : at + 4])

    def patch_interoperability(self, found: bytes, wanted: bytes) -> None:
        """Overwrite the InteroperabilityIndex if it is ``found``."""
        at = self._interoperability_index()
        if at is not None and self.bytes[at : at + len(found)] == found:
            self.bytes[at : at + len(wanted)] = wanted

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

    def drop_gps(self) -> None:
        """Wipe the GPS directory with all its values, and remove its entry from the first one."""
        for entry in self.entries(self.first):
            if entry.tag == _GPS:
                directory = self.number(entry)
                for location_entry in self.entries(directory):
                    self._wipe_value(location_entry)
                self._wipe(directory, self._end(directory) - directory)
        self.remove(self.first, _GPS)

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

    def _interoperability_index(self) -> int | None:
        """Position of the InteroperabilityIndex."""
        exposure = self._sub_directory(self.first, _EXIF)
        if exposure is None:
            return None
        directory = self._sub_directory(exposure, _INTEROPERABILITY)
        entries = [] if directory is None else list(self.entries(directory))
        places = (entry.at + 8 for entry in entries if entry.tag == _INTEROPERABILITY_INDEX)
        return next(places, None)

    def _sub_directory(self, directory: int, tag: int) -> int | None:
        """Position of the directory to which a tag points."""
        return next((self.number(one) for one in self.entries(directory) if one.tag == tag), None)

    def _value_at(self, entry: _Entry) -> int:
        """Position of the values: in the entry itself if it has room for them."""
        inline = _WIDTHS.get(entry.type, 1) * entry.n_values <= _INLINE
        return entry.at + 8 if inline else self._read("I", entry.at + 8)

    def _wipe_value(self, entry: _Entry) -> None:
        length = _WIDTHS.get(entry.type, 1) * entry.n_values
        if length > _INLINE:
            self._wipe(self._read("I", entry.at + 8), length)

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

"""EXIF that goes with a photo into its result.

An EXIF block from a JPEG, PNG or WebP file is carried byte by byte, since MakerNotes hold offsets
that no library rewrites; the few values that the result changes are patched where they stand. The
block of a TIFF or RAW file is the file itself, so what matters to a photographer is copied out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import piexif
import rawpy

from enhance_cli.imaging.formats import TIFF, is_raw

_PREFIX = b"Exif\x00\x00"

_EXIF_POINTER = 0x8769
_SIZES = {3: "H", 4: "I"}  # SHORT and LONG, the types in which EXIF gives the values patched here

_IMAGE_TAGS = frozenset(
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
_NOT_THE_RESULTS = frozenset(
    {
        piexif.ExifIFD.MakerNote,  # its offsets point into the file that it comes from
        piexif.ExifIFD.ColorSpace,
        piexif.ExifIFD.PixelXDimension,
        piexif.ExifIFD.PixelYDimension,
        piexif.ExifIFD.InteroperabilityTag,
        piexif.ExifIFD.CFAPattern,
    }
)


class MetadataError(Exception):
    """A block that cannot be understood; a photo never fails for it."""


@dataclass(frozen=True)
class _Entry:
    """Where an IFD entry of one inline number stands."""

    tag: int
    kind: int
    offset: int
    value: int


def for_result(path: Path, exif: bytes | None, width: int, height: int) -> bytes | None:
    """Find the EXIF block that belongs into a photo's result.

    Args:
        path: The photo.
        exif: The block that its decoder found, if any.
        width: Of the result.
        height: Of the result.

    Returns:
        The block, or None where the photo has none.

    Raises:
        MetadataError: The photo's EXIF cannot be read.
    """
    if is_raw(path):
        return _of_raw(path, width, height)
    if exif:
        return carried(exif, width, height)
    if path.suffix.lower() in TIFF:
        return copied(path, width, height)
    return None


def carried(exif: bytes, width: int, height: int) -> bytes:
    r"""Make an EXIF block true of the result and leave all other bytes as they are.

    Orientation becomes 1, the pixel dimensions those of the result, and the thumbnail, which would
    be stale, is unlinked.

    Args:
        exif: The block as it stands in the file, with or without ``Exif\0\0``.
        width: Of the result.
        height: Of the result.

    Returns:
        The block with ``Exif\0\0`` in front.

    Raises:
        MetadataError: The block is damaged.
    """
    block = bytearray(exif.removeprefix(_PREFIX))
    try:
        order = {b"II": "<", b"MM": ">"}[bytes(block[:2])]
        first = struct.unpack_from(f"{order}I", block, 4)[0]
        _patch(block, order, first, {0x0112: 1, 0x0100: width, 0x0101: height})
        for entry in _entries(block, order, first):
            if entry.tag == _EXIF_POINTER:
                _patch(block, order, entry.value, {0xA002: width, 0xA003: height, 0xA001: 1})
        count = struct.unpack_from(f"{order}H", block, first)[0]
        struct.pack_into(f"{order}I", block, first + 2 + 12 * count, 0)
    except (KeyError, struct.error) as problem:
        raise MetadataError("its EXIF block is damaged and was left out") from problem
    return _PREFIX + bytes(block)


def copied(source: Path | bytes, width: int, height: int) -> bytes:
    """Build an EXIF block from what a TIFF or RAW file says of camera, lens, exposure and place.

    Args:
        source: A file built like a TIFF, or a JPEG's bytes.
        width: Of the result.
        height: Of the result.

    Raises:
        MetadataError: The file holds no EXIF that can be read.
    """
    try:
        loaded = piexif.load(source if isinstance(source, bytes) else str(source))
        image = {tag: value for tag, value in loaded["0th"].items() if tag in _IMAGE_TAGS}
        exposure = {
            tag: value for tag, value in loaded["Exif"].items() if tag not in _NOT_THE_RESULTS
        }
        image[piexif.ImageIFD.Orientation] = 1
        exposure[piexif.ExifIFD.ColorSpace] = 1
        exposure[piexif.ExifIFD.PixelXDimension] = width
        exposure[piexif.ExifIFD.PixelYDimension] = height
        return piexif.dump({"0th": image, "Exif": exposure, "GPS": loaded["GPS"]})
    # A damaged block makes piexif raise whatever its indexing runs into.
    except Exception as problem:
        raise MetadataError("its EXIF cannot be read and was left out") from problem


def _of_raw(path: Path, width: int, height: int) -> bytes:
    try:
        return copied(path, width, height)
    except MetadataError:
        # Not built like a TIFF; its preview is a JPEG, which often holds the same EXIF.
        try:
            with rawpy.imread(str(path)) as raw:
                preview = raw.extract_thumb().data
        except rawpy.LibRawError:
            preview = None
        if not isinstance(preview, bytes):
            raise
        return copied(preview, width, height)


def _entries(block: bytearray, order: str, directory: int) -> Iterator[_Entry]:
    count = struct.unpack_from(f"{order}H", block, directory)[0]
    for offset in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(f"{order}HHI", block, offset)
        if kind in _SIZES and length == 1:
            value = struct.unpack_from(f"{order}{_SIZES[kind]}", block, offset + 8)[0]
            yield _Entry(tag, kind, offset + 8, value)


def _patch(block: bytearray, order: str, directory: int, values: dict[int, int]) -> None:
    for entry in _entries(block, order, directory):
        if entry.tag in values:
            struct.pack_into(f"{order}{_SIZES[entry.kind]}", block, entry.offset, values[entry.tag])

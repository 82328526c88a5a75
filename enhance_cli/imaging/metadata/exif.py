"""EXIF blocks, updated to match the output image.

A block from a JPEG, PNG, WebP, AVIF or HEIC file is kept byte by byte and patched in place, since
MakerNotes contain offsets that no library rewrites. A TIFF or RAW file is itself one large block,
so the tags that matter to a photographer are copied to a new one.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import piexif
from PIL import Image

from enhance_cli.imaging.metadata.exif_block import (
    COLOR_SPACE,
    EXIF_DIRECTORY,
    INTEROPERABILITY_INDEX,
    ORIENTATION,
    ExifBlock,
)
from enhance_cli.imaging.metadata.location import TEXTS_LOST
from enhance_cli.imaging.metadata.lost_tags import LEFT_OUT, describe_tags
from enhance_cli.imaging.metadata.tiff_tags import DamagedTiffError, TagId, read_directories
from enhance_cli.imaging.resize import Size

PREFIX = b"Exif\x00\x00"
"""Beginning of a block in a JPEG, which other formats may leave out."""

Tags = Mapping[str, Any]
"""Tags by directory, as piexif gives them."""

_SRGB, _UNCALIBRATED, _ADOBE_RGB = 1, 0xFFFF, 2
"""ColorSpace of sRGB, of all else, and of Adobe RGB as some cameras write it."""

_SRGB_INDEX, _ADOBE_RGB_INDEX = b"R98", b"R03"
"""InteroperabilityIndex of files in sRGB and in Adobe RGB (DCF 2.0, 5.2)."""

COPIED = frozenset(
    {
        piexif.ImageIFD.DocumentName,
        piexif.ImageIFD.ImageDescription,
        piexif.ImageIFD.Make,
        piexif.ImageIFD.Model,
        piexif.ImageIFD.Software,
        piexif.ImageIFD.DateTime,
        piexif.ImageIFD.Artist,
        piexif.ImageIFD.Copyright,
        piexif.ImageIFD.HostComputer,
        piexif.ImageIFD.Rating,
        piexif.ImageIFD.RatingPercent,
        piexif.ImageIFD.XPTitle,
        piexif.ImageIFD.XPComment,
        piexif.ImageIFD.XPAuthor,
        piexif.ImageIFD.XPKeywords,
        piexif.ImageIFD.XPSubject,
    }
)
"""Tags of the first directory that are copied from TIFF and RAW files, and to TIFF files."""

_NOT_COPIED = frozenset(
    {
        piexif.ImageIFD.DocumentName,
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

_CAMERA = piexif.ImageIFD.Make, piexif.ImageIFD.Model

_RESOLUTIONS = piexif.ImageIFD.XResolution, piexif.ImageIFD.YResolution
_UNITS, _INCH = (1, 2, 3), 2
"""Units of the resolution: none, inch, centimeter (TIFF 6.0, section 8)."""

_UNREADABLE = "its EXIF cannot be read and was left out"
_RESCUED = "its EXIF block is damaged; what can be read of it was kept, without MakerNotes"


class ExifError(Exception):
    """EXIF cannot be read or written; the photo is retouched without it."""


def without_prefix(exif: bytes) -> bytes:
    r"""A block without ``Exif\0\0`` in front, which some programs write twice."""
    while exif.startswith(PREFIX):
        exif = exif[len(PREFIX) :]
    return exif


def update_block(
    exif: bytes,
    size: Size,
    *,
    srgb: bool = True,
    gps: bool = True,
    lost: list[str] | None = None,
) -> bytes:
    r"""Update an EXIF block to match the result, and leave all else as it is.

    The orientation becomes 1, the pixel dimensions become those of the result, and the thumbnail,
    which would be out of date, is removed.

    Args:
        exif: The block as stored in the file, with or without ``Exif\0\0`` in front.
        size: Width and height of the result.
        srgb: Whether the result is sRGB; EXIF calls other color spaces "uncalibrated".
        gps: Whether to keep the location. If not, all that is not known to be free of it goes,
            MakerNotes among it.
        lost: Gets a line for tags without location that go with it.

    Returns:
        The block with ``Exif\0\0`` in front.

    Raises:
        ExifError: The block is damaged.
    """
    try:
        block = ExifBlock(without_prefix(exif))
        block.patch(block.first, {ORIENTATION: 1, 0x0100: size[0], 0x0101: size[1]})
        color_space = _SRGB if srgb else _UNCALIBRATED
        pointers = (one for one in block.entries(block.first) if one.tag == EXIF_DIRECTORY)
        for pointer in islice(pointers, 1):
            values = {COLOR_SPACE: color_space, 0xA002: size[0], 0xA003: size[1]}
            block.patch(block.number(pointer), values)
        if srgb:
            block.patch_interoperability(_ADOBE_RGB_INDEX, _SRGB_INDEX)
        block.drop_thumbnail()
        stripped = None if gps else block.strip_location()
    except (KeyError, struct.error) as problem:
        raise ExifError("its EXIF block is damaged and was left out") from problem
    if stripped is not None and lost is not None:
        lost += describe_tags(stripped.damaged, LEFT_OUT)
        lost += [TEXTS_LOST] if stripped.texts else []
    return PREFIX + bytes(block.bytes)


def rescued_block(
    exif: bytes, size: Size, *, srgb: bool = True, gps: bool = True, lost: list[str]
) -> bytes | None:
    """Build an EXIF block from what can be read of a damaged one.

    Args:
        exif: The block as stored in the file.
        size: As in :func:`update_block`, like ``srgb`` and ``gps``.
        srgb: See there.
        gps: See there.
        lost: Gets lines for what was left out.

    Returns:
        The block; None if nothing can be read.
    """
    damaged: list[TagId] = []
    try:
        tags = read_block(exif, damaged)
        if not any(_is_copied(name, tag) for name, found in tags.items() for tag in found):
            return None
        dropped: list[str] = []
        block = build_block(tags, size, srgb=srgb, gps=gps, lost=dropped)
    except ExifError:
        return None
    lost += [_RESCUED, *describe_tags(damaged, LEFT_OUT), *dropped]
    return block


def camera_in(found: bytes | Tags | None) -> tuple[str, ...]:
    """Make and model of the camera, as far as a block or tags state them.

    Args:
        found: The EXIF block as stored in the file, or tags by directory.
    """
    if isinstance(found, bytes):
        values = _camera_by_pillow(found) or _camera_in_tags(_tags_of(found))
    else:
        values = _camera_in_tags(found or {})
    texts = (one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in values)
    plain = (one.split("\0")[0].strip() for one in texts if isinstance(one, str))
    return tuple(one for one in plain if one)


def _camera_by_pillow(found: bytes) -> list[Any]:
    """Make and model, read fast; nothing if the block is damaged, or newer than Pillow."""
    block = Image.Exif()
    try:
        block.load(found)
        return [value for tag in _CAMERA if (value := block.get(tag))]
    except Exception:  # a damaged block, which fails in many ways
        return []


def _camera_in_tags(tags: Tags) -> list[Any]:
    return [tags.get("0th", {}).get(tag) for tag in _CAMERA]


def _tags_of(found: bytes) -> Tags:
    try:
        return read_block(found)
    except ExifError:
        return {}


def orientation_in(exif: bytes) -> int | None:
    r"""The orientation that a block states, from 1 to 8; None if it states none or is damaged.

    Args:
        exif: The block as stored in the file, with or without ``Exif\0\0`` in front.
    """
    try:
        block = ExifBlock(without_prefix(exif))
        for entry in block.entries(block.first):
            if entry.tag == ORIENTATION:
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
            color_space, index = ExifBlock(without_prefix(exif)).color_space()
        except (KeyError, struct.error):
            return False
    else:
        color_space = exif.get("Exif", {}).get(COLOR_SPACE)
        index = exif.get("Interop", {}).get(INTEROPERABILITY_INDEX)
    named = isinstance(index, bytes) and index.startswith(_ADOBE_RGB_INDEX)
    return color_space == _ADOBE_RGB or (color_space == _UNCALIBRATED and named)


def read_tags(source: Path | bytes, damaged: list[TagId] | None = None) -> Tags:
    """Read the tags of a TIFF or RAW file.

    Args:
        source: A file built like a TIFF, or the bytes of a JPEG.
        damaged: Gets the tags that a result would have if they could be read.

    Returns:
        The tags, without damaged ones.

    Raises:
        ExifError: The file has no EXIF that can be read with reasonable memory.
    """
    found: list[TagId] = []
    try:
        content = source
        if isinstance(source, bytes):
            content = source[source.index(PREFIX) + len(PREFIX) :]
        tags = read_directories(content, found)
    except (DamagedTiffError, ValueError, OSError, struct.error) as problem:
        raise ExifError(_UNREADABLE) from problem
    lost = [one for one in found if _is_copied(*one)]
    if lost and not (tags["Exif"] or tags["GPS"] or COPIED & tags["0th"].keys()):
        raise ExifError(_UNREADABLE)
    if damaged is not None:
        damaged += lost
    return tags


def read_block(exif: bytes, damaged: list[TagId] | None = None) -> Tags:
    r"""Read the tags of an EXIF block.

    Args:
        exif: The block as stored in the file, with or without ``Exif\0\0`` in front.
        damaged: As in :func:`read_tags`.

    Returns:
        The tags, without damaged ones.

    Raises:
        ExifError: It cannot be read.
    """
    return read_tags(PREFIX + without_prefix(exif), damaged)


def _is_copied(name: str, tag: int | None) -> bool:
    """Whether :func:`build_block` copies a tag, or any of a directory."""
    if tag is None or name == "GPS":
        return name != "Interop"
    if name == "0th":
        return tag in COPIED
    return name == "Exif" and tag in piexif.TAGS["Exif"] and tag not in _NOT_COPIED


def build_block(
    tags: Tags,
    size: Size,
    *,
    srgb: bool = True,
    gps: bool = True,
    lost: list[str] | None = None,
) -> bytes:
    r"""Build an EXIF block from the tags of a TIFF or RAW file.

    It has the tags on camera, lens, exposure, author and location, and those that Exif requires.

    Args:
        tags: From :func:`read_tags`.
        size: Width and height of the result.
        srgb: Whether the result is sRGB.
        gps: Whether to include the location.
        lost: Gets a line for what was left out, except for the location.

    Returns:
        The block with ``Exif\0\0`` in front.

    Raises:
        ExifError: The tags cannot be written.
    """
    try:
        image = {tag: value for tag, value in tags["0th"].items() if tag in COPIED}
        image |= _resolution(tags["0th"])
        exposure = {tag: value for tag, value in tags["Exif"].items() if tag not in _NOT_COPIED}
        image[piexif.ImageIFD.Orientation] = 1
        exposure[piexif.ExifIFD.ColorSpace] = _SRGB if srgb else _UNCALIBRATED
        exposure[piexif.ExifIFD.PixelXDimension], exposure[piexif.ExifIFD.PixelYDimension] = size
        for directory, required in ((image, _IMAGE_REQUIRED), (exposure, _EXIF_REQUIRED)):
            for tag, value in required.items():
                directory.setdefault(tag, value)
        location = tags["GPS"] if gps else {}
        if location:
            location = {piexif.GPSIFD.GPSVersionID: (2, 3, 0, 0)} | location
        dumped, dropped = _dumped({"0th": image, "Exif": exposure, "GPS": location})
    # Values of the wrong type make piexif raise whatever its packing runs into.
    except Exception as problem:
        raise ExifError(_UNREADABLE) from problem
    if lost is not None:
        lost += describe_tags(dropped, LEFT_OUT)
    return dumped if gps else update_block(dumped, size, srgb=srgb, gps=False, lost=lost)


def _resolution(first: Mapping[int, Any]) -> dict[int, Any]:
    """The resolution that a first directory states, and its unit; nothing if it states none."""
    found = {tag: first.get(tag) for tag in _RESOLUTIONS}
    for value in found.values():
        if not (isinstance(value, tuple) and len(value) == 2 and all(value)):
            return {}
    unit = first.get(piexif.ImageIFD.ResolutionUnit)
    return found | {piexif.ImageIFD.ResolutionUnit: unit if unit in _UNITS else _INCH}


def _dumped(tags: Mapping[str, dict[int, Any]]) -> tuple[bytes, list[TagId]]:
    """The block of these tags, and those that piexif cannot write."""
    try:
        return piexif.dump(tags), []
    except Exception:  # whatever its packing runs into
        found = [(name, tag) for name, values in tags.items() for tag in values]
        lost = [(name, tag) for name, tag in found if not _is_writable(name, tag, tags[name][tag])]
        kept = {
            name: {tag: value for tag, value in values.items() if (name, tag) not in lost}
            for name, values in tags.items()
        }
        return piexif.dump(kept), [*lost]


def _is_writable(name: str, tag: int, value: Any) -> bool:
    try:
        piexif.dump({name: {tag: value}})
    except Exception:
        return False
    return True


def without_orientation(exif: bytes) -> bytes:
    """Remove the orientation from an updated block, for formats that store it elsewhere."""
    block = ExifBlock(without_prefix(exif))
    block.remove(block.first, ORIENTATION)
    return PREFIX + bytes(block.bytes)

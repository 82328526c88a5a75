"""Writing TIFF."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import IO, Any

import numpy as np
import tifffile

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.stored_image import stored_channels, wants_sixteen_bits
from enhance_cli.imaging.codecs.tiff.open_tiff import open_tiff
from enhance_cli.imaging.metadata.exif import COPIED, PREFIX
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.metadata.read import TIFF_IPTC, TIFF_XMP
from enhance_cli.imaging.metadata.tiff_tags import StoredTag, TagId, stored_directories
from enhance_cli.imaging.photo import Photo

_DIRECTORIES = {"Exif": 34665, "GPS": 34853}
"""Tags of the first directory that point to the EXIF and the GPS directory."""

_INTEROPERABILITY = 40965
"""Tag of the EXIF directory that points to another one."""

_COPIED_TYPES = {1: 1, 2: 2, 3: 3, 4: 4, 7: 7, 129: 2}
"""Types of the tags that are copied, and those that tifffile writes."""

_RESOLUTIONS, _RESOLUTION_UNIT = (282, 283), 296
_NO_UNIT, _INCH, _CENTIMETER = 1, 2, 3
"""Tags of the resolution and its unit, and units."""

_LONG, _ENTRY = 4, struct.Struct("<HHI4s")
_MAKER_NOTE = 37500

_PLACEHOLDER = 1
"""tifffile does not write the tags of directories. Tags with numbers lower by this amount keep
their places, until :func:`_append` overwrites them."""


def write_tiff(photo: Photo, path: Path, encoding: Encoding, metadata: Metadata) -> None:
    """Write a TIFF with 8 or 16 bits per channel, compressed by Deflate with a predictor."""
    dtype = np.dtype(np.uint16 if wants_sixteen_bits(photo, encoding) else np.uint8)
    found = _found_in(metadata)
    tags: list[tuple[Any, ...]] = [
        (tag, _COPIED_TYPES[one.type], one.n_values, one.content, True)
        for tag, one in found["0th"].items()
        if tag in COPIED and one.type in _COPIED_TYPES
    ]
    for tag, content in ((TIFF_XMP, metadata.xmp), (TIFF_IPTC, metadata.iptc)):
        tags += [(tag, "B", len(content), content, True)] if content else []
    directories = {tag: found[name] for name, tag in _DIRECTORIES.items() if found[name]}
    tags += [(tag - _PLACEHOLDER, "I", 1, 0, True) for tag in directories]
    resolution, unit = (metadata.dpi, _INCH) if metadata.dpi else _resolution(found["0th"])
    tifffile.imwrite(
        path,
        stored_channels(photo, dtype),
        resolution=resolution,
        resolutionunit=unit,
        photometric="minisblack" if photo.grey else "rgb",
        compression="adobe_deflate",
        predictor=True,
        extrasamples=["unassalpha"] if photo.alpha is not None else None,
        iccprofile=photo.icc_profile,
        extratags=tags,
        metadata=None,
        software=False,
        byteorder="<",
    )
    _append(path, directories, found["Interop"])


def unreadable_tags(metadata: Metadata) -> list[TagId]:
    """The tags of the EXIF block that :func:`write_tiff` leaves out since they are damaged."""
    damaged: list[TagId] = []
    found = _found_in(metadata, damaged)["0th"]
    damaged += [("0th", tag) for tag, one in found.items() if one.type not in _COPIED_TYPES]
    return [(name, tag) for name, tag in damaged if tag in COPIED or tag is None or name != "0th"]


def _found_in(
    metadata: Metadata, damaged: list[TagId] | None = None
) -> dict[str, dict[int, StoredTag]]:
    """The tags of the EXIF block by directory, but for MakerNotes.

    These contain offsets that are valid in one file only.

    Args:
        metadata: Metadata of the result.
        damaged: Gets the tags that cannot be read.
    """
    if metadata.exif_block is None:
        return {key: {} for key in ("0th", "Exif", "GPS", "Interop")}
    found = stored_directories(metadata.exif_block.removeprefix(PREFIX), damaged)
    found["Exif"].pop(_MAKER_NOTE, None)
    return found


def _resolution(first: dict[int, StoredTag]) -> tuple[tuple[float, float] | None, int]:
    """Resolution that EXIF states, horizontal and vertical, and its unit; None if it has none."""
    try:
        horizontal, vertical = (struct.unpack("<II", first[tag].content) for tag in _RESOLUTIONS)
        unit = first.get(_RESOLUTION_UNIT)
        number = _INCH if unit is None else int.from_bytes(unit.content, "little")
        values = horizontal[0] / horizontal[1], vertical[0] / vertical[1]
    except (KeyError, struct.error, ZeroDivisionError):
        return None, _NO_UNIT
    known = number in (_NO_UNIT, _INCH, _CENTIMETER) and all(values)
    return (values, number) if known else (None, _NO_UNIT)


def _append(
    path: Path, directories: dict[int, dict[int, StoredTag]], interoperability: dict[int, StoredTag]
) -> None:
    """Append the EXIF and GPS directories to a TIFF, and point their placeholders to them."""
    with open_tiff(path) as tiff:
        entries_at = {tag: tiff.pages.first.tags[tag - _PLACEHOLDER].offset for tag in directories}
    with path.open("r+b") as file:
        for tag, found in directories.items():
            entries = {one: value for one, value in found.items() if one != _INTEROPERABILITY}
            if _INTEROPERABILITY in found and interoperability:
                offset = _append_directory(file, interoperability)
                entries[_INTEROPERABILITY] = StoredTag(_LONG, 1, struct.pack("<I", offset))
            offset = _append_directory(file, entries)
            file.seek(entries_at[tag])
            file.write(_ENTRY.pack(tag, _LONG, 1, struct.pack("<I", offset)))


def _append_directory(file: IO[bytes], entries: dict[int, StoredTag]) -> int:
    """Append a directory to a little-endian TIFF (TIFF 6.0, section 2); return where it begins."""
    end = file.seek(0, os.SEEK_END)
    file.write(bytes(end % 2))  # directories and values begin on even bytes
    start = end + end % 2
    values_at = start + 2 + _ENTRY.size * len(entries) + 4
    directory, values = struct.pack("<H", len(entries)), b""
    for tag, one in sorted(entries.items()):
        place = one.content
        if len(place) > 4:
            place = struct.pack("<I", values_at + len(values))
            values += one.content + bytes(len(one.content) % 2)
        directory += _ENTRY.pack(tag, one.type, one.n_values, place)
    file.write(directory + bytes(4) + values)
    return start

"""What a file says of a photo beside its pixels, and what of it goes into the result."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import rawpy
import tifffile
from PIL import Image

from enhance_cli.config import KeepMetadata
from enhance_cli.imaging import exif, xmp
from enhance_cli.imaging.formats import TIFF, is_raw

IPTC_RESOURCE = 0x0404
"""Photoshop's resource that holds the IPTC records (IPTC-NAA)."""

TIFF_XMP, TIFF_IPTC, _TIFF_PHOTOSHOP = 700, 33723, 34377
_LIMIT = 2**22
"""Bytes of a block that is carried; more is no photographer's text."""

PNG_XMP = "XML:com.adobe.xmp"
"""Keyword of the text that holds a PNG's XMP packet (XMP part 3, 1.1.5)."""

_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496"


@dataclass(frozen=True)
class Metadata:
    """What a file says of a photo.

    Attributes:
        exif: The EXIF block, as it stands in the file.
        xmp: The XMP packet.
        long_xmp: The parts of a JPEG's long packet, each as it stands in its segment.
        iptc: The IPTC records.
        comment: Of a JPEG.
        texts: Of a PNG: titles, authors and the like.
        dots: Per inch, across and down.
        gain_map: Whether the file holds an HDR gain map, which no result does.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    long_xmp: tuple[bytes, ...] = ()
    iptc: bytes | None = None
    comment: bytes | None = None
    texts: tuple[tuple[str, str], ...] = ()
    dots: tuple[float, float] | None = None
    gain_map: bool = False


NOTHING = Metadata()


def found_in(image: Image.Image) -> Metadata:
    """Collect what Pillow found in an opened picture; what is damaged is left out."""
    info = image.info
    packet = info.get("xmp")
    return Metadata(
        exif=_block(info.get("exif")),
        xmp=_block(packet.encode() if isinstance(packet, str) else packet),
        long_xmp=tuple(part for part in _segments(image, 1) if part.startswith(xmp.EXTENSION)),
        iptc=_block(_iptc(image)),
        comment=_block(info.get("comment")) if image.format in {"JPEG", "MPO"} else None,
        texts=_texts(image),
        dots=_dots(info.get("dpi")),
        gain_map=_has_gain_map(image),
    )


def for_result(
    path: Path,
    found: Metadata,
    size: tuple[int, int],
    *,
    srgb: bool = True,
    keep: KeepMetadata = "all",
) -> tuple[Metadata, tuple[str, ...]]:
    """Make a photo's metadata true of its result.

    Args:
        path: The photo.
        found: What its decoder found in it.
        size: Width and height of the result.
        srgb: Whether the result is sRGB.
        keep: All, all but the place, or nothing.

    Returns:
        The metadata, and a line for each part that was lost; a photo never fails for it.
    """
    notes = ["its HDR gain map was left out"] if found.gain_map else []
    if keep == "none":
        return NOTHING, tuple(notes)
    gps = keep != "no-gps"
    block = None
    try:
        block = _exif_for(path, found.exif, size, srgb, gps)
    except exif.ExifError as problem:
        notes.append(str(problem))
    packet, parts = found.xmp, found.long_xmp if gps else ()
    if packet is not None and xmp.is_readable(packet):
        packet = xmp.carried(packet, size, gps=gps, long=bool(parts))
    elif packet is not None:
        packet = None
        notes.append("its XMP packet cannot be read and was left out")
    return replace(found, exif=block, xmp=packet, long_xmp=parts), tuple(notes)


def _exif_for(
    path: Path, block: bytes | None, size: tuple[int, int], srgb: bool, gps: bool
) -> bytes | None:
    if is_raw(path):
        return _of_raw(path, size, gps)
    if path.suffix.lower() in TIFF:
        return exif.copied(path, size, srgb=srgb, gps=gps)
    return exif.carried(block, size, srgb=srgb, gps=gps) if block else None


def _of_raw(path: Path, size: tuple[int, int], gps: bool) -> bytes:
    try:
        return exif.copied(path, size, gps=gps)
    except exif.ExifError:
        # Not built like a TIFF; its preview is a JPEG, which often holds the same EXIF.
        try:
            with rawpy.imread(str(path)) as raw:
                preview = raw.extract_thumb().data
        except rawpy.LibRawError:
            preview = None
        if not isinstance(preview, bytes):
            raise
        return exif.copied(preview, size, gps=gps)


def _block(value: object) -> bytes | None:
    """Bytes that are neither empty nor absurd."""
    return value if isinstance(value, bytes) and 0 < len(value) <= _LIMIT else None


def _iptc(image: Image.Image) -> object:
    if image.format == "TIFF":
        # Pillow keeps one number of records that are stored as LONGs, as Adobe's programs do.
        with tifffile.TiffFile(image.filename) as tiff:  # type: ignore[attr-defined]
            records, resources = (_tag_bytes(tiff, tag) for tag in (TIFF_IPTC, _TIFF_PHOTOSHOP))
        return records or _resource(resources, IPTC_RESOURCE)
    return image.info.get("photoshop", {}).get(IPTC_RESOURCE)


def _tag_bytes(tiff: tifffile.TiffFile, number: int) -> bytes | None:
    tag = tiff.pages.first.tags.get(number)
    if tag is None or tag.valuebytecount > _LIMIT:
        return None
    tiff.filehandle.seek(tag.valueoffset)
    return tiff.filehandle.read(tag.valuebytecount)


def _resource(block: object, number: int) -> bytes | None:
    """One of Photoshop's image resources (Adobe Photoshop File Formats, image resource blocks)."""
    at = 0
    while isinstance(block, bytes) and block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        found, name = struct.unpack_from(">HB", block, at + 4)
        start = at + 6 + (name + 2) // 2 * 2
        if start + 4 > len(block):
            break
        length = struct.unpack_from(">I", block, start)[0]
        if found == number:
            return block[start + 4 : start + 4 + length]
        at = start + 4 + (length + 1) // 2 * 2
    return None


def _segments(image: Image.Image, number: int) -> Iterator[bytes]:
    """A JPEG's application segments of one number."""
    for name, content in getattr(image, "applist", []):
        if name == f"APP{number}":
            yield content


def _texts(image: Image.Image) -> tuple[tuple[str, str], ...]:
    if image.format != "PNG":
        return ()
    return tuple(
        (str(key), str(value))
        for key, value in image.info.items()
        if isinstance(value, str) and len(value) <= _LIMIT and key != PNG_XMP
    )


def _dots(value: Any) -> tuple[float, float] | None:
    try:
        across, down = (float(one) for one in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if min(across, down) >= 1 and max(across, down) < 2**15 else None


def _has_gain_map(image: Image.Image) -> bool:
    """By the marks of Adobe, Google, Apple and ISO 21496-1."""
    if any("hdrgainmap" in str(name).lower() for name in image.info.get("aux", ())):
        return True
    packet = image.info.get("xmp")
    if isinstance(packet, bytes) and xmp.names_gain_map(packet):
        return True
    return any(content.startswith(_ISO_GAIN_MAP) for content in _segments(image, 2))

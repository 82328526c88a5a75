"""Reading the metadata of an image that Pillow has opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tifffile
from PIL import Image

from enhance_cli.imaging.metadata import exif, iptc, xmp
from enhance_cli.imaging.metadata.metadata import Metadata

TIFF_XMP, TIFF_IPTC, _TIFF_PHOTOSHOP = 700, 33723, 34377
"""TIFF tags of the XMP packet, the IPTC records and Photoshop's resources."""

_RESOLUTIONS, _RESOLUTION_UNIT = (282, 283), 296
_UNITS_PER_INCH = {2: 1.0, 3: 2.54}
"""TIFF tags of the resolution and its unit, inch or centimeter."""

PNG_XMP = "XML:com.adobe.xmp"
"""Keyword of the text chunk that holds a PNG's XMP packet (XMP part 3, 1.1.5)."""

MAX_LENGTH = 2**22
"""Longest block that is kept, in bytes. No photographer writes more."""

_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496"


def read_tiff_metadata(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> Metadata:
    """Collect the metadata of an opened TIFF, but for its EXIF tags.

    :func:`enhance_cli.imaging.metadata.exif.read_tags` reads those.

    Args:
        tiff: The file.
        page: The page whose pixels are read. What it does not state, the first page may.
    """
    records, resources = (_tag_bytes(tiff, page, tag) for tag in (TIFF_IPTC, _TIFF_PHOTOSHOP))
    return Metadata(
        xmp=_block(_tag_bytes(tiff, page, TIFF_XMP)),
        iptc=_block(records or iptc.records_in(resources)),
        dpi=_dpi(_tiff_resolution(page)),
        gain_map=xmp.names_gain_map(_tag_bytes(tiff, page, TIFF_XMP) or b""),
    )


def read_metadata(image: Image.Image) -> Metadata:
    """Collect the metadata of an opened image; damaged parts are left out."""
    info = image.info
    packet = info.get("xmp")
    return Metadata(
        exif=_block(info.get("exif")),
        xmp=_block(packet.encode() if isinstance(packet, str) else packet),
        long_xmp=tuple(part for part in _segments(image, 1) if part.startswith(xmp.EXTENSION)),
        iptc=_block(_iptc(image)),
        comment=_block(info.get("comment")) if image.format in {"JPEG", "MPO"} else None,
        texts=_texts(image),
        dpi=_dpi(info.get("dpi")),
        gain_map=_has_gain_map(image),
    )


def orientation_of(image: Image.Image) -> int:
    """The orientation of an opened image, as EXIF or else XMP states it; 1 is upright."""
    block, packet = image.info.get("exif"), image.info.get("xmp")
    found = exif.orientation_in(block) if isinstance(block, bytes) else None
    if found is None and isinstance(packet, bytes):
        found = xmp.orientation_in(packet)
    return found or 1


def _block(value: object) -> bytes | None:
    """The value, if it is a block of bytes of reasonable length."""
    return value if isinstance(value, bytes) and 0 < len(value) <= MAX_LENGTH else None


def _iptc(image: Image.Image) -> object:
    return image.info.get("photoshop", {}).get(iptc.RESOURCE)


def _tiff_resolution(page: tifffile.TiffPage) -> tuple[float, ...]:
    """Dots per inch, horizontal and vertical; nothing if the page does not state them."""
    scale = _UNITS_PER_INCH.get(page.tags.valueof(_RESOLUTION_UNIT, 2))
    values = [page.tags.valueof(tag) for tag in _RESOLUTIONS]
    try:
        return tuple(dots / per * scale for dots, per in values)
    except (TypeError, ValueError, ZeroDivisionError):
        return ()


def _tag_bytes(tiff: tifffile.TiffFile, page: tifffile.TiffPage, number: int) -> bytes | None:
    """The bytes of a tag's values; Adobe stores IPTC records as LONGs."""
    tag = page.tags.get(number) or tiff.pages.first.tags.get(number)
    if tag is None or tag.valuebytecount > MAX_LENGTH:
        return None
    tiff.filehandle.seek(tag.valueoffset)
    return tiff.filehandle.read(tag.valuebytecount)


def _segments(image: Image.Image, number: int) -> Iterator[bytes]:
    """The contents of a JPEG's APPn segments, with ``number`` as n."""
    for name, content in getattr(image, "applist", []):
        if name == f"APP{number}":
            yield content


def _texts(image: Image.Image) -> tuple[tuple[str, str], ...]:
    if image.format != "PNG":
        return ()
    return tuple(
        (str(key), str(value))
        for key, value in image.info.items()
        if isinstance(value, str) and len(value) <= MAX_LENGTH and key != PNG_XMP
    )


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        horizontal, vertical = (float(resolution) for resolution in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    plausible = min(horizontal, vertical) >= 1 and max(horizontal, vertical) < 2**15
    return (horizontal, vertical) if plausible else None


def _has_gain_map(image: Image.Image) -> bool:
    """Whether there is an HDR gain map of Adobe, Google, Apple or ISO 21496-1."""
    if any("hdrgainmap" in str(name).lower() for name in image.info.get("aux", ())):
        return True
    packet = image.info.get("xmp")
    if isinstance(packet, bytes) and xmp.names_gain_map(packet):
        return True
    return any(content.startswith(_ISO_GAIN_MAP) for content in _segments(image, 2))

"""Reading the metadata of an image that Pillow has opened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tifffile
from PIL import Image

from enhance_cli.imaging.metadata import iptc, xmp
from enhance_cli.imaging.metadata.metadata import Metadata

TIFF_XMP, TIFF_IPTC, _TIFF_PHOTOSHOP = 700, 33723, 34377
"""TIFF tags of the XMP packet, the IPTC records and Photoshop's resources."""

PNG_XMP = "XML:com.adobe.xmp"
"""Keyword of the text chunk that holds a PNG's XMP packet (XMP part 3, 1.1.5)."""

_MAX_LENGTH = 2**22
"""Longest block that is kept, in bytes. No photographer writes more."""

_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496"


def read_metadata(image: Image.Image) -> Metadata:
    """Collect the metadata of an opened image; damaged parts are left out.

    A TIFF's own EXIF tags are not included, since Pillow does not keep them as they are:
    :func:`enhance_cli.imaging.metadata.exif.read_tags` reads them from the file.
    """
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


def _block(value: object) -> bytes | None:
    """The value, if it is a block of bytes of reasonable length."""
    return value if isinstance(value, bytes) and 0 < len(value) <= _MAX_LENGTH else None


def _iptc(image: Image.Image) -> object:
    if image.format == "TIFF":
        # Adobe stores the records as LONGs, of which Pillow keeps only the first.
        with tifffile.TiffFile(image.filename) as tiff:  # type: ignore[attr-defined]
            records, resources = (_tag_bytes(tiff, tag) for tag in (TIFF_IPTC, _TIFF_PHOTOSHOP))
        return records or iptc.records_in(resources)
    return image.info.get("photoshop", {}).get(iptc.RESOURCE)


def _tag_bytes(tiff: tifffile.TiffFile, number: int) -> bytes | None:
    tag = tiff.pages.first.tags.get(number)
    if tag is None or tag.valuebytecount > _MAX_LENGTH:
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
        if isinstance(value, str) and len(value) <= _MAX_LENGTH and key != PNG_XMP
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

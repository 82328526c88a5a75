"""Reading the metadata of an image that Pillow or tifffile has opened."""

from __future__ import annotations

from typing import Any

import tifffile
from PIL import Image

from enhance_cli.imaging.metadata import exif, extended_xmp, iptc, xmp
from enhance_cli.imaging.metadata.embedded import (
    CREDENTIALS_TAG,
    has_credentials,
    has_gain_map,
    has_video,
)
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.metadata.png_texts import sort_texts

TIFF_XMP, TIFF_IPTC, _TIFF_PHOTOSHOP = 700, 33723, 34377
"""TIFF tags of the XMP packet, the IPTC records and Photoshop's resources."""

_RESOLUTIONS, _RESOLUTION_UNIT = (282, 283), 296
_UNITS_PER_INCH = {2: 1.0, 3: 2.54}
"""TIFF tags of the resolution and its unit, inch or centimeter."""

_TIFF_HEADERS = (b"II*\x00", b"MM\x00*")

MAX_LENGTH = 2**22
"""Longest block that is kept, in bytes. No photographer writes more."""

TOO_LONG = f"its {{}} is longer than {MAX_LENGTH >> 20} MB and was left out"
"""What is said of a longer one, with a place for its name."""


def read_tiff_metadata(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> Metadata:
    """Collect the metadata of an opened TIFF, but for its EXIF tags.

    :func:`enhance_cli.imaging.metadata.exif.read_tags` reads those.

    Args:
        tiff: The file.
        page: The page whose pixels are read. What it does not state, the first page may.
    """
    too_long: list[str] = []
    records = _tag_bytes(tiff, page, TIFF_IPTC, "IPTC", too_long)
    resources = _tag_bytes(tiff, page, _TIFF_PHOTOSHOP, "block of Photoshop's", too_long)
    packet = _tag_bytes(tiff, page, TIFF_XMP, "XMP", too_long)
    signed = CREDENTIALS_TAG in page.tags or CREDENTIALS_TAG in tiff.pages.first.tags
    announced = xmp.announced(packet)
    return Metadata(
        xmp=packet or None,
        iptc=records or iptc.records_in(resources) or None,
        dpi=plausible_dpi(_tiff_resolution(page)),
        gain_map=announced.gain_map,
        video=announced.video,
        credentials=signed or announced.credentials,
        unreadable=tuple(too_long),
    )


def read_metadata(image: Image.Image) -> Metadata:
    """Collect the metadata of an opened image; damaged parts are left out."""
    info, packet, too_long = image.info, image.info.get("xmp"), list[str]()
    packet = packet.encode() if isinstance(packet, str) else packet
    comment = info.get("comment") if image.format in {"JPEG", "MPO"} else None
    return Metadata(
        exif=block_within_limit(_exif(image), "EXIF", too_long),
        xmp=block_within_limit(packet, "XMP", too_long),
        long_xmp=_long_xmp(image),
        iptc=block_within_limit(_iptc(image), "IPTC", too_long),
        comment=block_within_limit(comment, "comment", too_long),
        earlier_comments=_comments(image)[:-1],
        texts=sort_texts(_texts(image)).texts,
        dpi=plausible_dpi(info.get("dpi")),
        gain_map=has_gain_map(image),
        video=has_video(image),
        credentials=has_credentials(image),
        unreadable=tuple(too_long),
    )


def sort_info(image: Image.Image) -> None:
    """Remove a PNG's texts from ``image.info``, and add the EXIF and XMP that are among them.

    Pillow puts texts beside EXIF, profile and transparency, under keywords that the file chooses,
    and then takes them for these.
    """
    texts = _texts(image)
    for keyword, text in texts:
        # Pillow keeps the text "exif" as bytes.
        if image.info.get(keyword) in (text, text.encode("latin-1", "replace")):
            del image.info[keyword]
    blocks = sort_texts(texts)
    for name, block in (("exif", blocks.exif), ("xmp", blocks.xmp)):
        if block and name not in image.info:
            image.info[name] = block


def orientation_of(image: Image.Image) -> int:
    """The orientation of an opened image, as EXIF or else XMP states it; 1 is upright."""
    return stated_orientation(image.info.get("exif"), image.info.get("xmp"))


def stated_orientation(block: object, packet: object) -> int:
    """The orientation that EXIF or else XMP states; 1, upright, if neither does.

    Args:
        block: EXIF block; what is not bytes states nothing.
        packet: XMP packet, likewise.
    """
    found = exif.orientation_in(block) if isinstance(block, bytes) else None
    if found is None and isinstance(packet, bytes):
        found = xmp.orientation_in(packet)
    return found or 1


def block_within_limit(value: object, name: str, too_long: list[str]) -> bytes | None:
    """The value, if it is a block of bytes of reasonable length.

    Args:
        value: The value.
        name: What it is.
        too_long: Gets a line if it is too long.
    """
    if not isinstance(value, bytes) or not value:
        return None
    if len(value) > MAX_LENGTH:
        too_long.append(TOO_LONG.format(name))
        return None
    return value


def _exif(image: Image.Image) -> object:
    """The EXIF block; of a JPEG, without further blocks, which Pillow appends to the first."""
    segments = [part for name, part in getattr(image, "applist", ()) if name == "APP1"]
    parts = [part[len(exif.PREFIX) :] for part in segments if part.startswith(exif.PREFIX)]
    if not parts:
        return image.info.get("exif")
    # A long block goes on in the next segment; another block begins like the first.
    more = [part for part in parts[1:] if not part.startswith(_TIFF_HEADERS)]
    return exif.PREFIX + b"".join([parts[0], *more])


def _long_xmp(image: Image.Image) -> extended_xmp.Parts:
    parts = tuple(
        part
        for name, part in getattr(image, "applist", ())
        if name == "APP1" and part.startswith(extended_xmp.PREFIX)
    )
    return parts if sum(map(len, parts)) <= MAX_LENGTH else ()


def _comments(image: Image.Image) -> tuple[bytes, ...]:
    """The comments of a JPEG, of which Pillow names the last."""
    comments = tuple(part for name, part in getattr(image, "applist", ()) if name == "COM")
    return comments if sum(map(len, comments)) <= MAX_LENGTH else comments[-1:]


def _iptc(image: Image.Image) -> object:
    """The IPTC records; Photoshop divides a long block of resources among segments."""
    segments = [part for name, part in getattr(image, "applist", ()) if name == "APP13"]
    parts = [part[len(iptc.PREFIX) :] for part in segments if part.startswith(iptc.PREFIX)]
    records = iptc.records_in(b"".join(parts))
    if records:
        return records
    resources = image.info.get("photoshop")
    return resources.get(iptc.RESOURCE) if isinstance(resources, dict) else None


def _tiff_resolution(page: tifffile.TiffPage) -> tuple[float, ...]:
    """Dots per inch, horizontal and vertical; nothing if the page does not state them."""
    scale = _UNITS_PER_INCH.get(page.tags.valueof(_RESOLUTION_UNIT, 2))
    values = [page.tags.valueof(tag) for tag in _RESOLUTIONS]
    try:
        return tuple(dots / per * scale for dots, per in values)
    except (TypeError, ValueError, ZeroDivisionError):
        return ()


def _tag_bytes(
    tiff: tifffile.TiffFile, page: tifffile.TiffPage, number: int, name: str, too_long: list[str]
) -> bytes | None:
    """The bytes of a tag's values; Adobe stores IPTC records as LONGs.

    Args:
        tiff: The file.
        page: The page whose pixels are read.
        number: The tag.
        name: What it is.
        too_long: Gets a line if it is too long.
    """
    tag = page.tags.get(number) or tiff.pages.first.tags.get(number)
    if tag is None:
        return None
    if tag.valuebytecount > MAX_LENGTH:
        too_long.append(TOO_LONG.format(name))
        return None
    tiff.filehandle.seek(tag.valueoffset)
    return tiff.filehandle.read(tag.valuebytecount)


def _texts(image: Image.Image) -> list[tuple[str, str]]:
    if image.format != "PNG":
        return []
    # Pillow's public property decodes all frames of an animation.
    read = getattr(image, "_text", None) or getattr(image.png, "im_text", {})  # type: ignore[attr-defined]
    return [(str(key), str(value)) for key, value in read.items() if len(value) <= MAX_LENGTH]


def plausible_dpi(value: Any) -> tuple[float, float] | None:
    """Dots per inch, horizontal and vertical; None if these are no numbers of a photo.

    Args:
        value: A pair of numbers or fractions, or anything else.
    """
    try:
        horizontal, vertical = (float(resolution) for resolution in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    plausible = min(horizontal, vertical) >= 1 and max(horizontal, vertical) < 2**15
    return (horizontal, vertical) if plausible else None

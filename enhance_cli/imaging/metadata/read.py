"""Reading the metadata of an image that Pillow has opened."""

from __future__ import annotations

from typing import Any

from PIL import ExifTags, Image

from enhance_cli.imaging.metadata import extended_xmp, iptc
from enhance_cli.imaging.metadata.embedded import has_gain_map, has_video
from enhance_cli.imaging.metadata.exif import PREFIX as EXIF_PREFIX
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.metadata.png_texts import sort_texts

TIFF_XMP, TIFF_IPTC, _TIFF_PHOTOSHOP = 700, 33723, 34377
"""TIFF tags of the XMP packet, the IPTC records and Photoshop's resources."""

_TIFF_HEADERS = (b"II*\x00", b"MM\x00*")

_MAX_LENGTH = 2**22
"""Longest block that is kept, in bytes. No photographer writes more."""


def read_metadata(image: Image.Image) -> Metadata:
    """Collect the metadata of an opened image; damaged parts are left out.

    A TIFF's own EXIF tags are not included, since Pillow does not keep them as they are:
    :func:`enhance_cli.imaging.metadata.exif.read_tags` reads them from the file.
    """
    info, packet = image.info, image.info.get("xmp")
    return Metadata(
        exif=_block(_exif(image)),
        xmp=_block(packet.encode() if isinstance(packet, str) else packet),
        long_xmp=_long_xmp(image),
        iptc=_block(_iptc(image)),
        comment=_block(info.get("comment")) if image.format in {"JPEG", "MPO"} else None,
        texts=sort_texts(_texts(image)).texts,
        dpi=_dpi(info.get("dpi")),
        gain_map=has_gain_map(image),
        video=has_video(image),
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
    """The orientation of an opened image in EXIF, from 1 to 8; 1 if it has none that is valid."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    # A damaged block makes Pillow raise whatever its parsing runs into.
    except Exception:
        return 1
    return orientation if orientation in range(1, 9) else 1


def _block(value: object) -> bytes | None:
    """The value, if it is a block of bytes of reasonable length."""
    return value if isinstance(value, bytes) and 0 < len(value) <= _MAX_LENGTH else None


def _exif(image: Image.Image) -> object:
    """The EXIF block; of a JPEG, without further blocks, which Pillow appends to the first."""
    segments = [part for name, part in getattr(image, "applist", ()) if name == "APP1"]
    parts = [part[len(EXIF_PREFIX) :] for part in segments if part.startswith(EXIF_PREFIX)]
    if not parts:
        return image.info.get("exif")
    # A long block goes on in the next segment; another block begins like the first.
    more = [part for part in parts[1:] if not part.startswith(_TIFF_HEADERS)]
    return EXIF_PREFIX + b"".join([parts[0], *more])


def _long_xmp(image: Image.Image) -> extended_xmp.Parts:
    parts = tuple(
        part
        for name, part in getattr(image, "applist", ())
        if name == "APP1" and part.startswith(extended_xmp.PREFIX)
    )
    return parts if sum(map(len, parts)) <= _MAX_LENGTH else ()


def _iptc(image: Image.Image) -> object:
    if image.format == "TIFF":
        # Adobe stores the records as LONGs, of which Pillow's public interface has only the first.
        stored = image.tag_v2._tagdata  # type: ignore[attr-defined]
        return stored.get(TIFF_IPTC) or iptc.records_in(stored.get(_TIFF_PHOTOSHOP))
    resources = image.info.get("photoshop")
    return resources.get(iptc.RESOURCE) if isinstance(resources, dict) else None


def _texts(image: Image.Image) -> list[tuple[str, str]]:
    if image.format != "PNG":
        return []
    # Pillow's public property decodes all frames of an animation.
    read = getattr(image, "_text", None) or getattr(image.png, "im_text", {})  # type: ignore[attr-defined]
    return [(str(key), str(value)) for key, value in read.items() if len(value) <= _MAX_LENGTH]


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        horizontal, vertical = (float(resolution) for resolution in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    plausible = min(horizontal, vertical) >= 1 and max(horizontal, vertical) < 2**15
    return (horizontal, vertical) if plausible else None

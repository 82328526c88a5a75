"""A photo's metadata, and which part of it is written to the result."""

from __future__ import annotations

from dataclasses import dataclass, replace

from enhance_cli.config.apply import KeepMetadata
from enhance_cli.imaging.metadata import exif, extended_xmp, iptc, png_texts, xmp
from enhance_cli.imaging.metadata.location import TEXTS_LOST, bytes_may_tell_location
from enhance_cli.imaging.resize import Size


@dataclass(frozen=True)
class Metadata:
    """Metadata of a photo, as read from its file or as written to its result.

    Attributes:
        exif: EXIF block as stored in the file. For TIFF and RAW files, which are built like one
            large EXIF block, the tags that they contain.
        xmp: XMP packet.
        long_xmp: Parts of a JPEG's extended XMP, each as stored in its segment.
        iptc: IPTC records.
        comment: Comment of a JPEG, the last one.
        earlier_comments: Those before it, if there are several.
        texts: Keywords and texts of a PNG: title, author and the like.
        dpi: Dots per inch, horizontal and vertical.
        gain_map: Whether the file has an HDR gain map that was not read.
        video: Whether the file is a motion photo, with a video. Results have none.
        credentials: Whether the file has content credentials (C2PA), which sign its pixels and so
            cannot be those of a result.
        unreadable: A line for each part that could not be read.
    """

    exif: bytes | exif.Tags | None = None
    xmp: bytes | None = None
    long_xmp: tuple[bytes, ...] = ()
    iptc: bytes | None = None
    comment: bytes | None = None
    earlier_comments: tuple[bytes, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None
    gain_map: bool = False
    video: bool = False
    credentials: bool = False
    unreadable: tuple[str, ...] = ()

    @property
    def exif_block(self) -> bytes | None:
        """The EXIF block; None if :func:`metadata_for_result` has not built it of the tags yet."""
        return self.exif if isinstance(self.exif, bytes) else None


NO_METADATA = Metadata()

GAIN_MAP_LOST = "its HDR gain map was left out"
PACKET_LOST = "its XMP packet cannot be read and was left out"
CREDENTIALS_LOST = "its content credentials were left out"


def metadata_for_result(
    found: Metadata, size: Size, *, srgb: bool = True, keep: KeepMetadata = "all"
) -> tuple[Metadata, tuple[str, ...]]:
    """Update a photo's metadata to match its result.

    Metadata that cannot be read or written is left out; it is never an error.

    Args:
        found: Metadata of the photo's file.
        size: Width and height of the result.
        srgb: Whether the result is sRGB.
        keep: Whether to keep all metadata, all but the location, or none.

    Returns:
        The metadata, and a line for each part that was left out.
    """
    lost = [GAIN_MAP_LOST] if found.gain_map else []
    lost += ["its video was left out (a motion photo)"] if found.video else []
    lost += [CREDENTIALS_LOST] if found.credentials else []
    if keep == "none":
        return NO_METADATA, tuple(lost)
    lost += found.unreadable
    gps = keep != "no-gps"
    block = None
    try:
        block = _exif_for_result(found.exif, size, srgb, gps, lost)
    except exif.ExifError as problem:
        lost.append(str(problem))
    packet, parts = _xmp_for_result(found, size, srgb, gps, lost)
    texts = found.texts if gps else png_texts.without_location(found.texts)
    comment = found.comment if gps or _is_harmless(found.comment) else None
    earlier = tuple(one for one in found.earlier_comments if gps or _is_harmless(one))
    fewer = len(texts) < len(found.texts) or len(earlier) < len(found.earlier_comments)
    if fewer or comment != found.comment:
        lost.append(TEXTS_LOST)
    records = found.iptc if gps or found.iptc is None else iptc.without_places(found.iptc, lost)
    if found.iptc and not records:
        lost.append("its IPTC may tell the location and was left out")
    kept = replace(found, exif=block, xmp=packet, long_xmp=parts, iptc=records)
    kept = replace(kept, texts=texts, comment=comment, earlier_comments=earlier)
    return kept, tuple(dict.fromkeys(lost))


def _xmp_for_result(
    found: Metadata, size: Size, srgb: bool, gps: bool, lost: list[str]
) -> tuple[bytes | None, extended_xmp.Parts]:
    """The updated XMP packet and its extension; ``lost`` gets a line for what was left out."""
    if found.xmp is None:
        return None, ()
    packet, parts = None, ()
    if xmp.is_readable(found.xmp):
        private: set[str] = set()
        packet, parts = extended_xmp.update_extension(
            found.xmp, found.long_xmp, size, srgb=srgb, gps=gps, lost=private
        )
        lost += sorted(private)
    if packet is None:
        lost.append(PACKET_LOST)
    elif xmp.named_extension(found.xmp) and not parts:
        lost.append("the long part of its XMP is incomplete or cannot be read and was left out")
    return packet, parts


def _is_harmless(comment: bytes | None) -> bool:
    return comment is None or not bytes_may_tell_location(comment)


def _exif_for_result(
    found: bytes | exif.Tags | None, size: Size, srgb: bool, gps: bool, lost: list[str]
) -> bytes | None:
    """The updated or new block; ``lost`` gets a line for what was left out."""
    if not found:
        return None
    if not isinstance(found, bytes):
        return exif.build_block(found, size, srgb=srgb, gps=gps, lost=lost)
    try:
        return exif.update_block(found, size, srgb=srgb, gps=gps, lost=lost)
    except exif.ExifError:
        rescued = exif.rescued_block(found, size, srgb=srgb, gps=gps, lost=lost)
        if rescued is None:
            raise
        return rescued

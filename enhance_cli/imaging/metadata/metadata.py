"""A photo's metadata, and what of it goes into the result."""

from __future__ import annotations

from dataclasses import dataclass, replace

from enhance_cli.config.apply import KeepMetadata
from enhance_cli.imaging.metadata import exif, xmp


@dataclass(frozen=True)
class Metadata:
    """What a file says of a photo.

    Attributes:
        exif: The EXIF block as it stands in the file; or, from TIFF and RAW files, which are one
            large block themselves, the tags found in them.
        xmp: The XMP packet.
        long_xmp: The parts of a JPEG's extended XMP, each as it stands in its segment.
        iptc: The IPTC records.
        comment: The comment of a JPEG.
        texts: The text chunks of a PNG: title, author and the like.
        dpi: Dots per inch, horizontally and vertically.
        gain_map: Whether the file has an HDR gain map. Results have none.
        unreadable: Why parts are missing here, one line each.
    """

    exif: bytes | exif.Tags | None = None
    xmp: bytes | None = None
    long_xmp: tuple[bytes, ...] = ()
    iptc: bytes | None = None
    comment: bytes | None = None
    texts: tuple[tuple[str, str], ...] = ()
    dpi: tuple[float, float] | None = None
    gain_map: bool = False
    unreadable: tuple[str, ...] = ()

    @property
    def exif_block(self) -> bytes | None:
        """The EXIF block, once :func:`metadata_for_result` has made it one."""
        return self.exif if isinstance(self.exif, bytes) else None


NO_METADATA = Metadata()


def metadata_for_result(
    found: Metadata, size: tuple[int, int], *, srgb: bool = True, keep: KeepMetadata = "all"
) -> tuple[Metadata, tuple[str, ...]]:
    """Update a photo's metadata to match its result.

    Args:
        found: What the photo's file says.
        size: Width and height of the result.
        srgb: Whether the result is sRGB.
        keep: All metadata, all but the location, or nothing.

    Returns:
        The metadata, and a line for each part that was lost. A photo never fails for its metadata.
    """
    lost = ["its HDR gain map was left out"] if found.gain_map else []
    if keep == "none":
        return NO_METADATA, tuple(lost)
    lost += found.unreadable
    gps = keep != "no-gps"
    block = None
    try:
        block = _exif_for_result(found.exif, size, srgb, gps)
    except exif.ExifError as problem:
        lost.append(str(problem))
    packet, parts = found.xmp, found.long_xmp if gps else ()
    if packet is not None and xmp.is_readable(packet):
        packet = xmp.update_packet(packet, size, gps=gps, extended=bool(parts))
    elif packet is not None:
        packet = None
        lost.append("its XMP packet cannot be read and was left out")
    return replace(found, exif=block, xmp=packet, long_xmp=parts), tuple(lost)


def _exif_for_result(
    found: bytes | exif.Tags | None, size: tuple[int, int], srgb: bool, gps: bool
) -> bytes | None:
    if not found:
        return None
    if isinstance(found, bytes):
        return exif.update_block(found, size, srgb=srgb, gps=gps)
    return exif.build_block(found, size, srgb=srgb, gps=gps)

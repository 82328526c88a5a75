"""Reading the metadata of a RAW file: from the file, its preview, its sidecar, or LibRaw."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import rawpy
from piexif import ExifIFD, ImageIFD

from enhance_cli.imaging.codecs.formats import SIGNATURE_LENGTH, is_tiff
from enhance_cli.imaging.codecs.open_image import open_image
from enhance_cli.imaging.codecs.tiff.open_tiff import open_tiff
from enhance_cli.imaging.containers.boxes import brands_of, find_boxes
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.metadata import exif
from enhance_cli.imaging.metadata.lost_tags import LEFT_OUT, describe_tags
from enhance_cli.imaging.metadata.metadata import PACKET_LOST, Metadata
from enhance_cli.imaging.metadata.read import MAX_LENGTH, read_metadata, read_tiff_metadata
from enhance_cli.imaging.metadata.tiff_tags import TagId
from enhance_cli.imaging.sidecars.read import Sidecar, without_development

_NO_DATE = 1970
"""Year of the date that LibRaw gives if it has found none."""

_MAX_SHORT, _FINEST = 65_536, 10_000
"""Limit of a SHORT in EXIF, and largest denominator of the fractions that are written."""

_CR3_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""Type of the box with the XMP of a CR3 (XMP specification, part 3, 1.1.3: as in MPEG-4)."""


def read_raw_metadata(path: Path, raw: rawpy.RawPy, sidecar: Sidecar) -> Metadata:
    """Read the metadata of a RAW file.

    Args:
        path: The file.
        raw: The same file, opened by LibRaw.
        sidecar: What its sidecar says; its XMP takes the place of that in the file.

    Returns:
        EXIF; XMP without development settings; IPTC of formats that are built like a TIFF.
    """
    found = read_raw_tags(path, raw)
    inside = _beside_exif(path, raw)
    packet, problems = sidecar.packet, [*found.unreadable, *inside.unreadable]
    if sidecar.problem:
        problems.append(sidecar.problem)
    if packet is None and inside.xmp:
        packet = without_development(inside.xmp)
        if packet is None:
            problems.append(PACKET_LOST)
    return Metadata(
        exif=found.exif,
        xmp=packet,
        iptc=inside.iptc,
        credentials=inside.credentials,
        unreadable=tuple(problems),
    )


def read_raw_tags(path: Path, raw: rawpy.RawPy) -> Metadata:
    """Read the EXIF of the file or else of its preview, a JPEG that often has the same tags.

    Formats older than EXIF, such as Canon's CRW, have neither: LibRaw knows when and how the photo
    was taken.
    """
    try:
        return _with_tags(path)
    except exif.ExifError as problem:
        unreadable = str(problem)  # the file is not built like a TIFF
    try:
        preview = _preview_of(raw)
        if preview is not None:
            return _with_tags(preview)
    except exif.ExifError:
        pass
    tags = _tags_of_libraw(raw)
    if tags is None:
        return Metadata(unreadable=(unreadable,))
    return Metadata(exif=tags, unreadable=("its EXIF cannot be read; date and exposure are kept",))


def _beside_exif(path: Path, raw: rawpy.RawPy) -> Metadata:
    """XMP, IPTC and the like of the file or, if it is built in a way of its own, of its preview."""
    with path.open("rb") as file:
        source = Source(file)
        signature = source.read(0, SIGNATURE_LENGTH)
        if brands_of(signature):  # Canon's CR3
            return Metadata(xmp=packet_in_boxes(source))
    if is_tiff(signature):
        try:
            with open_tiff(path) as tiff:
                return read_tiff_metadata(tiff, tiff.pages.first)
        except Exception:  # tifffile raises errors of any type for damaged files
            return Metadata(unreadable=(PACKET_LOST,))
    preview = _preview_of(raw)
    if preview is None:
        return Metadata()
    try:
        with open_image(path, preview) as image:
            return read_metadata(image)
    except (OSError, ValueError):
        return Metadata()


def packet_in_boxes(source: Source) -> bytes | None:
    """The XMP packet of a CR3 file; None if it has none, or a very long one."""
    for kind, start, end in find_boxes(source):
        begin = start + len(_CR3_XMP)
        if kind == b"uuid" and source.read(start, len(_CR3_XMP)) == _CR3_XMP:
            return source.read(begin, end - begin) if end - begin <= MAX_LENGTH else None
    return None


def _preview_of(raw: rawpy.RawPy) -> bytes | None:
    """The JPEG in a RAW file, as its camera has developed it; None if there is none."""
    try:
        preview = raw.extract_thumb().data
    except rawpy.LibRawError:
        return None
    return preview if isinstance(preview, bytes) else None


def _with_tags(source: Path | bytes) -> Metadata:
    damaged: list[TagId] = []
    tags = exif.read_tags(source, damaged)
    return Metadata(exif=tags, unreadable=describe_tags(damaged, LEFT_OUT))


def _tags_of_libraw(raw: Any) -> exif.Tags | None:
    """What LibRaw itself has found in the file, as EXIF; None if it knows no date."""
    found = getattr(raw, "other", None)  # older versions of rawpy have none
    if found is None or found.timestamp is None or found.timestamp.year <= _NO_DATE:
        return None
    date = found.timestamp.strftime("%Y:%m:%d %H:%M:%S").encode()
    first = {ImageIFD.DateTime: date}
    exposure: dict[int, Any] = {ExifIFD.DateTimeOriginal: date}
    if found.artist:
        first[ImageIFD.Artist] = found.artist.encode()
    if 0 < found.iso_speed < _MAX_SHORT:
        exposure[ExifIFD.ISOSpeedRatings] = round(found.iso_speed)
    for tag, value in (
        (ExifIFD.ExposureTime, found.shutter_speed),
        (ExifIFD.FNumber, found.aperture),
        (ExifIFD.FocalLength, found.focal_length),
    ):
        if 0 < value < _MAX_SHORT:
            exposure[tag] = Fraction(value).limit_denominator(_FINEST).as_integer_ratio()
    return {"0th": first, "Exif": exposure, "GPS": {}}

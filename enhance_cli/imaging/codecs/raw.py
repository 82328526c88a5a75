"""Reading camera RAW files, which LibRaw develops."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import rawpy
from numpy.typing import NDArray
from piexif import ExifIFD, ImageIFD

from enhance_cli.imaging.codecs.formats import SIGNATURE_LENGTH, is_tiff
from enhance_cli.imaging.codecs.tiff.jpeg_parts import check_jpeg_parts
from enhance_cli.imaging.codecs.tiff.jpegxl_dng import raw_page, unpacked_dng
from enhance_cli.imaging.codecs.tiff.open_tiff import open_tiff
from enhance_cli.imaging.containers.boxes import brands_of, end_of_boxes
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.metadata import exif
from enhance_cli.imaging.metadata.lost_tags import LEFT_OUT, describe_tags
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.metadata.tiff_tags import (
    DamagedTiffError,
    TagId,
    end_of_pixels,
    read_directories,
)
from enhance_cli.imaging.photo import Photo, refuse_too_many_pixels
from enhance_cli.imaging.resize import fit_within, resize_pixels, size_of

SRGB_GAMMA = (2.4, 12.92)
"""Exponent and toe slope of sRGB's curve; LibRaw's default is the curve of BT.709."""

_FUJIFILM, _FUJIFILM_HEADER, _FUJIFILM_PIXELS = b"FUJIFILMCCD-RAW", 108, 100
"""Beginning of a RAF file, and where offset and length of its pixels stand (LibRaw, identify)."""

_NO_DATE = 1970
"""Year of the date that LibRaw gives if it has found none."""

_MAX_SHORT, _FINEST = 65_536, 10_000
"""Limit of a SHORT in EXIF, and largest denominator of the fractions that are written."""

_QUARTER_TURNS = {3: 2, 5: 1, 6: 3}
"""Number of counterclockwise quarter turns for each value of LibRaw's ``flip``."""


def read_raw(
    path: Path, long_edge: int | None, max_pixels: int, reserve: Callable[[int], None]
) -> Photo:
    """Develop a RAW file with the camera's white balance, to 16-bit sRGB.

    Args:
        path: The file.
        long_edge: As in :func:`enhance_cli.imaging.codecs.decode.decode`.
        max_pixels: Largest number of pixels that a file may have.
        reserve: Called with the number of the sensor's pixels before they are developed.

    Returns:
        The upright photo with its EXIF.
    """
    warnings: list[str] = []
    if _is_cut_short(path):
        raise ValueError("the file is cut short")
    _check_jpegs(path, warnings)
    with _open(path) as raw:
        if raw.raw_type == rawpy.RawType.Flat and not raw.raw_image.any():
            raise ValueError("there is no picture in it")
        sizes = raw.sizes  # developing changes them
        refuse_too_many_pixels(path, (sizes.width, sizes.height), max_pixels)
        longest = max(sizes.width, sizes.height)
        half = long_edge is not None and longest >= 2 * long_edge
        reserve(sizes.raw_width * sizes.raw_height)
        developed = raw.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            gamma=SRGB_GAMMA,
            output_bps=16,
            half_size=half,
        )
        developed = _crop_border(developed, sizes, 2 if half else 1)
        metadata = _read_metadata(path, raw)
    grey = developed.shape[2] == 1  # a camera without color filters
    pixels = np.repeat(developed, 3, axis=2) if grey else developed
    pixels = resize_pixels(pixels, fit_within(size_of(pixels), long_edge))
    return Photo(pixels, grey=grey, metadata=metadata, warnings=tuple(warnings))


def read_raw_exif(path: Path) -> bytes | exif.Tags | None:
    """Read the EXIF of a RAW file without developing it; None if it cannot be read."""
    try:
        return read_directories(path)  # piexif would read the whole file
    except DamagedTiffError:
        with _open(path) as raw:
            return _read_metadata(path, raw).exif


def _open(path: Path) -> rawpy.RawPy:
    """Open a RAW file; LibRaw takes no names that are not UTF-8."""
    unpacked = unpacked_dng(path)
    if unpacked is not None:
        return rawpy.imread(unpacked)
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with path.open("rb") as file:
            return rawpy.imread(file)
    return rawpy.imread(str(path))


def _is_cut_short(path: Path) -> bool:
    """Whether the pixels end behind the end of the file. LibRaw would make noise of the rest."""
    with path.open("rb") as file:
        source = Source(file)
        size, header = source.size, source.read(0, _FUJIFILM_HEADER)
        if brands_of(header):  # Canon's CR3
            return end_of_boxes(source) > size
    if header.startswith(_FUJIFILM) and len(header) == _FUJIFILM_HEADER:
        offset, length = struct.unpack_from(">II", header, _FUJIFILM_PIXELS)
        return offset + length > size
    end = end_of_pixels(path)
    return end is not None and end > size


def _check_jpegs(path: Path, warnings: list[str]) -> None:
    """Look for damage in the JPEGs of a lossy DNG, which LibRaw develops whatever is in them.

    Raises:
        ValueError: Much of the picture is damaged.
    """
    with path.open("rb") as file:
        if not is_tiff(file.read(SIGNATURE_LENGTH)):
            return
    with open_tiff(path) as tiff:
        page = raw_page(tiff)
        if page is not None:
            check_jpeg_parts(page, warnings)


def _read_metadata(path: Path, raw: rawpy.RawPy) -> Metadata:
    """Read the EXIF of the file or else of its preview, a JPEG that often has the same tags.

    Formats older than EXIF, such as Canon's CRW, have neither: LibRaw knows when and how the photo
    was taken.
    """
    try:
        return _with_tags(path)
    except exif.ExifError as problem:
        unreadable = str(problem)  # the file is not built like a TIFF
    try:
        preview = raw.extract_thumb().data
        if isinstance(preview, bytes):
            return _with_tags(preview)
    except (rawpy.LibRawError, exif.ExifError):
        pass
    tags = _tags_of_libraw(raw)
    if tags is None:
        return Metadata(unreadable=(unreadable,))
    return Metadata(exif=tags, unreadable=("its EXIF cannot be read; date and exposure are kept",))


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


def _crop_border(developed: NDArray[Any], sizes: Any, scale: int) -> NDArray[Any]:
    """Crop the border that the maker of the camera crops (DefaultCrop in a DNG).

    Args:
        developed: ``(H, W, 3)``, upright.
        sizes: LibRaw's sizes, in the orientation of the sensor.
        scale: Factor by which width and height were reduced in developing.
    """
    left = sizes.crop_left_margin - sizes.left_margin
    top = sizes.crop_top_margin - sizes.top_margin
    right, bottom = left + sizes.crop_width, top + sizes.crop_height
    turns = _QUARTER_TURNS.get(sizes.flip, 0)
    sensor = np.rot90(developed, -turns)
    if not (0 <= left < right <= sizes.width and 0 <= top < bottom <= sizes.height):
        return developed
    if sensor.shape[:2] != (-(-sizes.height // scale), -(-sizes.width // scale)):
        return developed  # LibRaw has stretched pixels that are not square
    inner = sensor[top // scale : bottom // scale, left // scale : right // scale]
    return np.ascontiguousarray(np.rot90(inner, turns))

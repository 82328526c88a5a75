"""Reading camera RAW files, which LibRaw develops."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rawpy
from numpy.typing import NDArray

from enhance_cli.imaging.codecs.isobmff import brands_of, end_of_boxes
from enhance_cli.imaging.codecs.tiff.jpegxl_dng import unpacked_dng
from enhance_cli.imaging.metadata import exif
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.metadata.tiff_tags import end_of_pixels
from enhance_cli.imaging.photo import Photo, refuse_too_many_pixels
from enhance_cli.imaging.resize import fit_within, resize_pixels, size_of

SRGB_GAMMA = (2.4, 12.92)
"""Exponent and toe slope of sRGB's curve; LibRaw's default is the curve of BT.709."""

_FUJIFILM, _FUJIFILM_HEADER, _FUJIFILM_PIXELS = b"FUJIFILMCCD-RAW", 108, 100
"""Beginning of a RAF file, and where offset and length of its pixels stand (LibRaw, identify)."""

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
    if _is_cut_short(path):
        raise ValueError("the file is cut short")
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
    pixels = resize_pixels(developed, fit_within(size_of(developed), long_edge))
    return Photo(pixels, metadata=metadata)


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
    size = path.stat().st_size
    with path.open("rb") as file:
        header = file.read(_FUJIFILM_HEADER)
    if brands_of(header):  # Canon's CR3
        return end_of_boxes(path) > size
    if header.startswith(_FUJIFILM) and len(header) == _FUJIFILM_HEADER:
        offset, length = struct.unpack_from(">II", header, _FUJIFILM_PIXELS)
        return offset + length > size
    end = end_of_pixels(path)
    return end is not None and end > size


def _read_metadata(path: Path, raw: rawpy.RawPy) -> Metadata:
    """Read the EXIF of the file or else of its preview, a JPEG that often has the same tags."""
    try:
        return Metadata(exif=exif.read_tags(path))
    except exif.ExifError as problem:
        unreadable = str(problem)  # the file is not built like a TIFF
    try:
        preview = raw.extract_thumb().data
        if isinstance(preview, bytes):
            return Metadata(exif=exif.read_tags(preview))
    except (rawpy.LibRawError, exif.ExifError):
        pass
    return Metadata(unreadable=(unreadable,))


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

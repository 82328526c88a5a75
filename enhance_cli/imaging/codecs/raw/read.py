"""Reading camera RAW files, which LibRaw develops."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rawpy
from numpy.typing import NDArray

from enhance_cli.imaging.codecs.formats import SIGNATURE_LENGTH, is_tiff
from enhance_cli.imaging.codecs.raw.metadata import read_raw_metadata, read_raw_tags
from enhance_cli.imaging.codecs.tiff.jpeg_parts import check_jpeg_parts
from enhance_cli.imaging.codecs.tiff.jpegxl_dng import raw_page, unpacked_dng
from enhance_cli.imaging.codecs.tiff.open_tiff import open_tiff
from enhance_cli.imaging.containers.boxes import brands_of, end_of_boxes
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.metadata import exif
from enhance_cli.imaging.metadata.tiff_tags import (
    DamagedTiffError,
    end_of_pixels,
    read_directories,
)
from enhance_cli.imaging.photo import Photo, refuse_too_many_pixels
from enhance_cli.imaging.resize import fit_within, resize_pixels, size_of
from enhance_cli.imaging.sidecars.read import read_sidecar

SRGB_GAMMA = (2.4, 12.92)
"""Exponent and toe slope of sRGB's curve; LibRaw's default is the curve of BT.709."""

_FUJIFILM, _FUJIFILM_HEADER, _FUJIFILM_PIXELS = b"FUJIFILMCCD-RAW", 108, 100
"""Beginning of a RAF file, and where offset and length of its pixels stand (LibRaw, identify)."""

_FLIPS = {1: 0, 3: 3, 6: 6, 8: 5}
"""LibRaw's ``flip`` for each orientation, as EXIF numbers it, without a mirror."""

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
        The upright photo with its metadata. A sidecar may say which way is up, and has the XMP.
    """
    warnings: list[str] = []
    if _is_cut_short(path):
        raise ValueError("the file is cut short")
    _check_jpegs(path, warnings)
    sidecar = read_sidecar(path)
    with _open(path) as raw:
        if raw.raw_type == rawpy.RawType.Flat and not raw.raw_image.any():
            raise ValueError("there is no picture in it")
        sizes = raw.sizes  # developing changes them
        refuse_too_many_pixels(path, (sizes.width, sizes.height), max_pixels)
        longest = max(sizes.width, sizes.height)
        half = long_edge is not None and longest >= 2 * long_edge
        turned = None if sidecar.orientation is None else _FLIPS[sidecar.orientation]
        reserve(sizes.raw_width * sizes.raw_height)
        developed = raw.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            gamma=SRGB_GAMMA,
            output_bps=16,
            half_size=half,
            user_flip=turned,
        )
        flip = sizes.flip if turned is None else turned
        developed = _crop_border(developed, sizes, flip, 2 if half else 1)
        metadata = read_raw_metadata(path, raw, sidecar)
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
            return read_raw_tags(path, raw).exif


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


def _crop_border(developed: NDArray[Any], sizes: Any, flip: int, scale: int) -> NDArray[Any]:
    """Crop the border that the maker of the camera crops (DefaultCrop in a DNG).

    Args:
        developed: ``(H, W, 3)``, upright.
        sizes: LibRaw's sizes, in the orientation of the sensor.
        flip: LibRaw's ``flip``, by which it was turned upright.
        scale: Factor by which width and height were reduced in developing.
    """
    left = sizes.crop_left_margin - sizes.left_margin
    top = sizes.crop_top_margin - sizes.top_margin
    right, bottom = left + sizes.crop_width, top + sizes.crop_height
    turns = _QUARTER_TURNS.get(flip, 0)
    sensor = np.rot90(developed, -turns)
    if not (0 <= left < right <= sizes.width and 0 <= top < bottom <= sizes.height):
        return developed
    if sensor.shape[:2] != (-(-sizes.height // scale), -(-sizes.width // scale)):
        return developed  # LibRaw has stretched pixels that are not square
    inner = sensor[top // scale : bottom // scale, left // scale : right // scale]
    return np.ascontiguousarray(np.rot90(inner, turns))

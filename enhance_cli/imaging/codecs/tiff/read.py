"""Reading TIFF and BigTIFF."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import PHOTOMETRIC, PLANARCONFIG

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.levels import Levels
from enhance_cli.imaging.codecs.stored_image import StoredImage, photo_from_stored
from enhance_cli.imaging.codecs.tiff.jpeg_parts import JPEG, check_jpeg_parts
from enhance_cli.imaging.codecs.tiff.open_tiff import open_tiff
from enhance_cli.imaging.codecs.tiff.pages import orientation_of, photo_page
from enhance_cli.imaging.codecs.tiff.pixels import LAB, problem_of, read_samples, stored_image
from enhance_cli.imaging.file_limits import refuse_costly_tiff, ycbcr_sampling
from enhance_cli.imaging.metadata import exif
from enhance_cli.imaging.metadata.lost_tags import LEFT_OUT, describe_tags
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.metadata.read import read_tiff_metadata
from enhance_cli.imaging.metadata.tiff_tags import TagId
from enhance_cli.imaging.photo import Photo, refuse_too_many_pixels

_LOWEST_BIT_FIRST = 2
"""FillOrder of bytes whose bits are in reverse."""

_FLIPS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    **dict.fromkeys((2, 6), np.fliplr),
    **dict.fromkeys((3, 7), lambda pixels: np.rot90(pixels, 2)),
    **dict.fromkeys((4, 8), np.flipud),
}
"""What libtiff does to pixels of each orientation; it leaves quarter turns to others."""


def read_tiff(
    path: Path, long_edge: int | None, max_pixels: int, reserve: Callable[[int], None]
) -> Photo:
    """Read the photo in a TIFF or BigTIFF.

    Args:
        path: The file.
        long_edge: As in :func:`enhance_cli.imaging.codecs.decode.decode`.
        max_pixels: Largest number of pixels that a file may have.
        reserve: Called with the number of pixels before they are read into memory.

    Returns:
        The upright photo: uint8 if its channels have at most 8 bits, else uint16.

    Raises:
        PhotoError: The photo has too many pixels, or is of a kind that cannot be read.
        Exception: Of any type, if the file is damaged.
    """
    warnings: list[str] = []
    with open_tiff(path) as tiff:
        page, first = photo_page(tiff, warnings), tiff.pages.first
        size = (page.imagewidth, page.imagelength)
        refuse_too_many_pixels(path, size, max_pixels)
        refuse_costly_tiff(path, page, max_pixels)
        problem = problem_of(page)
        if problem:
            raise PhotoError(f"{path}: {problem}")
        reserve(math.prod(size))
        metadata = _with_exif(read_tiff_metadata(tiff, page), path)
        orientation = orientation_of(page, first, metadata)
        check_jpeg_parts(page, warnings)
        # Of YCbCr, tifffile converts JPEGs alone to RGB.
        if page.photometric == PHOTOMETRIC.YCBCR and page.compression not in JPEG:
            stored = StoredImage(_read_by_libtiff(path, page, orientation))
        else:
            stored = stored_image(page, read_samples(page), warnings)
        if page.photometric not in LAB:
            stored = replace(stored, profile=page.iccprofile or first.iccprofile)
    stored = replace(stored, orientation=orientation)
    return photo_from_stored(stored, metadata, long_edge, warnings)


def _with_exif(metadata: Metadata, path: Path) -> Metadata:
    damaged: list[TagId] = []
    try:
        tags = exif.read_tags(path, damaged)
    except exif.ExifError as problem:
        return replace(metadata, unreadable=(*metadata.unreadable, str(problem)))
    unreadable = (*metadata.unreadable, *describe_tags(damaged, LEFT_OUT))
    return replace(metadata, exif=tags, unreadable=unreadable)


def _read_by_libtiff(path: Path, page: tifffile.TiffPage, orientation: int) -> Levels:
    """Read YCbCr of any subsampling as RGB, ``(H, W, 3)`` uint8, not turned upright."""
    _refuse_missing_parts(page)
    pixels = imagecodecs.tiff_decode(path.read_bytes(), index=page.index, asrgb=True)[..., :3]
    if pixels.shape[:2] != (page.imagelength, page.imagewidth):
        raise ValueError("libtiff has read another page")
    return np.ascontiguousarray(_FLIPS.get(orientation, np.asarray)(pixels))


def _refuse_missing_parts(page: tifffile.TiffPage) -> None:
    """Refuse YCbCr whose tiles or strips are not all there: libtiff would make them black or grey.

    Raises:
        Exception: Of any type, from the decompressor.
    """
    tall = page.tilelength if page.is_tiled else page.rowsperstrip
    wide = page.tilewidth if page.is_tiled else page.imagewidth
    down = math.ceil(page.imagelength / tall)
    decompress = tifffile.TIFF.DECOMPRESSORS[page.compression]
    parts: Any = page.parent.filehandle.read_segments(page.dataoffsets, page.databytecounts)
    for part, number in parts:
        top = 0 if page.is_tiled else number % down * tall
        length = _length_of_ycbcr(page, wide, min(tall, page.imagelength - top))
        reverse = page.fillorder == _LOWEST_BIT_FIRST
        packed = imagecodecs.bitorder_decode(part) if part and reverse else part
        if packed is None or len(decompress(packed, out=length)) < length:
            raise ValueError("parts of the picture are missing")


def _length_of_ycbcr(page: tifffile.TiffPage, width: int, height: int) -> int:
    """Bytes of a tile or strip of this size, before compression (TIFF 6.0, section 21)."""
    if page.planarconfig == PLANARCONFIG.SEPARATE:
        return width * height
    across, down = ycbcr_sampling(page)
    return math.ceil(width / across) * math.ceil(height / down) * (across * down + 2)

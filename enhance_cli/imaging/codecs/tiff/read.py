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
from tifffile import COMPRESSION, PHOTOMETRIC

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.levels import Levels
from enhance_cli.imaging.codecs.stored_image import StoredImage, photo_from_stored
from enhance_cli.imaging.codecs.tiff.open_tiff import open_tiff
from enhance_cli.imaging.codecs.tiff.pages import orientation_of, photo_page
from enhance_cli.imaging.codecs.tiff.pixels import LAB, problem_of, read_samples, stored_image
from enhance_cli.imaging.file_limits import refuse_costly_tiff
from enhance_cli.imaging.metadata import exif
from enhance_cli.imaging.metadata.lost_tags import LEFT_OUT, describe_tags
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.metadata.read import read_tiff_metadata
from enhance_cli.imaging.metadata.tiff_tags import TagId
from enhance_cli.imaging.photo import Photo, refuse_too_many_pixels

_JPEG = frozenset({COMPRESSION.JPEG, COMPRESSION.ALT_JPEG, COMPRESSION.JPEG_LOSSY})
"""Compressions from which tifffile reads YCbCr, as RGB."""

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
        if page.photometric == PHOTOMETRIC.YCBCR and page.compression not in _JPEG:
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
    pixels = imagecodecs.tiff_decode(path.read_bytes(), index=page.index, asrgb=True)[..., :3]
    if pixels.shape[:2] != (page.imagelength, page.imagewidth):
        raise ValueError("libtiff has read another page")
    return np.ascontiguousarray(_FLIPS.get(orientation, np.asarray)(pixels))

"""Reading a photo file, pixels and metadata."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import rawpy
from PIL import Image

from enhance_cli.config.apply import MAX_PIXELS
from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.formats import TIFF, is_raw
from enhance_cli.imaging.codecs.jpeg import read_jpeg
from enhance_cli.imaging.codecs.open_image import open_image
from enhance_cli.imaging.codecs.pillow_image import photo_from_image, photo_of_pixels, upright
from enhance_cli.imaging.codecs.raw import read_raw
from enhance_cli.imaging.codecs.sixteen_bit import is_sixteen_bit, read_sixteen_bit
from enhance_cli.imaging.file_limits import refuse_costly_file
from enhance_cli.imaging.metadata import exif
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.metadata.read import sort_info
from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.resize import fit_within


def decode(
    path: Path,
    long_edge: int | None = None,
    max_pixels: int = MAX_PIXELS,
    reserve: Callable[[int], None] = lambda _pixels: None,
) -> Photo:
    """Read a photo: a camera RAW file, HEIC, or any image that Pillow reads.

    The photo is turned upright, as EXIF's orientation says. RAW files are developed with the
    camera's white balance and without automatic brightening. The photo has 16 bits per channel if
    it is a RAW file or stores more than 8, else 8.

    Args:
        path: The file.
        long_edge: Longer edge of the photo, in pixels, to which larger ones are downscaled; None
            keeps the size of the file.
        max_pixels: Largest number of pixels that a file may have.
        reserve: Called with the number of pixels before they are read into memory; it may block
            until there is room for them.

    Returns:
        The photo with its metadata.

    Raises:
        PhotoError: The file cannot be read as a photo, or has too many pixels.
    """
    try:
        read = read_raw if is_raw(path) else _read_image
        return read(path, long_edge, max_pixels, reserve)
    except PhotoError:
        raise
    except MemoryError as problem:
        raise PhotoError(f"{path}: too large for this machine's memory") from problem
    # Codecs raise exceptions of any type for damaged files, from SyntaxError to struct.error.
    except Exception as problem:
        raise PhotoError(f"{path}: {_reason(path, problem)}") from problem


def _read_image(
    path: Path, long_edge: int | None, max_pixels: int, reserve: Callable[[int], None]
) -> Photo:
    """Read an image file, upright, with its color profile and metadata."""
    with open_image(path) as image:
        refuse_costly_file(path, image, max_pixels)
        warnings: list[str] = []
        # The further images of an MPO are previews and gain maps.
        # To count them would take minutes for a file of very many.
        if getattr(image, "is_animated", False) and image.format != "MPO":
            warnings.append("contains several images, only the first was read")
        if long_edge:
            # JPEG can be decoded at a fraction of its size, and HEIC may have a smaller version.
            # What is decoded is at least twice as large as the result.
            image.draft(None, fit_within(image.size, 2 * long_edge))
        reserve(math.prod(image.size))
        photo = _read_opened(path, image, long_edge, warnings)
    if path.suffix.lower() in TIFF:
        return replace(photo, metadata=_with_tags_of_file(photo.metadata, path))
    return photo


def _read_opened(
    path: Path, image: Image.Image, long_edge: int | None, warnings: list[str]
) -> Photo:
    """Read an opened image with all its bits, and a JPEG at full size with few copies."""
    sixteen_bit = is_sixteen_bit(image)
    if image.format == "PNG":
        sort_info(image)
        image.load()  # metadata may follow the pixels
        sort_info(image)
    if sixteen_bit:
        pixels, alpha, grey = read_sixteen_bit(path, image)
        return photo_of_pixels(image, pixels, alpha, grey, warnings).fit_within(long_edge)
    if long_edge is None and image.format in {"JPEG", "MPO"} and image.mode == "RGB":
        pixels = read_jpeg(path)
        if pixels is not None:
            return photo_of_pixels(image, upright(pixels, image), None, False, warnings)
    return photo_from_image(image, long_edge, warnings)


def _with_tags_of_file(metadata: Metadata, path: Path) -> Metadata:
    """Replace the EXIF block that Pillow builds of a TIFF by the tags of the file itself."""
    try:
        return replace(metadata, exif=exif.read_tags(path))
    except exif.ExifError as problem:
        return replace(metadata, exif=None, unreadable=(str(problem),))


def _reason(path: Path, problem: Exception) -> str:
    if isinstance(problem, FileNotFoundError):
        return "the file does not exist"
    if isinstance(problem, PermissionError):
        return "permission denied"
    if path.stat().st_size == 0:
        return "the file is empty"
    if isinstance(problem, Image.UnidentifiedImageError | rawpy.LibRawFileUnsupportedError):
        return "not a photo, or a format that cannot be read"
    return f"damaged or not a photo ({str(problem).strip() or type(problem).__name__})"

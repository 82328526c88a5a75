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
from enhance_cli.imaging.codecs.avif import is_avif, read_avif
from enhance_cli.imaging.codecs.formats import SIGNATURE_LENGTH, is_raw, is_tiff, unread_format
from enhance_cli.imaging.codecs.heif import read_heif
from enhance_cli.imaging.codecs.jpeg import read_jpeg
from enhance_cli.imaging.codecs.open_image import open_image
from enhance_cli.imaging.codecs.pillow_image import photo_from_image, with_color
from enhance_cli.imaging.codecs.png import is_sixteen_bit, read_code_points, read_png_levels
from enhance_cli.imaging.codecs.raw import read_raw
from enhance_cli.imaging.codecs.stored_image import StoredImage, photo_from_stored
from enhance_cli.imaging.codecs.tiff.read import read_tiff
from enhance_cli.imaging.metadata.read import orientation_of, read_metadata
from enhance_cli.imaging.photo import Photo, refuse_too_many_pixels
from enhance_cli.imaging.resize import fit_within

Reader = Callable[[Path, int | None, int, Callable[[int], None]], Photo]
"""Reads a photo, given the last four arguments of :func:`decode`."""


def decode(
    path: Path,
    long_edge: int | None = None,
    max_pixels: int = MAX_PIXELS,
    reserve: Callable[[int], None] = lambda _pixels: None,
) -> Photo:
    """Read a photo: JPEG, PNG, TIFF, WebP, AVIF, HEIC or a camera RAW file.

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
        return _reader_of(path)(path, long_edge, max_pixels, reserve)
    except PhotoError:
        raise
    except MemoryError as problem:
        raise PhotoError(f"{path}: too large for this machine's memory") from problem
    # Codecs raise exceptions of any type for damaged files, from SyntaxError to struct.error.
    except Exception as problem:
        raise PhotoError(f"{path}: {_reason(path, problem)}") from problem


def _reader_of(path: Path) -> Reader:
    """The reader of a file: of RAW by its suffix, of all else by its first bytes."""
    if is_raw(path):
        return read_raw
    with path.open("rb") as file:
        signature = file.read(SIGNATURE_LENGTH)
    if is_tiff(signature):
        return read_tiff
    return read_avif if is_avif(signature) else _read_image


def _read_image(
    path: Path, long_edge: int | None, max_pixels: int, reserve: Callable[[int], None]
) -> Photo:
    """Read an image that Pillow opens, upright, with its color profile and metadata."""
    with open_image(path) as image:
        refuse_too_many_pixels(path, image.size, max_pixels)
        warnings: list[str] = []
        # The further images of an MPO are previews and gain maps.
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            warnings.append("contains several images, only the first was read")
        if long_edge:
            # JPEG can be decoded at a fraction of its size, and HEIC may have a smaller version.
            # What is decoded is at least twice as large as the result.
            image.draft(None, fit_within(image.size, 2 * long_edge))
        reserve(math.prod(image.size))
        return _read_opened(path, image, long_edge, warnings)


def _read_opened(
    path: Path, image: Image.Image, long_edge: int | None, warnings: list[str]
) -> Photo:
    """Read an opened image with all its bits, and a JPEG at full size with few copies."""
    stored = None
    if image.format == "PNG":
        numbers = read_code_points(path)
        if numbers:
            image.info["cicp"] = numbers
    if image.format == "PNG" and is_sixteen_bit(image):
        image.load()  # metadata may follow the pixels
        stored = StoredImage.of(read_png_levels(path))
    elif image.format == "HEIF" and image.info.get("bit_depth", 8) > 8:
        stored = StoredImage.of(read_heif(path))
    elif long_edge is None and image.format in {"JPEG", "MPO"} and image.mode == "RGB":
        pixels = read_jpeg(path)
        stored = None if pixels is None else StoredImage(pixels)
    if stored is None:
        return photo_from_image(image, long_edge, warnings)
    stored = replace(with_color(stored, image, warnings), orientation=orientation_of(image))
    return photo_from_stored(stored, read_metadata(image), long_edge, warnings)


def _reason(path: Path, problem: Exception) -> str:
    if isinstance(problem, FileNotFoundError):
        return "the file does not exist"
    if isinstance(problem, PermissionError):
        return "permission denied"
    if path.stat().st_size == 0:
        return "the file is empty"
    if isinstance(problem, Image.UnidentifiedImageError | rawpy.LibRawFileUnsupportedError):
        with path.open("rb") as file:
            name = unread_format(file.read(SIGNATURE_LENGTH))
        if name:
            return f"{name} cannot be read; save it as JPEG, PNG or TIFF"
        return "not a photo, or a format that cannot be read"
    return f"damaged or not a photo ({str(problem).strip() or type(problem).__name__})"

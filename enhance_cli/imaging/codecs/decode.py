"""Reading a photo file, pixels and metadata."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import rawpy
from PIL import Image

from enhance_cli.config.apply import MAX_PIXELS
from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.deep_jpeg import deep_jpeg, read_deep_jpeg
from enhance_cli.imaging.codecs.formats import SIGNATURE_LENGTH, is_raw, is_tiff, unread_format
from enhance_cli.imaging.codecs.isobmff.avif import is_avif, read_avif
from enhance_cli.imaging.codecs.isobmff.heif import check_heif, read_heif
from enhance_cli.imaging.codecs.jpeg import read_jpeg
from enhance_cli.imaging.codecs.jpeg2000.container import is_jpeg2000
from enhance_cli.imaging.codecs.jpeg2000.read import read_jpeg2000
from enhance_cli.imaging.codecs.jpegxl.container import is_jpegxl
from enhance_cli.imaging.codecs.jpegxl.read import read_jpegxl
from enhance_cli.imaging.codecs.open_image import is_heif, open_image
from enhance_cli.imaging.codecs.pillow_image import (
    photo_from_channels,
    photo_from_decoded,
    photo_from_image,
)
from enhance_cli.imaging.codecs.png import (
    PNG_SIGNATURE,
    MendedPng,
    check_png,
    is_sixteen_bit,
    mended_png,
    read_code_points,
    read_png_levels,
)
from enhance_cli.imaging.codecs.raw.read import read_raw, read_raw_exif
from enhance_cli.imaging.codecs.stored_image import (
    HDR_COMPRESSED,
    SEVERAL_IMAGES,
    StoredImage,
)
from enhance_cli.imaging.codecs.tiff.read import read_tiff
from enhance_cli.imaging.codecs.webp.read import is_webp, read_webp
from enhance_cli.imaging.containers.jpeg_segments import SIGNATURE as JPEG_SIGNATURE
from enhance_cli.imaging.file_limits import (
    refuse_beyond_memory,
    refuse_costly_file,
    seconds_for_file,
    seconds_for_pixels,
)
from enhance_cli.imaging.gain_maps.multi_picture import has_views
from enhance_cli.imaging.gain_maps.read import FoundGainMap, decode_gain_map, find_gain_map
from enhance_cli.imaging.metadata import exif
from enhance_cli.imaging.metadata.read import orientation_of, read_metadata, sort_info
from enhance_cli.imaging.metadata.tiff_tags import read_directories
from enhance_cli.imaging.photo import Photo, refuse_too_many_pixels
from enhance_cli.imaging.resize import fit_within
from enhance_cli.imaging.sidecars.merge import with_sidecar
from enhance_cli.time_limit import TimeIsUpError, TimeLimit

Reader = Callable[[Path, int | None, int, Callable[[int], None]], Photo]
"""Reads a photo, given the last four arguments of :func:`decode`."""

_SMALL = 64
"""Longer edge, in pixels, of a photo that is decoded for its metadata alone."""


def decode(
    path: Path,
    long_edge: int | None = None,
    max_pixels: int = MAX_PIXELS,
    reserve: Callable[[int], None] = lambda _pixels: None,
    check_cancelled: Callable[[], None] = lambda: None,
) -> Photo:
    """Read a photo: JPEG, PNG, TIFF, WebP, AVIF, HEIC, JPEG XL, JPEG 2000 or a camera RAW file.

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
        check_cancelled: Called now and then while the photo is read; what it raises ends that.

    Returns:
        The photo with its metadata.

    Raises:
        PhotoError: The file cannot be read as a photo, has too many pixels, or takes too long.
    """
    limit = TimeLimit(seconds_for_file(path))

    def reserve_in_time(pixels: int) -> None:
        with limit.paused():
            reserve(pixels)
        limit.seconds += seconds_for_pixels(pixels)
        refuse_beyond_memory(path, pixels)

    read = partial(_read, path, long_edge, max_pixels, reserve_in_time)
    try:
        return limit.run(read, check_cancelled)
    except TimeIsUpError as problem:
        raise PhotoError(
            f"{path}: given up after {limit.seconds:.0f} s, without being read; damaged, "
            "or on a disk that does not answer"
        ) from problem
    except MemoryError as problem:
        raise _too_large(path) from problem


def _read(
    path: Path, long_edge: int | None, max_pixels: int, reserve: Callable[[int], None]
) -> Photo:
    """Read a photo, for as long as that takes; see :func:`decode`."""
    try:
        photo = _reader_of(path)(path, long_edge, max_pixels, reserve)
        if is_raw(path):  # read with its sidecar, which may say which way is up
            return photo
        return replace(photo, metadata=with_sidecar(photo.metadata, path))
    except PhotoError:
        raise
    except MemoryError as problem:
        raise _too_large(path) from problem
    # Codecs raise exceptions of any type for damaged files, from SyntaxError to struct.error.
    except Exception as problem:
        raise PhotoError(f"{path}: {_reason(path, problem)}") from problem


def read_exif(path: Path) -> bytes | exif.Tags | None:
    """Read the EXIF of a photo file, and of its pixels only what a PNG puts in front of it.

    Returns:
        A block as stored in the file, or the tags of a TIFF or RAW file; None if there is none, or
        if it cannot be read.
    """
    # Whatever is wrong with the file, :func:`decode` reports it.
    with contextlib.suppress(Exception):
        if is_raw(path):
            return read_raw_exif(path)
        with path.open("rb") as file:
            signature = file.read(SIGNATURE_LENGTH)
        if is_tiff(signature):
            return read_directories(path)  # piexif would read the whole file
        if signature.startswith(PNG_SIGNATURE):
            return decode(path, _SMALL).metadata.exif
        with open_image(path) as image:
            return read_metadata(image).exif
    return None


def _reader_of(path: Path) -> Reader:
    """The reader of a file: of RAW by its suffix, of all else by its first bytes.

    Raises:
        PhotoError: The file is empty. Some of the system's own files are, and never end.
    """
    if path.stat().st_size == 0:
        raise PhotoError(f"{path}: the file is empty")
    if is_raw(path):
        return read_raw
    with path.open("rb") as file:
        signature = file.read(SIGNATURE_LENGTH)
    if is_tiff(signature):
        return read_tiff
    if is_jpegxl(signature):
        return read_jpegxl
    if is_jpeg2000(signature):
        return read_jpeg2000
    if is_webp(signature):
        return read_webp
    return read_avif if is_avif(signature) else _read_image


def _read_image(
    path: Path, long_edge: int | None, max_pixels: int, reserve: Callable[[int], None]
) -> Photo:
    """Read an image that Pillow opens, upright, with its color profile and metadata."""
    warnings: list[str] = []
    with path.open("rb") as file:
        signature = file.read(SIGNATURE_LENGTH)
    deep = deep_jpeg(path) if signature.startswith(JPEG_SIGNATURE) else None
    png = mended_png(path, warnings) if signature.startswith(PNG_SIGNATURE) else MendedPng()
    heif = path.read_bytes() if is_heif(signature) else None
    with open_image(path, heif or (deep.header if deep else png.content)) as image:
        if png.profile is not None:
            image.info["icc_profile"] = png.profile
        size = deep.size if deep else image.size
        refuse_too_many_pixels(path, size, max_pixels)
        refuse_costly_file(path, image)
        # Of the further pictures of a JPEG, previews and gain maps cause no warning.
        # To count them would take minutes for a file of very many.
        if image.format in {"JPEG", "MPO"}:
            several = has_views(image)
        else:
            several = getattr(image, "is_animated", False)
        if several:
            warnings.append(SEVERAL_IMAGES)
        gain_map = None if deep else find_gain_map(image, heif)
        if long_edge:
            # JPEG can be decoded at a fraction of its size, and HEIC may have a smaller version.
            # What is decoded is at least twice as large as the result.
            image.draft(None, fit_within(image.size, 2 * long_edge))
        reserve(math.prod(size if deep else image.size) + (gain_map.pixels if gain_map else 0))
        if image.format in {"JPEG", "MPO"} and not deep:
            photo = _read_jpeg(path, image, long_edge, warnings)
            return _with_gain_map(photo, gain_map, long_edge, orientation_of(image))
        if heif is not None:
            check_heif(heif, warnings)
        stored = read_deep_jpeg(path, deep, warnings) if deep else _read_levels(path, image, heif)
        if stored is None:
            photo = photo_from_image(image, long_edge, warnings)
        else:
            photo = photo_from_channels(stored, image, long_edge, warnings)
        return _with_gain_map(photo, gain_map, long_edge, orientation_of(image))


def _read_jpeg(path: Path, image: Image.Image, long_edge: int | None, warnings: list[str]) -> Photo:
    """Read an opened JPEG, with few copies if it is in color."""
    pixels = read_jpeg(path.read_bytes(), image, warnings, reduced=long_edge is not None)
    if isinstance(pixels, bytes):
        with open_image(path, pixels) as mended:
            mended.draft(None, image.size)
            return photo_from_image(mended, long_edge, warnings)
    return photo_from_decoded(pixels, image, long_edge, warnings)


def _with_gain_map(
    photo: Photo, found: FoundGainMap | None, long_edge: int | None, orientation: int
) -> Photo:
    """The photo with its gain map; without one if there is none, or if it is damaged."""
    if found is None or HDR_COMPRESSED in photo.warnings:
        return photo
    gain_map = decode_gain_map(found, long_edge, orientation)
    if gain_map is None:
        return photo
    metadata = replace(photo.metadata, gain_map=False)
    return replace(photo, gain_map=gain_map.fit_within(photo.size), metadata=metadata)


def _read_levels(path: Path, image: Image.Image, heif: bytes | None) -> StoredImage | None:
    """Read all bits of an opened PNG or HEIC that Pillow would reduce to 8; None if it has 8.

    Args:
        path: The file.
        image: The same file, opened by Pillow.
        heif: Its content, if it is a HEIC.
    """
    if image.format == "PNG":
        check_png(path)
        sixteen_bit = is_sixteen_bit(image)
        sort_info(image)
        image.load()  # metadata may follow the pixels
        sort_info(image)
        image.info["cicp"] = read_code_points(path)
        return StoredImage.of(read_png_levels(path)) if sixteen_bit else None
    if heif is not None and image.info.get("bit_depth", 8) > 8:
        return StoredImage.of(read_heif(heif))
    return None


def _too_large(path: Path) -> PhotoError:
    return PhotoError(f"{path}: too large for this machine's memory")


def _reason(path: Path, problem: Exception) -> str:
    if isinstance(problem, FileNotFoundError):
        return "the file does not exist"
    if isinstance(problem, PermissionError):
        return "permission denied"
    if isinstance(problem, Image.UnidentifiedImageError | rawpy.LibRawFileUnsupportedError):
        with path.open("rb") as file:
            name = unread_format(file.read(SIGNATURE_LENGTH))
        if name:
            return f"{name} cannot be read; save it as JPEG, PNG or TIFF"
        return "not a photo, or a format that cannot be read"
    said = " ".join(str(problem).split())  # on one line
    return f"damaged or not a photo ({said or type(problem).__name__})"

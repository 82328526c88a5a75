"""Conversion between Pillow's images and photos."""

from __future__ import annotations

from dataclasses import replace
from io import BufferedWriter, FileIO, UnsupportedOperation
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.errors import UsageError
from enhance_cli.imaging.codecs.levels import from_narrow_range
from enhance_cli.imaging.codecs.stored_image import (
    StoredImage,
    photo_from_stored,
    with_chromaticities,
    with_code_points,
)
from enhance_cli.imaging.color_space import SRGB_ICC
from enhance_cli.imaging.metadata.read import orientation_of, read_metadata, sort_info
from enhance_cli.imaging.photo import Photo, convert_dtype
from enhance_cli.imaging.resize import fit_within, resize_image

PillowImage = Image.Image
"""Pillow's images, for rooms that do not import Pillow."""


def photo_from_image(
    image: Image.Image,
    long_edge: int | None = None,
    warnings: list[str] | None = None,
    decoded: Image.Image | None = None,
) -> Photo:
    """Convert a Pillow image to an upright photo with 8 bits per channel.

    Args:
        image: An image of any mode except ``"F"``.
        long_edge: Longer edge of the photo, in pixels, to which larger images are downscaled; None
            keeps their size.
        warnings: Gets a line for everything that is lost.
        decoded: The pixels, if another decoder than Pillow has read them.

    Returns:
        The photo, with uint8 pixels. CMYK and other modes that are not RGB become sRGB.

    Raises:
        ValueError: The pixels are floating-point numbers.
    """
    warnings = [] if warnings is None else warnings
    if decoded is None:
        image.load()  # metadata may follow the pixels
    if image.format == "PNG":
        sort_info(image)
    stored = _stored(decoded or image, long_edge)
    return photo_from_channels(stored, image, long_edge, warnings)


def photo_from_decoded(
    pixels: NDArray[np.uint8], image: Image.Image, long_edge: int | None, warnings: list[str]
) -> Photo:
    """The photo of pixels that another decoder has read, with few copies if they are in color.

    Args:
        pixels: Levels of the image's mode, not turned upright.
        image: The file, opened by Pillow.
        long_edge: As in :func:`photo_from_image`.
        warnings: Gets a line for everything that is lost.
    """
    if image.mode == "RGB":
        return photo_from_channels(StoredImage(pixels), image, long_edge, warnings)
    decoded = Image.fromarray(pixels, image.mode)
    return photo_from_image(image, long_edge, warnings, decoded)


def photo_from_channels(
    stored: StoredImage, image: Image.Image, long_edge: int | None, warnings: list[str]
) -> Photo:
    """The photo of channels from another decoder, and of all else that Pillow has read."""
    stored = replace(with_color(stored, image, warnings), orientation=orientation_of(image))
    return photo_from_stored(stored, read_metadata(image), long_edge, warnings)


def with_color(stored: StoredImage, image: Image.Image, warnings: list[str]) -> StoredImage:
    """The channels of an image with the color that its file describes.

    Args:
        stored: The channels.
        image: The file, opened by Pillow. Code points of a PNG are in its info, as ``"cicp"``.
        warnings: Gets a line if the description cannot be used.
    """
    info = image.info
    profile, numbers = info.get("icc_profile"), info.get("cicp")
    if numbers:  # before the profile (PNG, third edition, 4.3)
        stored = with_code_points(stored, numbers.primaries, numbers.transfer, warnings)
        if not numbers.full_range:
            stored = replace(stored, channels=from_narrow_range(stored.channels))
        return stored if stored.profile else replace(stored, profile=SRGB_ICC)
    if profile or info.get("srgb") is not None:
        return replace(stored, profile=profile or SRGB_ICC)
    if nclx := info.get("nclx_profile"):
        primaries, transfer = nclx["color_primaries"], nclx["transfer_characteristics"]
        return with_code_points(stored, primaries, transfer, warnings)
    if image.format == "PNG" and ("gamma" in info or "chromaticity" in info):
        return with_chromaticities(stored, info.get("chromaticity"), info.get("gamma"), warnings)
    return stored


def image_from_photo(photo: Photo) -> Image.Image:
    """Convert a photo to a Pillow image with 8 bits per channel; the profile is in its ``info``.

    A photo without color becomes an image with one channel.
    """
    image = Image.fromarray(convert_dtype(photo.pixels, np.dtype(np.uint8)))
    if photo.grey:
        image = image.convert("L")
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(convert_dtype(photo.alpha, np.dtype(np.uint8))))
    if photo.icc_profile:
        image.info["icc_profile"] = photo.icc_profile
    return image


def is_deep(image: Image.Image) -> bool:
    """Whether an image has 16 bits: of grey, in one of Pillow's modes of integers."""
    return image.mode.startswith("I")


def photo_from_deep_image(image: Image.Image) -> Photo:
    """Convert a Pillow image of a mode of integers to an upright grey photo with 16 bits.

    Raises:
        UsageError: Its levels do not fit 16 bits.
    """
    levels = np.asarray(image)
    low, high = int(levels.min()), int(levels.max())
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise UsageError(
            f"a Pillow image of mode {image.mode} with levels from {low} to {high}: give 0 to 65535"
        )
    stored = StoredImage(levels.astype(np.uint16), "grey", None)
    stored = replace(with_color(stored, image, []), orientation=orientation_of(image))
    return photo_from_stored(stored, read_metadata(image), None, [])


def deep_image_from_photo(photo: Photo, like: Image.Image) -> Image.Image:
    """Convert a grey photo with 16 bits to a Pillow image of the mode of another one."""
    levels = np.ascontiguousarray(photo.pixels[..., 0], np.asarray(like).dtype)
    image = Image.fromarray(levels)
    if photo.icc_profile:
        image.info["icc_profile"] = photo.icc_profile
    return image


def save_image(image: Image.Image, path: Path, kind: str, **options: Any) -> None:
    """Write a Pillow image, whole or with an error.

    Pillow's JPEG encoder writes to the number of a file, and takes no notice when a disk that
    becomes full takes a part of what it writes.

    Args:
        image: The image.
        path: The file.
        kind: Pillow's name of the format.
        options: Those of Pillow's ``save``.

    Raises:
        OSError: The file cannot be written whole.
    """
    with _WithoutNumber(FileIO(path, "wb")) as file:
        image.save(file, kind, **options)


class _WithoutNumber(BufferedWriter):
    """A file to which others write by its methods alone."""

    def fileno(self) -> int:
        raise UnsupportedOperation


def _stored(image: Image.Image, long_edge: int | None) -> StoredImage:
    """The levels of an image; downscaled if it is opaque, for which Pillow takes least memory."""
    converted = _to_eight_bits(image)
    if converted.has_transparency_data:
        grey = converted.mode in {"L", "LA", "La"}
        return StoredImage.of(np.asarray(converted.convert("LA" if grey else "RGBA")))
    if converted.mode not in {"L", "RGB", "CMYK"}:
        converted = converted.convert("RGB")
    levels = np.asarray(resize_image(converted, fit_within(converted.size, long_edge)))
    return StoredImage(levels, "cmyk") if converted.mode == "CMYK" else StoredImage.of(levels)


def _to_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels")
    if image.mode.startswith("I"):  # Pillow's own conversion clips at 255
        levels = np.asarray(image, np.float32).clip(0, 65535)
        return Image.fromarray((levels / 257).round().astype(np.uint8))
    return image.convert("L") if image.mode == "1" else image

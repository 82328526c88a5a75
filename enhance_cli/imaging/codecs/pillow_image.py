"""Conversion between Pillow's images and photos."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageCms, ImageOps

from enhance_cli.imaging.codecs.orientation import ORIENTATION_TAG
from enhance_cli.imaging.color_space import SRGB, ColorSpace, ProfileError
from enhance_cli.imaging.metadata.read import read_metadata
from enhance_cli.imaging.photo import Photo, Pixels, convert_dtype, has_no_color
from enhance_cli.imaging.resize import fit_within, resize_image

UNUSABLE_PROFILE = "its colour profile cannot be used, taken as sRGB"

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L"})

PillowImage = Image.Image


def photo_from_image(
    image: Image.Image, long_edge: int | None = None, warnings: list[str] | None = None
) -> Photo:
    """Convert a Pillow image to an upright photo with 8 bits per channel.

    Args:
        image: Of any mode but floating point.
        long_edge: Longer edge of the result, in pixels; smaller images keep their size.
        warnings: Gets a line for everything that is lost.

    Raises:
        ValueError: The pixels are floats.
    """
    warnings = [] if warnings is None else warnings
    image.load()  # a PNG's metadata may follow its pixels
    metadata, profile = read_metadata(image), image.info.get("icc_profile")
    grey = image.mode in GREY_MODES
    # Only a photo that needs turning is copied: large ones need the memory.
    turned = image.getexif().get(ORIENTATION_TAG, 1) != 1
    converted = _to_eight_bits(image)
    converted = ImageOps.exif_transpose(converted) if turned else converted
    size = fit_within(converted.size, long_edge)
    alpha = None
    if converted.has_transparency_data:
        converted = converted.convert("RGBA")
        alpha = np.asarray(resize_image(converted.getchannel("A"), size))
    elif converted.mode == "P":
        converted = converted.convert("RGB")
    converted = resize_image(converted, size)
    if converted.mode in {"RGB", "RGBA"}:
        color_space = _color_space(profile, warnings)
    else:
        converted, color_space = _to_srgb(converted, profile, warnings), SRGB
    pixels = np.asarray(converted if converted.mode == "RGB" else converted.convert("RGB"))
    grey = grey or has_no_color(pixels)
    return Photo(pixels, color_space, alpha, grey, metadata, tuple(warnings))


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


def photo_of_pixels(
    image: Image.Image, pixels: Pixels, alpha: Pixels | None, grey: bool, warnings: list[str]
) -> Photo:
    """Make a photo of pixels, and of everything else that Pillow has read of the same file."""
    metadata, profile = read_metadata(image), image.info.get("icc_profile")
    color_space = SRGB if grey else _color_space(profile, warnings)
    grey = grey or has_no_color(pixels)
    return Photo(pixels, color_space, alpha, grey, metadata, tuple(warnings))


def _color_space(profile: bytes | None, warnings: list[str]) -> ColorSpace:
    try:
        return ColorSpace(profile or None)
    except ProfileError:
        warnings.append(UNUSABLE_PROFILE)
        return SRGB


def _to_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels")
    if image.mode.startswith("I"):  # Pillow's own conversion clips at 255
        levels = np.asarray(image, np.float32).clip(0, 65535)
        converted = Image.fromarray((levels / 257).round().astype(np.uint8))
        converted.info = image.info
        converted._exif = image.getexif()  # type: ignore[attr-defined]
        return converted
    return image.convert("L") if image.mode == "1" else image


def _to_srgb(image: Image.Image, profile: bytes | None, warnings: list[str]) -> Image.Image:
    """Convert an image that is not RGB, such as CMYK or grey, by its profile."""
    if profile:
        if image.mode in {"LA", "La"}:
            image = image.convert("L")
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            warnings.append(UNUSABLE_PROFILE)
        else:
            assert converted is not None
            return converted
    return image.convert("RGB")

"""Conversion between Pillow's images and photos."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from enhance_cli.imaging.color_space import SRGB, ColorSpace, ProfileError
from enhance_cli.imaging.metadata.read import orientation_of, read_metadata
from enhance_cli.imaging.photo import Photo, Pixels, convert_dtype, has_no_color
from enhance_cli.imaging.resize import fit_within, resize_image

UNUSABLE_PROFILE = "its colour profile cannot be used, so that it was read as sRGB"

_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L"})

PillowImage = Image.Image
"""Pillow's images, for rooms that do not import Pillow."""

_TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""The turn that each value of EXIF's Orientation asks for; 1 is upright already."""

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The same turns, as Pillow names them."""


def photo_from_image(
    image: Image.Image, long_edge: int | None = None, warnings: list[str] | None = None
) -> Photo:
    """Convert a Pillow image to an upright photo with 8 bits per channel.

    Args:
        image: An image of any mode except ``"F"``.
        long_edge: Longer edge of the photo, in pixels, to which larger images are downscaled; None
            keeps their size.
        warnings: Gets a line for everything that is lost.

    Returns:
        The photo, with uint8 pixels. CMYK and other modes that are not RGB become sRGB.

    Raises:
        ValueError: The pixels are floating-point numbers.
    """
    warnings = [] if warnings is None else warnings
    image.load()  # a PNG's metadata may follow its pixels
    metadata, profile = read_metadata(image), image.info.get("icc_profile")
    grey = image.mode in _GREY_MODES
    turn = _TRANSPOSITIONS.get(orientation_of(image))
    converted = _to_eight_bits(image)
    converted = converted if turn is None else converted.transpose(turn)
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
    """Make a photo of pixels that another decoder has read, and of all else that Pillow has read.

    Args:
        image: The file, opened by Pillow.
        pixels: Its pixels, ``(H, W, 3)``, upright.
        alpha: Its opacity, ``(H, W)`` of the same dtype, or None.
        grey: Whether the file stores grey, and not RGB.
        warnings: Gets a line for everything that is lost.
    """
    metadata, profile = read_metadata(image), image.info.get("icc_profile")
    color_space = SRGB if grey else _color_space(profile, warnings)
    grey = grey or has_no_color(pixels)
    return Photo(pixels, color_space, alpha, grey, metadata, tuple(warnings))


def upright(pixels: NDArray[Any], image: Image.Image) -> NDArray[Any]:
    """Turn an image upright, as its EXIF orientation says.

    Args:
        pixels: Pixels of the image as stored, ``(H, W, ...)``.
        image: The same image, opened by Pillow.
    """
    turn = _TURNS.get(orientation_of(image))
    return np.ascontiguousarray(turn(pixels)) if turn else pixels


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

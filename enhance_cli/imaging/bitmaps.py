"""Every picture that is not a camera RAW, read by Pillow."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, ImageOps

from enhance_cli.imaging.colour import SRGB, ColorSpace, ProfileError
from enhance_cli.imaging.deep import is_deep, read_deep, upright
from enhance_cli.imaging.jpeg import read_jpeg
from enhance_cli.imaging.metadata import found_in
from enhance_cli.imaging.photo import Photo, Pixels, has_no_color, refuse_too_many
from enhance_cli.imaging.resizing import fitted, resize_image

USELESS_PROFILE = "its colour profile cannot be used, taken as sRGB"

_ORIENTATION = 0x0112

PillowImage = Image.Image

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L"})

# What Pillow remarks on damaged metadata is told photo by photo, by metadata.py. Once for all,
# since filters belong to the process, and several threads decode.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")

# Pillow's own limit stops at 179 megapixels, which panoramas pass; refuse_too_many has ours.
Image.MAX_IMAGE_PIXELS = None
pillow_heif.register_heif_opener()


def decode_bitmap(
    path: Path, long_edge: int | None, max_pixels: int, admit: Callable[[int], None]
) -> Photo:
    """Read a picture upright, with its colour profile beside it."""
    with Image.open(path) as image:
        refuse_too_many(path, image.size, max_pixels)
        notes: list[str] = []
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # that holds previews
            notes.append("holds several pictures, only the first was read")
        if long_edge:
            # JPEG alone: decode at a fraction of the size, twice what is needed at least.
            image.draft(None, fitted(image.size, 2 * long_edge))
        admit(math.prod(image.size))
        if is_deep(image):
            return _deep_photo(path, image, notes).fitted(long_edge)
        if long_edge is None and image.format in {"JPEG", "MPO"} and image.mode == "RGB":
            pixels = read_jpeg(path)
            if pixels is not None:
                return _photo_of_array(image, upright(pixels, image), None, False, notes)
        return photo_of(image, long_edge, notes)


def photo_of(
    image: Image.Image, long_edge: int | None = None, notes: list[str] | None = None
) -> Photo:
    """Take a photo out of Pillow's hands, upright.

    Args:
        image: Of any mode but floating point.
        long_edge: Longer edge of the result, in pixels; a smaller photo keeps its size.
        notes: Takes a line for all that is lost.

    Raises:
        ValueError: The pixels are floats.
    """
    notes = [] if notes is None else notes
    image.load()  # a PNG's metadata may stand behind its pixels
    metadata, profile = found_in(image), image.info.get("icc_profile")
    grey = image.mode in GREY_MODES
    # A copy is turned, unless nothing is to be turned: large photos need the memory.
    turned = image.getexif().get(_ORIENTATION, 1) != 1
    upright = _to_eight_bits(image)
    upright = ImageOps.exif_transpose(upright) if turned else upright
    size = fitted(upright.size, long_edge)
    alpha = None
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        alpha = np.asarray(resize_image(upright.getchannel("A"), size))
    elif upright.mode == "P":
        upright = upright.convert("RGB")
    upright = resize_image(upright, size)
    if upright.mode in {"RGB", "RGBA"}:
        colours = _colours(profile, notes)
    else:
        upright, colours = _to_srgb(upright, profile, notes), SRGB
    pixels = np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))
    return Photo(pixels, colours, alpha, grey or has_no_color(pixels), metadata, tuple(notes))


def _deep_photo(path: Path, image: Image.Image, notes: list[str]) -> Photo:
    if image.format == "PNG":
        image.load()  # metadata may stand behind the pixels
    picture = read_deep(path, image)
    return _photo_of_array(image, picture.pixels, picture.alpha, picture.grey, notes)


def _photo_of_array(
    image: Image.Image, pixels: Pixels, alpha: Pixels | None, grey: bool, notes: list[str]
) -> Photo:
    """Take all but the pixels out of Pillow's hands."""
    metadata, profile = found_in(image), image.info.get("icc_profile")
    colours = SRGB if grey else _colours(profile, notes)
    return Photo(pixels, colours, alpha, grey or has_no_color(pixels), metadata, tuple(notes))


def _colours(profile: bytes | None, notes: list[str]) -> ColorSpace:
    try:
        return ColorSpace(profile or None)
    except ProfileError:
        notes.append(USELESS_PROFILE)
        return SRGB


def _to_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels")
    if image.mode.startswith("I"):  # Pillow's own conversion clips at 255
        deep = np.asarray(image, np.float32).clip(0, 65535)
        converted = Image.fromarray((deep / 257).round().astype(np.uint8))
        converted.info = image.info
        converted._exif = image.getexif()  # type: ignore[attr-defined]
        return converted
    return image.convert("L") if image.mode == "1" else image


def _to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """Convert a picture that is not RGB, such as CMYK or grey, by its profile."""
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
            notes.append(USELESS_PROFILE)
        else:
            assert converted is not None
            return converted
    return image.convert("RGB")

"""Images as files store them: the photo that one becomes, and the channels of a photo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.cicp import Hdr, describe_chromaticities, describe_code_points, to_sdr
from enhance_cli.imaging.codecs.levels import Levels
from enhance_cli.imaging.color_space import (
    SRGB,
    ColorSpace,
    ProfileError,
    adobe_rgb,
    cmyk_to_srgb,
    grey_to_srgb,
    is_input_only,
    to_adobe_rgb,
)
from enhance_cli.imaging.metadata.exif import names_adobe_rgb
from enhance_cli.imaging.metadata.metadata import NO_METADATA, Metadata
from enhance_cli.imaging.photo import (
    STRIP,
    Photo,
    Pixels,
    convert_dtype,
    has_no_color,
    quantize,
    without_color,
)
from enhance_cli.imaging.resize import fit_within, max_value, resize_pixels, size_of

SEVERAL_IMAGES = "contains several images, only the first was read"
HDR_COMPRESSED = "is HDR, and its highlights were compressed: results are never HDR"
UNKNOWN_COLOR = "its colour description is unknown, so that it was read as sRGB"
UNUSABLE_PROFILE = "its colour profile cannot be used, so that it was read as sRGB"

INPUT_PROFILE = (
    "its colour profile, as those of many scanners, only describes how to read it; the result is "
    "in Adobe RGB"
)

_BYTE, _MAX_BYTE = 8, 255

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


@dataclass(frozen=True)
class StoredImage:
    """An image as its file stores it.

    Attributes:
        channels: Grey ``(H, W)``, RGB ``(H, W, 3)`` or inks ``(H, W, 4)``, where 0 is no ink.
        model: What the channels are.
        alpha: Opacity, ``(H, W)`` of the same dtype, by which the channels are not multiplied;
            None if there is none.
        profile: ICC profile of the channels. Without one, they are sRGB, or what EXIF says.
        hdr: Transfer function of high dynamic range, if the channels have one. The profile then
            says what they are with the curve of sRGB.
        orientation: Orientation of the channels, as EXIF numbers them.
    """

    channels: Levels
    model: Literal["grey", "rgb", "cmyk"] = "rgb"
    alpha: Levels | None = None
    profile: bytes | None = None
    hdr: Hdr | None = None
    orientation: int = 1

    @classmethod
    def of(cls, levels: Levels) -> StoredImage:
        """Grey or RGB, each with or without opacity, by the number of channels.

        Args:
            levels: ``(H, W)`` or ``(H, W, C)`` with 1 to 4 channels.
        """
        channels = levels[..., None] if levels.ndim == 2 else levels
        count = channels.shape[2]
        alpha = channels[..., -1] if count in {2, 4} else None
        if count <= 2:
            return cls(channels[..., 0], "grey", alpha)
        return cls(channels[..., :3], "rgb", alpha)


def with_code_points(
    image: StoredImage, primaries: int, transfer: int, warnings: list[str]
) -> StoredImage:
    """The image with the color that code points of CICP describe (ITU-T H.273)."""
    try:
        profile, hdr = describe_code_points(primaries, transfer)
    except ProfileError:
        warnings.append(UNKNOWN_COLOR)
        return image
    return replace(image, profile=profile, hdr=hdr)


def with_chromaticities(
    image: StoredImage,
    chromaticities: tuple[float, ...] | None,
    gamma: float | None,
    warnings: list[str],
) -> StoredImage:
    """The image with the color that a PNG's chunks cHRM and gAMA describe.

    Args:
        image: The image.
        chromaticities: x and y of white, red, green and blue, as in cHRM; or None.
        gamma: Exponent from light to the stored numbers, as in gAMA; or None.
        warnings: Gets a line if the numbers are impossible.
    """
    points = None
    if chromaticities:
        white, *colors = zip(chromaticities[::2], chromaticities[1::2], strict=True)
        points = (*colors, white)
    try:
        profile = describe_chromaticities(points, 1 / gamma if gamma else None).profile
    except ProfileError:
        warnings.append(UNKNOWN_COLOR)
        return image
    return replace(image, profile=profile)


def photo_from_stored(
    image: StoredImage,
    metadata: Metadata = NO_METADATA,
    long_edge: int | None = None,
    warnings: list[str] | None = None,
) -> Photo:
    """Make an upright photo of an image.

    Args:
        image: The image.
        metadata: Metadata of its file.
        long_edge: Longer edge of the photo, in pixels, to which larger images are downscaled; None
            keeps their size.
        warnings: Gets a line for everything that is lost.

    Returns:
        The photo, with the dtype of the image. Inks become sRGB, and so does what has no color.
    """
    warnings = [] if warnings is None else warnings
    if image.hdr:
        warnings.append(HDR_COMPRESSED)
    elif not image.profile and image.model == "rgb" and names_adobe_rgb(metadata.exif or b""):
        image = replace(image, profile=adobe_rgb())
    size = fit_within(size_of(image.channels), long_edge)
    channels = upright(resize_pixels(image.channels, size, image.alpha), image.orientation)
    alpha = image.alpha
    if alpha is not None:
        alpha = upright(np.ascontiguousarray(resize_pixels(alpha, size)), image.orientation)
    pixels, color_space = _to_rgb(replace(image, channels=channels), warnings)
    photo = Photo(pixels, color_space, alpha, False, metadata)
    if image.model == "grey" or has_no_color(pixels, color_space):
        photo = without_color(photo)
    return replace(photo, warnings=tuple(warnings))


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn pixels ``(H, W, ...)`` upright that are stored in this orientation of EXIF."""
    turn = _TURNS.get(orientation)
    return np.ascontiguousarray(turn(pixels)) if turn else pixels


def _to_rgb(image: StoredImage, warnings: list[str]) -> tuple[Pixels, ColorSpace]:
    """The channels as RGB, ``(H, W, 3)``, and their color space."""
    try:
        if image.hdr:
            channels = image.channels
            colors = channels if channels.ndim == 3 else np.repeat(channels[..., None], 3, axis=2)
            return to_sdr(colors, image.hdr), ColorSpace(image.profile)
        if image.model == "rgb" and image.profile and is_input_only(image.profile):
            warnings.append(INPUT_PROFILE)
            convert = partial(to_adobe_rgb, profile=image.profile)
            return _in_strips(image.channels, convert), ColorSpace(adobe_rgb())
        if image.model == "rgb":
            return np.ascontiguousarray(image.channels), ColorSpace(image.profile or None)
        if image.model == "cmyk":
            return _in_strips(image.channels, partial(_inks_to_rgb, profile=image.profile)), SRGB
        levels = image.channels
        if image.profile:
            levels = grey_to_srgb(levels, image.profile)
        return np.repeat(levels[..., None], 3, axis=2), SRGB
    except ProfileError:
        warnings.append(UNUSABLE_PROFILE)
        return _to_rgb(replace(image, profile=None), warnings)


def _in_strips(levels: Levels, convert: Callable[[Levels], NDArray[np.float32]]) -> Levels:
    """Convert ``(H, W, C)`` to RGB of the same dtype, strip by strip to save memory."""
    result = np.empty((*levels.shape[:2], 3), levels.dtype)
    rows = max(1, STRIP // levels.shape[1])
    for top in range(0, len(levels), rows):
        result[top : top + rows] = quantize(convert(levels[top : top + rows]), levels.dtype)
    return result


def _inks_to_rgb(inks: Levels, profile: bytes | None) -> NDArray[np.float32]:
    if profile:
        return cmyk_to_srgb(inks, profile)
    paper = np.subtract(1, inks / np.float32(max_value(inks.dtype)), dtype=np.float32)
    return paper[..., :3] * paper[..., 3:]


def wants_sixteen_bits(photo: Photo, encoding: Encoding) -> bool:
    """Whether to store a photo with 16 bits per channel."""
    if encoding.bits is None:
        return photo.max_value > _MAX_BYTE
    return encoding.bits > _BYTE


def stored_channels(photo: Photo, dtype: np.dtype) -> NDArray[Any]:
    """Join the channels that a file has to store: RGB or grey, and opacity if there is any.

    Args:
        photo: The photo.
        dtype: uint8 or uint16.

    Returns:
        A contiguous array of this dtype: ``(H, W)`` for a grey photo without opacity, else
        ``(H, W, C)`` with 2, 3 or 4 channels.
    """
    color = convert_dtype(photo.pixels, dtype)
    parts = [color[..., :1] if photo.grey else color]
    if photo.alpha is not None:
        parts.append(convert_dtype(photo.alpha, dtype)[..., None])
    joined = np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0]
    return np.ascontiguousarray(joined[..., 0] if joined.shape[2] == 1 else joined)

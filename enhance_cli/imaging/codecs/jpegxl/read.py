"""Reading JPEG XL.

libjxl decodes the pixels and turns them upright. Of their color it says nothing through
imagecodecs: that is read from the header.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.cicp import describe_primaries, encode_srgb
from enhance_cli.imaging.codecs.jpegxl.container import read_contents
from enhance_cli.imaging.codecs.jpegxl.header import (
    LINEAR,
    SRGB_CURVE,
    Color,
    Header,
    read_header,
    with_float_depth,
)
from enhance_cli.imaging.codecs.levels import divided, full_range
from enhance_cli.imaging.codecs.stored_image import (
    INPUT_PROFILE,
    SEVERAL_IMAGES,
    UNKNOWN_COLOR,
    UNUSABLE_PROFILE,
    StoredImage,
    photo_from_stored,
)
from enhance_cli.imaging.color_space import (
    SRGB,
    ColorSpace,
    ProfileError,
    adobe_rgb,
    is_input_only,
)
from enhance_cli.imaging.photo import STRIP, Photo, convert_dtype, quantize, refuse_too_many_pixels


def read_jpegxl(
    path: Path, long_edge: int | None, max_pixels: int, reserve: Callable[[int], None]
) -> Photo:
    """Read a JPEG XL with all its bits; the arguments are those of ``decode``."""
    contents, warnings = read_contents(path.read_bytes()), []
    header = read_header(contents.codestream)
    refuse_too_many_pixels(path, header.size, max_pixels)
    if header.inks:
        raise PhotoError(f"{path}: its colours are CMYK; save it as RGB")
    if header.animated:
        warnings.append(SEVERAL_IMAGES)
    reserve(math.prod(header.size))
    stored = _decode(contents.codestream, header, warnings)
    photo = photo_from_stored(stored, contents.metadata, long_edge, warnings)
    return replace(photo, lossless=not header.xyb)


def _decode(codestream: bytes, header: Header, warnings: list[str]) -> StoredImage:
    of_light = header.becomes_light
    if of_light:
        codestream = with_float_depth(codestream, header)
    samples = imagecodecs.jpegxl_decode(codestream, 0 if header.animated else None)
    samples = samples[..., None] if samples.ndim == 2 else samples
    n_colors = 1 if samples.shape[2] < 3 else 3
    if header.more_channels:
        warnings.append("its channels beside colour and transparency were left out")
    colors = samples[..., 0] if n_colors == 1 else samples[..., :3]
    if of_light:
        stored = _from_light(colors, header, warnings)
    else:
        stored = _with_color(colors, header, warnings)
    if not header.alpha or samples.shape[2] == n_colors:
        return stored
    alpha = full_range(samples[..., n_colors], header.depth.bits)
    alpha = convert_dtype(np.ascontiguousarray(alpha), stored.channels.dtype)
    channels = divided(stored.channels, alpha) if header.multiplied else stored.channels
    return replace(stored, channels=channels, alpha=alpha)


def _with_color(colors: NDArray[Any], header: Header, warnings: list[str]) -> StoredImage:
    """The image of samples in the color space of the header."""
    color = header.color
    if colors.dtype.kind == "f" and color.transfer == LINEAR and not (color.gamma or color.profile):
        colors, color = encode_srgb(colors.astype(np.float32)), color._replace(transfer=SRGB_CURVE)
    levels = np.ascontiguousarray(full_range(colors, header.depth.bits))
    stored = StoredImage(levels, "grey" if levels.ndim == 2 else "rgb")
    if color.profile is not None:
        if not color.profile:
            warnings.append(UNUSABLE_PROFILE)
        return replace(stored, profile=color.profile or None)
    try:
        found = describe_primaries(color.chromaticities, color.transfer, color.gamma)
    except ProfileError:
        warnings.append(UNKNOWN_COLOR)
        return stored
    return replace(stored, profile=found.profile, hdr=found.hdr)


def _from_light(colors: NDArray[Any], header: Header, warnings: list[str]) -> StoredImage:
    """The image of linear light in sRGB's primaries, which may be negative, in its own profile."""
    dtype = np.dtype(np.uint8 if header.depth.bits <= 8 else np.uint16)
    space = _space_of(header.color, warnings) if colors.ndim == 3 else SRGB
    levels = np.empty(colors.shape, dtype)
    rows = max(1, STRIP // colors.shape[1])
    for top in range(0, len(colors), rows):
        strip = np.nan_to_num(colors[top : top + rows].astype(np.float32))
        levels[top : top + rows] = quantize(space.from_srgb(encode_srgb(strip)), dtype)
    return StoredImage(levels, "grey" if colors.ndim == 2 else "rgb", profile=space.profile)


def _space_of(color: Color, warnings: list[str]) -> ColorSpace:
    """The color space of a profile; Adobe RGB if nothing can be stored in the former."""
    profile = color.profile or b""
    if profile and is_input_only(profile):
        warnings.append(INPUT_PROFILE)
        return ColorSpace(adobe_rgb())
    try:
        return ColorSpace(profile)
    except ProfileError:
        warnings.append(UNUSABLE_PROFILE)
        return SRGB

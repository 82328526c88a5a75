"""Reading JPEG 2000, which OpenJPEG decodes; it also looks up palettes and converts YCC to RGB."""

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
from enhance_cli.imaging.cicp import rgb_profile
from enhance_cli.imaging.codecs.jpeg2000.container import Picture, read_metadata, read_picture
from enhance_cli.imaging.codecs.levels import Levels, divided, full_range
from enhance_cli.imaging.codecs.stored_image import SEVERAL_IMAGES, StoredImage, photo_from_stored
from enhance_cli.imaging.metadata.read import stated_orientation
from enhance_cli.imaging.photo import Photo, refuse_too_many_pixels

_CMYK, _SRGB, _GREY, _YCC, _ROMM = 12, 16, 17, 18, 21
_READ = {None, _CMYK, _SRGB, _GREY, _YCC, _ROMM}
"""Numbers of color spaces (ISO/IEC 15444-1, table I.10, and 15444-2, table M.25)."""

_RESTRICTED_PROFILE, _ANY_PROFILE = b"colr\2", b"colr\3"
"""How a box with a profile begins, by its method; OpenJPEG leaves the second one alone."""

_ROMM_PRIMARIES = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), (0.3457, 0.3585))
_ROMM_GAMMA = 1.8


def read_jpeg2000(
    path: Path, long_edge: int | None, max_pixels: int, reserve: Callable[[int], None]
) -> Photo:
    """Read a JPEG 2000 with all its bits; the arguments are those of ``decode``."""
    content, warnings = path.read_bytes(), []
    picture = read_picture(content)
    refuse_too_many_pixels(path, picture.size, max_pixels)
    if picture.color not in _READ:
        raise PhotoError(f"{path}: a JPEG 2000 in colour space {picture.color}; save it as sRGB")
    if picture.signed:
        raise PhotoError(f"{path}: its pixels are signed numbers; save it with 16 bits per channel")
    if picture.several:
        warnings.append(SEVERAL_IMAGES)
    reserve(math.prod(picture.size))
    levels = full_range(_decode(content, picture), max(picture.depths))
    stored = _with_color(_stored_image(levels, picture, warnings), picture)
    metadata = read_metadata(content)
    orientation = stated_orientation(metadata.exif_block, metadata.xmp)
    stored = replace(stored, orientation=orientation)
    return photo_from_stored(stored, metadata, long_edge, warnings)


def _decode(content: bytes, picture: Picture) -> NDArray[Any]:
    """Decode the channels; those of a file with a profile would be converted to sRGB by it."""
    if picture.profile:
        header, mark, rest = content.partition(b"jp2c")
        content = header.replace(_RESTRICTED_PROFILE, _ANY_PROFILE) + mark + rest
    return imagecodecs.jpeg2k_decode(content)


def _stored_image(levels: Levels, picture: Picture, warnings: list[str]) -> StoredImage:
    channels = levels[..., None] if levels.ndim == 2 else levels
    count = channels.shape[2]
    n_colors = _n_colors(count, picture)
    has_opacity = count > n_colors and picture.opacity is not False
    if count > n_colors + has_opacity:
        warnings.append("its channels beside colour and transparency were left out")
    alpha = np.ascontiguousarray(channels[..., n_colors]) if has_opacity else None
    colors: NDArray[Any] = channels[..., 0] if n_colors == 1 else channels[..., :n_colors]
    colors = np.ascontiguousarray(colors)
    if alpha is not None and picture.multiplied:
        colors = divided(colors, alpha)
    model = "grey" if n_colors == 1 else "cmyk" if n_colors == 4 else "rgb"
    return StoredImage(colors, model, alpha)


def _n_colors(count: int, picture: Picture) -> int:
    profile = picture.profile or b""
    if count >= 4 and (picture.color == _CMYK or profile[16:20] == b"CMYK"):
        return 4
    return 1 if count < 3 or picture.color == _GREY or profile[16:20] == b"GRAY" else 3


def _with_color(image: StoredImage, picture: Picture) -> StoredImage:
    if picture.color == _ROMM:
        return replace(image, profile=rgb_profile("ROMM RGB", _ROMM_PRIMARIES, _ROMM_GAMMA))
    return replace(image, profile=picture.profile)

"""Writing JPEG XL.

libjxl encodes the pixels; imagecodecs cannot tell it of color spaces, so these are written into the
header afterwards. The colors of lossy files are stored as linear light, of any gamut, and the
header only says to which color space a reader should convert them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.cicp import decode_srgb, rgb_profile
from enhance_cli.imaging.codecs.jpegxl.container import CONTAINER, box, read_contents
from enhance_cli.imaging.codecs.jpegxl.header import SRGB, Color, with_color
from enhance_cli.imaging.codecs.stored_image import stored_channels, wants_sixteen_bits
from enhance_cli.imaging.color_space import ColorSpace
from enhance_cli.imaging.metadata.exif import PREFIX
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.photo import STRIP, Photo, convert_dtype

_EFFORT = 5
"""Of the encoder, from 1 to 9; more takes several times as long for few percent of the size."""

_D65, _D50 = (0.3127, 0.3290), (0.3457, 0.3585)
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_USUAL = (
    Color(chromaticities=(*_P3, _D65)),
    Color(chromaticities=((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65), gamma=563 / 256),
    Color(chromaticities=((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65)),
    Color(chromaticities=((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), _D50), gamma=1.8),
)
"""Display P3, Adobe RGB, BT.2020 with the curve of sRGB, and ROMM RGB."""

_SAME = 0.5 / 255
"""Largest difference at which a profile counts as that of a usual color space."""

_FILE_TYPE = box(b"ftyp", b"jxl \0\0\0\0jxl ")
_LEVEL = box(b"jxll", b"\x0a")
"""What a decoder must be able to do: level 10 allows 16 bits without loss."""


def write_jpegxl(photo: Photo, path: Path, encoding: Encoding, metadata: Metadata) -> None:
    """Write a JPEG XL of 8 or 16 bits per channel, lossless if the photo comes from such a one."""
    deep = wants_sixteen_bits(photo, encoding)
    bits = 16 if deep else 8
    if photo.lossless or (photo.color_space.is_srgb and not deep):
        samples = stored_channels(photo, np.dtype(np.uint16 if deep else np.uint8))
    else:
        samples = _light(photo)
    if photo.lossless:
        encoded = imagecodecs.jpegxl_encode(samples, lossless=True, effort=_EFFORT)
    else:
        distance = _distance(encoding.quality)
        encoded = imagecodecs.jpegxl_encode(samples, distance=distance, effort=_EFFORT)
    codestream = with_color(read_contents(bytes(encoded)).codestream, bits, _color_of(photo))
    boxes = [CONTAINER, _FILE_TYPE, _LEVEL if deep else b""]
    if metadata.exif_block:
        boxes.append(box(b"Exif", bytes(4) + metadata.exif_block.removeprefix(PREFIX)))
    if metadata.xmp:
        boxes.append(box(b"xml ", metadata.xmp))
    path.write_bytes(b"".join([*boxes, box(b"jxlc", codestream)]))


def _color_of(photo: Photo) -> Color:
    if photo.grey:
        return Color(grey=True)
    profile = photo.color_space.profile
    if profile is None or photo.color_space.is_srgb:
        return SRGB
    if photo.lossless:
        return Color(profile=profile)
    return _named(profile) or Color(profile=profile)


@lru_cache(maxsize=16)
def _named(profile: bytes) -> Color | None:
    """A usual color space in numbers, which readers know how to convert to; else None.

    Many readers decode a lossy file with an ICC profile to sRGB, and cut off what is outside.
    """
    steps = np.linspace(0, 1, 6, dtype=np.float32)
    colors = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    expected = ColorSpace(profile).to_srgb(colors)
    for color in _USUAL:
        numbers = rgb_profile("as named", color.chromaticities, color.gamma)
        if np.abs(ColorSpace(numbers).to_srgb(colors) - expected).max() <= _SAME:
            return color
    return None


def _light(photo: Photo) -> NDArray[Any]:
    """Linear light in the primaries of sRGB, and opacity: ``(H, W, C)``, float32."""
    n_colors = 1 if photo.grey else 3
    height, width = photo.pixels.shape[:2]
    light = np.empty((height, width, n_colors + (photo.alpha is not None)), np.float32)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        srgb = photo.color_space.to_srgb(photo.as_floats(top, top + rows))
        light[top : top + rows, :, :n_colors] = decode_srgb(srgb[..., :n_colors])
    if photo.alpha is not None:
        light[..., n_colors] = convert_dtype(photo.alpha, np.dtype(np.float32))
    return light[..., 0] if light.shape[2] == 1 else light


def _distance(quality: int) -> float:
    """Butteraugli's distance for a quality, as cjxl chooses it."""
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return 53 / 3000 * quality**2 - 23 / 20 * quality + 25

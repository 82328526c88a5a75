"""A photo in memory: its pixels, color space, opacity and metadata."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.color_space import SRGB, SRGB_ICC, ColorSpace, Floats
from enhance_cli.imaging.gain_maps.gain_map import GainMap
from enhance_cli.imaging.metadata.metadata import NO_METADATA, Metadata
from enhance_cli.imaging.resize import Size, fit_within, max_value, resize_pixels, size_of

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
"""Integers over the full range of their dtype, or floats from 0 to 1."""

NO_COLOR = 3 / 255
"""Largest difference between the channels of a photo without color; JPEG causes as much."""

_CONVERTED = 2
"""By how much that may be larger after the conversion to sRGB from another color space."""

_DEEP_NOISE, _DEEP_SHARE = 0.4 / 255, 0.1
"""More than 8 bits tell dark colors from noise: there, the channels of a pixel without color differ
by at most this, and this share of the largest one."""

STRIP = 2**16
"""Pixels that are examined at a time."""


@dataclass(frozen=True, eq=False, repr=False)
class Photo:
    """An upright photo, in the precision and in the color space of its file.

    Two photos are equal if all their pixels and everything else are.

    Attributes:
        pixels: ``(H, W, 3)``, uint8, uint16 or float32.
        color_space: Color space of the pixels.
        alpha: Opacity, ``(H, W)`` of the same dtype, or None.
        grey: Whether the photo has no color, even if it is stored as RGB.
        metadata: Metadata of its file.
        warnings: A line for everything that was lost in reading.
        lossless: Whether its file is a WebP or JPEG XL without loss; a result in one of these
            formats then has none either.
        gain_map: The map that turns the photo into its HDR rendition, or None.
    """

    pixels: Pixels
    color_space: ColorSpace = SRGB
    alpha: Pixels | None = None
    grey: bool = False
    metadata: Metadata = NO_METADATA
    warnings: tuple[str, ...] = ()
    lossless: bool = False
    gain_map: GainMap | None = None

    def __eq__(self, other: object) -> bool:
        return equal_in_content(self, other)

    def __hash__(self) -> int:
        return hash((self.pixels.shape, self.pixels.dtype, self.grey))

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        space = "sRGB" if self.color_space.is_srgb else "own color profile"
        parts = [f"{width} x {height}", str(self.pixels.dtype), "grey" if self.grey else space]
        parts += ["alpha"] if self.alpha is not None else []
        parts += ["gain map"] if self.gain_map is not None else []
        parts += [f"warnings={list(self.warnings)}"] if self.warnings else []
        return f"Photo({', '.join(parts)})"

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return size_of(self.pixels)

    @property
    def max_value(self) -> int:
        """The value of white: 255, 65535 or 1."""
        return max_value(self.pixels.dtype)

    @property
    def icc_profile(self) -> bytes | None:
        """The profile to embed in a file; None if grey, since readers refuse RGB profiles there."""
        return None if self.grey else self.color_space.profile or SRGB_ICC

    def fit_within(self, long_edge: int | None) -> Photo:
        """Downscale the photo to a longer edge of ``long_edge`` pixels; smaller photos stay."""
        size = fit_within(self.size, long_edge)
        alpha = None if self.alpha is None else resize_pixels(self.alpha, size)
        gain_map = None if self.gain_map is None else self.gain_map.fit_within(size)
        pixels = resize_pixels(self.pixels, size, self.alpha)
        return replace(self, pixels=pixels, alpha=alpha, gain_map=gain_map)

    def as_floats(self, top: int = 0, bottom: int | None = None) -> Floats:
        """Rows ``top`` to ``bottom`` as ``(n, W, 3)`` in [0, 1], in the photo's own color space."""
        return _floats(self.pixels[top:bottom])

    def as_srgb(self) -> Floats:
        """The photo as the networks see it: ``(H, W, 3)``, sRGB in [0, 1]."""
        return self.color_space.to_srgb(self.as_floats()).clip(0, 1)


def equal_in_content(one: Any, other: Any) -> bool:
    """Whether two values are equal, if they are, or contain, arrays, tuples or dataclasses."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, tuple):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(equal_in_content(*pair) for pair in pairs)
    if is_dataclass(one):
        names = [field.name for field in fields(one)]
        return all(equal_in_content(getattr(one, n), getattr(other, n)) for n in names)
    return bool(one == other)


def refuse_too_many_pixels(path: Path, size: tuple[int, int], limit: int) -> None:
    """Raise a PhotoError if a photo of this width and height has more pixels than ``limit``."""
    width, height = size
    if width * height > limit:
        raise PhotoError(
            f"{path}: {width} x {height} pixels, the limit is {limit:,} (--max-pixels)"
        )


def quantize(values: NDArray[np.floating[Any]], dtype: np.dtype) -> Pixels:
    """Clamp floats to [0, 1]; for an integer dtype, scale them to its full range and round."""
    clamped = values.clip(0, 1)
    if not np.issubdtype(dtype, np.integer):
        return clamped
    return (clamped * np.float32(max_value(dtype))).round().astype(dtype)


def to_uint8(values: Floats) -> NDArray[np.uint8]:
    """Clamp floats to [0, 1] and round them to 8 bits."""
    return np.asarray(quantize(values, np.dtype(np.uint8)), np.uint8)


def convert_dtype(pixels: Pixels, dtype: np.dtype) -> Pixels:
    """Convert pixels to another dtype, so that white stays white."""
    if pixels.dtype == dtype:
        return pixels
    if pixels.dtype == np.uint8 and dtype == np.uint16:
        return pixels.astype(np.uint16) * np.uint16(257)
    if pixels.dtype == np.uint16 and dtype == np.uint8:
        # Rounded in integers: 100 megapixels as floats would take more than a gigabyte.
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return quantize(pixels.astype(np.float32) / np.float32(max_value(pixels.dtype)), dtype)


def has_no_color(pixels: Pixels, color_space: ColorSpace = SRGB) -> bool:
    """Whether the channels of ``(H, W, 3)`` pixels are equal, up to the noise of compression.

    The channels are compared in sRGB too, where equal differences look about equal.
    """
    # Strip by strip: for most photos the first one decides.
    return all(_is_neutral(strip, color_space) for strip in _strips(pixels))


def without_color(photo: Photo) -> Photo:
    """The photo as a grey one in sRGB, in which grey files are stored."""
    if photo.color_space.is_srgb:
        return replace(photo, color_space=SRGB, grey=True)
    grey = np.empty_like(photo.pixels)
    for strip, target in zip(_strips(photo.pixels), _strips(grey), strict=True):
        converted = photo.color_space.to_srgb(_floats(strip))
        target[:] = quantize(converted, grey.dtype)
    return replace(photo, pixels=grey, color_space=SRGB, grey=True)


def _strips(pixels: Pixels) -> Iterator[Pixels]:
    """Views of the rows, ``STRIP`` pixels at a time."""
    rows = max(1, STRIP // pixels.shape[1])
    return (pixels[top : top + rows] for top in range(0, len(pixels), rows))


def _is_neutral(pixels: Pixels, color_space: ColorSpace) -> bool:
    lowest, highest = _extremes(pixels)
    if (lowest == highest).all():
        return True
    white, limit = max_value(pixels.dtype), NO_COLOR
    if (highest - lowest).max() > limit * white:
        return False
    if not color_space.is_srgb:
        lowest, highest = _extremes(color_space.to_srgb(_floats(pixels)).clip(0, 1))
        white, limit = 1, NO_COLOR * _CONVERTED
    limits = np.float32(limit * white)
    if pixels.dtype != np.uint8:
        share = limit / NO_COLOR
        dark = np.float32(share * _DEEP_NOISE * white) + np.float32(share * _DEEP_SHARE) * highest
        limits = np.minimum(limits, dark)
    return bool((highest - lowest <= limits).all())


def _floats(pixels: Pixels) -> Floats:
    return pixels.astype(np.float32) / np.float32(max_value(pixels.dtype))


def _extremes(pixels: Pixels) -> tuple[NDArray[Any], NDArray[Any]]:
    """The smallest and the largest channel; ``max(axis=2)`` takes ten times as long."""
    red, green, blue = np.moveaxis(pixels, 2, 0)
    lowest = np.minimum(np.minimum(red, green), blue)
    return lowest, np.maximum(np.maximum(red, green), blue)

"""A photo in memory: its pixels, color space, opacity and metadata."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.color_space import SRGB, SRGB_ICC, ColorSpace, Floats
from enhance_cli.imaging.metadata.metadata import NO_METADATA, Metadata
from enhance_cli.imaging.resize import Size, fit_within, max_value, resize_pixels, size_of

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
"""Integers over the full range of their dtype, or floats from 0 to 1."""

NO_COLOR = 3 / 255
"""Largest difference between the channels of a photo without color; JPEG causes as much."""

_STRIP = 2**16
"""Pixels that are examined at a time."""


@dataclass(frozen=True, eq=False)
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
    """

    pixels: Pixels
    color_space: ColorSpace = SRGB
    alpha: Pixels | None = None
    grey: bool = False
    metadata: Metadata = NO_METADATA
    warnings: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return equal_in_content(self, other)

    def __hash__(self) -> int:
        return hash((self.pixels.shape, self.pixels.dtype, self.grey))

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
        return replace(self, pixels=resize_pixels(self.pixels, size), alpha=alpha)

    def as_floats(self, top: int = 0, bottom: int | None = None) -> Floats:
        """Rows ``top`` to ``bottom`` as ``(n, W, 3)`` in [0, 1], in the photo's own color space."""
        return self.pixels[top:bottom].astype(np.float32) / np.float32(self.max_value)

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


def quantize(values: Floats, dtype: np.dtype) -> Pixels:
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


def has_no_color(pixels: Pixels) -> bool:
    """Whether the channels of ``(H, W, 3)`` pixels are equal, up to compression noise."""
    limit = NO_COLOR * max_value(pixels.dtype)
    rows = max(1, _STRIP // pixels.shape[1])
    # Strip by strip: for most photos the first one decides.
    strips = (pixels[top : top + rows] for top in range(0, len(pixels), rows))
    return all(_channel_range(strip).max() <= limit for strip in strips)


def _channel_range(pixels: Pixels) -> NDArray[Any]:
    """Difference of the largest and smallest channel; ``max(axis=2)`` takes ten times as long."""
    red, green, blue = np.moveaxis(pixels, 2, 0)
    highest = np.maximum(np.maximum(red, green), blue)
    return highest - np.minimum(np.minimum(red, green), blue)

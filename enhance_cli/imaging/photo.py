"""A photo in memory: as it came from its file, and as the networks see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.colour import SRGB, ColorSpace, Floats
from enhance_cli.imaging.metadata import NOTHING, Metadata
from enhance_cli.imaging.resizing import fitted, resize_pixels, white_of

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
"""Whole numbers from 0 to the largest of their kind, or floats from 0 to 1."""

NO_COLOR = 3 / 255
"""Largest distance between the channels of a photo without colour; JPEG leaves as much."""


@dataclass(frozen=True)
class Photo:
    """A photo, upright, in the precision and in the colours of its file.

    Attributes:
        pixels: ``(H, W, 3)``.
        colours: What the numbers stand for.
        alpha: ``(H, W)`` of the same kind, or None.
        grey: The photo has no colour, even where it is stored as RGB.
        metadata: What its file says beside the pixels.
        warnings: What was lost on the way, each in one line.
    """

    pixels: Pixels
    colours: ColorSpace = SRGB
    alpha: Pixels | None = None
    grey: bool = False
    metadata: Metadata = NOTHING
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def white(self) -> int:
        """The number of white: 255, 65535 or 1."""
        return white_of(self.pixels.dtype)

    def fitted(self, long_edge: int | None) -> Photo:
        """The photo with a longer edge of ``long_edge``; it is never enlarged."""
        size = fitted(self.size, long_edge)
        alpha = None if self.alpha is None else resize_pixels(self.alpha, size)
        return replace(self, pixels=resize_pixels(self.pixels, size), alpha=alpha)

    def as_floats(self, top: int = 0, bottom: int | None = None) -> Floats:
        """Rows ``top`` to ``bottom`` in [0, 1], in the photo's own colours."""
        return self.pixels[top:bottom].astype(np.float32) / np.float32(self.white)

    def as_srgb(self) -> Floats:
        """What the networks see: ``(H, W, 3)``, sRGB in [0, 1]."""
        return self.colours.to_srgb(self.as_floats()).clip(0, 1)


def refuse_too_many(path: Path, size: tuple[int, int], limit: int) -> None:
    """Raise a PhotoError where a photo of this width and height has too many pixels."""
    width, height = size
    if width * height > limit:
        raise PhotoError(
            f"{path}: {width} x {height} pixels, the limit is {limit:,} (--max-pixels)"
        )


def quantized(values: Floats, kind: np.dtype) -> Pixels:
    """Clamp floats to [0, 1] and bring them to the numbers of another kind of pixels."""
    clamped = values.clip(0, 1)
    if not np.issubdtype(kind, np.integer):
        return clamped
    return (clamped * np.float32(white_of(kind))).round().astype(kind)


def in_kind(pixels: Pixels, kind: np.dtype) -> Pixels:
    """Bring pixels to the numbers of another kind of pixels."""
    if pixels.dtype == kind:
        return pixels
    if pixels.dtype == np.uint8 and kind == np.uint16:
        return pixels.astype(np.uint16) * np.uint16(257)
    if pixels.dtype == np.uint16 and kind == np.uint8:
        # Rounded, in whole numbers: 100 megapixels as floats would take more than a gigabyte.
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return quantized(pixels.astype(np.float32) / np.float32(white_of(pixels.dtype)), kind)


def has_no_color(pixels: Pixels) -> bool:
    """Whether the channels of ``(H, W, 3)`` pixels are as good as equal."""
    limit = NO_COLOR * white_of(pixels.dtype)
    rows = max(1, _STRIP // pixels.shape[1])
    # Strip by strip, since the first ones give most photos away.
    strips = (pixels[top : top + rows] for top in range(0, len(pixels), rows))
    return all(_distances(strip).max() <= limit for strip in strips)


def _distances(pixels: Pixels) -> NDArray[Any]:
    """How far the channels lie apart; a reduction over so short an axis would take ten times."""
    red, green, blue = np.moveaxis(pixels, 2, 0)
    highest = np.maximum(np.maximum(red, green), blue)
    return highest - np.minimum(np.minimum(red, green), blue)


_STRIP = 2**16
"""Pixels."""

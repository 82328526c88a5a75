"""A gain map in memory, and what its numbers mean.

A gain map says for every place of a photo, the base rendition, by how much it is brighter in the
HDR rendition, the alternate one. With the map's values ``v`` in [0, 1], and both renditions in
linear light in which white of the photo is 1 (ISO 21496-1, 5.2; Adobe's and Google's formulas are
the same)::

    stops     = minimum + (maximum - minimum) * v ** (1 / gamma)
    alternate = (base + base_offset) * 2 ** (weight * stops) - alternate_offset

``weight`` is 1 on a display with all the headroom that the alternate rendition needs, and 0 on one
with no more than the base needs; in between, it is linear in the logarithm of the headroom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.color_space import ColorSpace
from enhance_cli.imaging.resize import Resampling, Size, resize_unrounded, size_of

Triple = tuple[float, float, float]
"""A number for each of red, green and blue."""

OFFSET = 1 / 64
"""Offset of both renditions that Adobe recommends. Much smaller ones spend the map's levels on
differences in black that nobody can see."""

_LARGEST = 64.0
"""Largest number that the description of a map may hold, in stops or as exponent."""

_LEAST_GAMMA = 2**-10

_LEAST_RANGE = 1e-3
"""Least difference between minimum and maximum, in stops."""

_LEVELS = 255


class GainMapError(Exception):
    """A gain map is damaged, or of a kind that cannot be carried; the photo goes on without it."""


@dataclass(frozen=True)
class GainMapParameters:
    """The numbers that belong to a map's pixels; see the module.

    Attributes:
        minimum: Stops of the value 0.
        maximum: Stops of the value 1.
        gamma: Exponent of the values.
        base_offset: Added to the photo.
        alternate_offset: Subtracted from the HDR rendition.
        base_headroom: Stops above white of the display on which the map begins to count.
        alternate_headroom: Those of the display on which it counts fully.
        own_space: Whether it applies to colors in the color space of the map, not of the photo.

    Raises:
        GainMapError: The numbers are impossible, or the photo itself is the HDR rendition.
    """

    minimum: Triple
    maximum: Triple
    gamma: Triple = (1.0, 1.0, 1.0)
    base_offset: Triple = (OFFSET, OFFSET, OFFSET)
    alternate_offset: Triple = (OFFSET, OFFSET, OFFSET)
    base_headroom: float = 0.0
    alternate_headroom: float = 1.0
    own_space: bool = False

    def __post_init__(self) -> None:
        numbers = [*self.minimum, *self.maximum, *self.gamma, *self.base_offset]
        numbers += [*self.alternate_offset, self.base_headroom, self.alternate_headroom]
        if not all(math.isfinite(number) and abs(number) <= _LARGEST for number in numbers):
            raise GainMapError("numbers out of range")
        if min(self.gamma) < _LEAST_GAMMA or any(
            low > high for low, high in zip(self.minimum, self.maximum, strict=True)
        ):
            raise GainMapError("numbers that contradict each other")
        if not 0 <= self.base_headroom < self.alternate_headroom:
            raise GainMapError("the photo is the HDR rendition")

    @property
    def same_for_all(self) -> bool:
        """Whether one number of each kind is enough for all channels."""
        kinds = (self.minimum, self.maximum, self.gamma, self.base_offset, self.alternate_offset)
        return all(len(set(kind)) == 1 for kind in kinds)


@dataclass(frozen=True, eq=False)
class GainMap:
    """The gain map of a photo, turned upright like it.

    Attributes:
        pixels: ``(H, W)``, or ``(H, W, 3)`` if the channels differ; uint8. It covers the whole
            photo, at any size.
        parameters: What the pixels mean.
        color_space: Color space of the photo or HDR rendition whose channels it multiplies; None is
            that of the photo.
    """

    pixels: NDArray[np.uint8]
    parameters: GainMapParameters
    color_space: ColorSpace | None = None

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return size_of(self.pixels)

    def fit_within(self, size: Size) -> GainMap:
        """Downscale the map to the size of its photo, if it is larger than that.

        The filter is not that of photos, which overshoots at edges: half a stop of light there.
        """
        if self.size.width <= size.width and self.size.height <= size.height:
            return self
        channels = np.atleast_3d(self.pixels)
        values = resize_unrounded(channels, size, Resampling.BILINEAR) * _LEVELS
        pixels = values.round().astype(np.uint8).reshape(*values.shape[:2], *self.pixels.shape[2:])
        return replace(self, pixels=pixels)

    def stops(self) -> NDArray[np.floating[Any]]:
        """The gain at every pixel: ``(H, W, 3)``, or ``(H, W, 1)`` if it is the same for all."""
        numbers = self.parameters
        count = 1 if self.pixels.ndim == 2 and numbers.same_for_all else 3
        values = np.atleast_3d(self.pixels).astype(np.float32) / np.float32(_LEVELS)
        low, high, gamma = (
            np.asarray(kind[:count], np.float32)
            for kind in (numbers.minimum, numbers.maximum, numbers.gamma)
        )
        return low + (high - low) * values ** (1 / gamma)


def gain_map_of(stops: NDArray[Any], like: GainMap, headroom: float) -> GainMap:
    """Store gains as a map of 8 bits, with the least range that holds them all.

    Args:
        stops: ``(H, W, 1)`` or ``(H, W, 3)``, finite.
        like: The map whose color space and base headroom it takes.
        headroom: Stops above white of the brightest color of the HDR rendition; a display with
            the old map's headroom or this one, whichever is more, shows the map fully.
    """
    most = _LARGEST - 1  # further than any light goes, but a damaged map may
    stops, headroom = stops.clip(-most, most), min(headroom, most)
    low = stops.min(axis=(0, 1))
    high = np.maximum(stops.max(axis=(0, 1)), low + _LEAST_RANGE)
    pixels = ((stops - low) / (high - low) * _LEVELS).round().astype(np.uint8)
    old = like.parameters
    parameters = GainMapParameters(
        _triple(low),
        _triple(high),
        base_headroom=old.base_headroom,
        alternate_headroom=max(old.alternate_headroom, headroom),
        own_space=old.own_space,
    )
    return GainMap(pixels[..., 0] if stops.shape[2] == 1 else pixels, parameters, like.color_space)


def _triple(values: NDArray[Any]) -> Triple:
    red, green, blue = np.broadcast_to(values, 3)
    return float(red), float(green), float(blue)

"""What the networks predict for a photo, and its application to every pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from enhance_cli.imaging.affine_grid import AffineGrid, affine_grid_delta, apply_affine_grid
from enhance_cli.imaging.color_space import SRGB, ColorSpace, Floats
from enhance_cli.imaging.photo import Photo, quantize
from enhance_cli.models.cenet import ColorMapping

STRIP = 2**20
"""Number of pixels whose color space is converted at a time: about 100 MB, whatever the photo."""


@dataclass(frozen=True)
class Retouch:
    """The networks' prediction for one photo.

    Attributes:
        grid: The whole change, of CENet and PRNet together, as an affine color map at each point of
            a grid over the photo: float32, ``(h, w, 3, 4)``, or ``(1, 1, 3, 4)`` for one map.
        mapping: CENet's global map alone, on the CPU; None if the model has no CENet.
    """

    grid: AffineGrid
    mapping: ColorMapping | None

    def coarse(self, colors: Floats) -> Floats:
        """Apply CENet's map alone (eq. 1 and 3) to colors.

        Args:
            colors: ``(..., 3)``, float, sRGB in [0, 1].

        Returns:
            The coarse colors, ``(..., 3)``, not clamped; ``colors`` itself without CENet.
        """
        if self.mapping is None:
            return colors
        matrix, offset = self.mapping.matrix[0].numpy(), self.mapping.offset[0].numpy()
        return colors + colors @ matrix.T + offset


def apply_retouch(
    photo: Photo,
    retouch: Retouch,
    strength: float = 1.0,
    srgb: bool = False,
    in_place: bool = False,
) -> Photo:
    """Apply a retouch to every pixel of a photo.

    The networks see sRGB only. Colors outside its gamut change by as much as the same colors
    clipped to the gamut.

    Args:
        photo: The photo, of any size and in any color space.
        retouch: The prediction for this photo.
        strength: Factor on the change: 0 returns the photo unchanged, 1 the networks' result;
            values above 1 exaggerate it.
        srgb: Convert the result to sRGB; otherwise it keeps the photo's color space.
        in_place: Whether the result may overwrite the photo's pixels.

    Returns:
        The result, with the photo's shape and dtype. The result of a grey photo is in sRGB.
    """
    target = SRGB if srgb or photo.grey else photo.color_space
    source = np.ascontiguousarray(photo.pixels)
    pixels = source if in_place and source.flags.writeable else np.empty_like(source)
    if photo.color_space.is_srgb:
        apply_affine_grid(source, retouch.grid, strength, photo.grey, photo.max_value, pixels)
        return replace(photo, pixels=pixels, color_space=target)
    height, width = pixels.shape[:2]
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        before = photo.as_floats(top, top + rows)
        after = _retouch_strip(photo, retouch, strength, target, before, top)
        pixels[top : top + rows] = quantize(after, pixels.dtype)
    return replace(photo, pixels=pixels, color_space=target)


def _retouch_strip(
    photo: Photo, retouch: Retouch, strength: float, target: ColorSpace, before: Floats, top: int
) -> Floats:
    """Retouch the rows ``before`` of a photo that is not in sRGB, beginning at row ``top``."""
    original = photo.color_space.to_srgb(before)
    within = np.ascontiguousarray(original.clip(0, 1))
    delta = affine_grid_delta(within, retouch.grid, top, photo.size.height, strength, photo.grey)
    enhanced = original + delta
    if target.is_srgb:
        return enhanced
    # Differences, so that rounding in the two conversions does not change what the networks leave.
    return before + target.from_srgb(enhanced) - target.from_srgb(original)

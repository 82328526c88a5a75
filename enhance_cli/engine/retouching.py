"""A photo of any size: looked at small, retouched whole, strip by strip."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from enhance_cli.errors import RetouchError
from enhance_cli.imaging.colour import SRGB, ColorSpace, Floats
from enhance_cli.imaging.photo import Photo, quantized
from enhance_cli.models.cascade import Cascade
from enhance_cli.models.cenet import ColorMapping
from enhance_cli.models.upsampling import LocalAffine

STRIP = 2**20
"""Pixels worked on at a time: about 150 MB of floats, whatever the size of the photo."""

LUMA = (0.299, 0.587, 0.114)
"""What a grey photo's channels count for, which are as good as equal (ITU-R BT.601)."""


@dataclass(frozen=True)
class Retouch:
    """What the networks make of a photo; it holds for the photo at any size.

    Attributes:
        mapping: CENet's map, or None.
        residual: PRNet's residual at the size at which it looked, ``(3, h, w)``, or None.
        local: The same for other sizes; None where the photo has that size.
        device: Where all this is.
    """

    mapping: ColorMapping | None
    residual: Tensor | None
    local: LocalAffine | None
    device: torch.device

    def rows(self, photo: Floats, top: int, height: int) -> Floats:
        """Enhance a strip.

        Args:
            photo: Rows ``top`` to ``top + n`` of the photo, ``(n, W, 3)``, sRGB in [0, 1].
            top: First row.
            height: Of the whole photo.

        Returns:
            ``(n, W, 3)``, sRGB in [0, 1].
        """
        coarse = torch.from_numpy(photo).to(self.device).permute(2, 0, 1).contiguous()
        if self.mapping is not None:
            coarse = coarse + self.mapping.residual(coarse[None])[0]
        enhanced = coarse
        if self.local is not None:
            enhanced = coarse + self.local.rows(coarse, top, height)
        elif self.residual is not None:
            enhanced = coarse + self.residual[:, top : top + len(photo)]
        return enhanced.clamp(0, 1).permute(1, 2, 0).cpu().numpy()

    def to(self, device: torch.device) -> Retouch:
        """The same on another device."""
        mapping = self.mapping and ColorMapping(*(part.to(device) for part in self.mapping))
        residual = None if self.residual is None else self.residual.to(device)
        local = self.local and self.local.to(device)
        return Retouch(mapping, residual, local, device)

    def coarse(self, colours: Floats) -> Floats:
        """What CENet's map makes of colours, ``(..., 3)``; nothing where there is none."""
        if self.mapping is None:
            return colours
        matrix, offset = self.mapping.matrix[0].cpu().numpy(), self.mapping.offset[0].cpu().numpy()
        return colours + colours @ matrix.T + offset


@torch.inference_mode()
def look(model: Cascade, photo: Photo, device: torch.device, coarse_only: bool = False) -> Retouch:
    """Let the networks look at a photo, at the size at which they learned to see.

    Args:
        model: In eval mode.
        photo: Of any size.
        device: Where the model is.
        coarse_only: Leave PRNet out.
    """
    view = photo.fitted(model.config.long_edge).as_srgb()
    batch = torch.from_numpy(view).to(device).permute(2, 0, 1)[None].contiguous()
    seen = model(batch, coarse_only)
    if not seen.enhanced.isfinite().all():
        raise RetouchError("the network's result is not finite")
    residual = None if seen.residual is None else seen.residual[0]
    local = None
    height, width = photo.pixels.shape[:2]
    if residual is not None and view.shape[:2] != (height, width):
        local = LocalAffine.fit(seen.coarse[0], residual, (height, width))
    return Retouch(seen.mapping, residual, local, device)


@torch.inference_mode()
def retouched(
    photo: Photo,
    retouch: Retouch,
    strength: float = 1.0,
    srgb: bool = False,
    strip: int = STRIP,
) -> Photo:
    """Apply a retouch to every pixel of a photo.

    Colours that sRGB does not hold lie beyond what the networks see: what the networks do to the
    nearest colour that it holds is done to them too.

    Args:
        photo: Of any size.
        retouch: What :func:`look` made of it.
        strength: 0 gives the photo back, 1 the networks' result; beyond 1 it is exaggerated.
        srgb: Give the result in sRGB and not in the photo's own colours.
        strip: Pixels worked on at a time.
    """
    colours = SRGB if srgb or photo.grey else photo.colours
    pixels = np.empty_like(photo.pixels)
    height, width = pixels.shape[:2]
    rows = max(1, strip // width)
    for top in range(0, height, rows):
        before = photo.as_floats(top, top + rows)
        after = _strip(photo, retouch, strength, colours, before, top)
        pixels[top : top + rows] = quantized(after, pixels.dtype)
    return replace(photo, pixels=pixels, colours=colours)


def _strip(
    photo: Photo, retouch: Retouch, strength: float, colours: ColorSpace, before: Floats, top: int
) -> Floats:
    original = photo.colours.to_srgb(before)
    within = original.clip(0, 1)
    change = retouch.rows(within, top, photo.size[1]) - within
    change *= strength
    if photo.grey:
        change = (change @ np.array(LUMA, np.float32))[..., None]
    enhanced = original + change
    if colours.is_srgb:
        return enhanced
    # Differences, so that what the networks leave alone is not touched by two conversions either.
    return before + colours.from_srgb(enhanced) - colours.from_srgb(original)

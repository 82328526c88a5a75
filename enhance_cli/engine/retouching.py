"""A photo of any size: looked at small, retouched whole. What is scored is made here too."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from enhance_cli.errors import RetouchError
from enhance_cli.imaging.colour import SRGB, ColorSpace, Floats
from enhance_cli.imaging.painting import Field, changed_rows, painted
from enhance_cli.imaging.photo import Photo, quantized
from enhance_cli.imaging.resizing import resize_unrounded
from enhance_cli.models.cascade import Cascade
from enhance_cli.models.cenet import ColorMapping
from enhance_cli.models.prnet import size_to_look_at
from enhance_cli.models.upsampling import affine_field

STRIP = 2**20
"""Pixels that change colour space at a time: about 100 MB of floats, however large the photo."""


@dataclass(frozen=True)
class Retouch:
    """What the networks make of a photo.

    Attributes:
        field: As an affine map of colour at every place of the photo.
        mapping: CENet's map alone, or None.
    """

    field: Field
    mapping: ColorMapping | None

    def coarse(self, colours: Floats) -> Floats:
        """What CENet's map makes of colours, ``(..., 3)``; nothing where there is none."""
        if self.mapping is None:
            return colours
        matrix, offset = self.mapping.matrix[0].numpy(), self.mapping.offset[0].numpy()
        return colours + colours @ matrix.T + offset


@torch.inference_mode()
def look(model: Cascade, photo: Photo, device: torch.device, coarse_only: bool = False) -> Retouch:
    """Let the networks look at a photo, at the size at which they learned to see.

    Args:
        model: In eval mode.
        photo: Of any size.
        device: Where the model is.
        coarse_only: Leave PRNet out.

    Raises:
        RetouchError: The result is not finite.
    """
    seen_size = size_to_look_at(photo.size, model.config.seen_edge)
    view = replace(photo, pixels=resize_unrounded(photo.pixels, seen_size), alpha=None).as_srgb()
    batch = torch.from_numpy(view).to(device).permute(2, 0, 1)[None].contiguous()
    seen = model(batch, coarse_only)
    height, width = photo.pixels.shape[:2]
    field = affine_field(seen, (height, width))
    if not field.isfinite().all():
        raise RetouchError("the network's result is not finite")
    mapping = seen.mapping and ColorMapping(*(part.cpu() for part in seen.mapping))
    return Retouch(field.cpu().numpy(), mapping)


def enhance_pixels(
    model: Cascade, pixels: Floats, device: torch.device, coarse_only: bool = False
) -> Floats:
    """Enhance ``(H, W, 3)`` float32 pixels, sRGB in [0, 1], to the same, clamped."""
    photo = Photo(pixels)
    return retouched(photo, look(model, photo, device, coarse_only)).as_floats()


def retouched(
    photo: Photo,
    retouch: Retouch,
    strength: float = 1.0,
    srgb: bool = False,
    spend: bool = False,
) -> Photo:
    """Apply a retouch to every pixel of a photo.

    Colours that sRGB does not hold lie beyond what the networks see: what the networks do to the
    nearest colour that it holds is done to them too.

    Args:
        photo: Of any size.
        retouch: What :func:`look` made of it.
        strength: 0 gives the photo back, 1 the networks' result; beyond 1 it is exaggerated.
        srgb: Give the result in sRGB and not in the photo's own colours.
        spend: The result may take the place of the photo's own pixels.
    """
    colours = SRGB if srgb or photo.grey else photo.colours
    source = np.ascontiguousarray(photo.pixels)
    pixels = source if spend and source.flags.writeable else np.empty_like(source)
    if photo.colours.is_srgb:
        painted(source, retouch.field, strength, photo.grey, photo.white, pixels)
        return replace(photo, pixels=pixels, colours=colours)
    height, width = pixels.shape[:2]
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        before = photo.as_floats(top, top + rows)
        after = _strip(photo, retouch, strength, colours, before, top)
        pixels[top : top + rows] = quantized(after, pixels.dtype)
    return replace(photo, pixels=pixels, colours=colours)


def _strip(
    photo: Photo, retouch: Retouch, strength: float, colours: ColorSpace, before: Floats, top: int
) -> Floats:
    original = photo.colours.to_srgb(before)
    within = np.ascontiguousarray(original.clip(0, 1))
    change = changed_rows(within, retouch.field, top, photo.size[1], strength, photo.grey)
    enhanced = original + change
    if colours.is_srgb:
        return enhanced
    # Differences, so that what the networks leave alone is not touched by two conversions either.
    return before + colours.from_srgb(enhanced) - colours.from_srgb(original)

"""How squares of equal size are cut from photos of any size."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from enhance_cli.config import LONG_EDGE, Fit

GRID = 16
"""Squares that grow have sides that are multiples of this, in pixels."""


class View(NamedTuple):
    """How a whole photo is brought into a square: padded with black, or squashed."""

    side: int
    fit: Fit


class Framing(NamedTuple):
    """How a square is cut from a photo.

    Attributes:
        side: Of the square, in pixels.
        crop: False pads the whole photo with black (section 3.2); True fills the square with a
            random part of the photo.
        zoom: Smallest share of width and height in that part.
        keep_aspect: The part is a square too; otherwise it is squashed to one.
        flip: Mirror left to right at random.
        rotate: Turn by quarter turns at random.
        jitter: Largest random change of exposure, see
            :func:`enhance_cli.data.augmentation.draw_jitter`.
        view: How the whole original is shown beside its part; None leaves it out.
        grow_from: Side in epoch 0, where it is smaller.
        grown_after: Epochs after which the side has been reached.
    """

    side: int = LONG_EDGE
    crop: bool = False
    zoom: float = 1.0
    keep_aspect: bool = True
    flip: bool = False
    rotate: bool = False
    jitter: float = 0.0
    view: View | None = None
    grow_from: int = 0
    grown_after: float = 0.0

    def at(self, epoch: int) -> Framing:
        """The framing of an epoch; large squares cost more, so its side grows slowly at first.

        Padded photos do not grow: a smaller square would cut them.
        """
        grows = self.crop and 0 < self.grow_from < self.side
        if not grows or epoch >= self.grown_after:
            return self
        share = (epoch / self.grown_after) ** 2
        side = self.grow_from + share * (self.side - self.grow_from)
        return self._replace(side=GRID * max(1, round(side / GRID)))


def frame(photos: Tensor, framing: Framing, draw: random.Random) -> tuple[Tensor, Tensor]:
    """Cut the same square from several photos of equal size.

    Args:
        photos: ``(B, 3, H, W)``.
        framing: How.
        draw: Source of the random choices.

    Returns:
        ``(B, 3, S, S)``, and the mask ``(1, S, S)``.
    """
    if not framing.crop:
        return _pad(photos, framing.side)
    return _crop(photos, framing, draw), torch.ones(1, framing.side, framing.side)


def viewed(photo: Tensor, view: View | None, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Bring a whole photo into the square that CENet sees.

    Args:
        photo: ``(1, 3, H, W)``.
        view: How; None asks for none.
        change: What is still to be done to the photo, once it is small; padding stays black.

    Returns:
        ``(3, V, V)``, or an empty tensor.
    """
    if view is None:
        return photo.new_empty(0)
    if view.fit == "pad":
        padded, mask = _pad(photo, view.side)
        return change(padded[0]) * mask
    size = (view.side, view.side)
    squashed = F.interpolate(photo, size, mode="bilinear", align_corners=False, antialias=True)
    return change(squashed[0])


def _pad(photos: Tensor, side: int) -> tuple[Tensor, Tensor]:
    height, width = photos.shape[-2:]
    padding = (0, side - width, 0, side - height)
    return F.pad(photos, padding), F.pad(torch.ones(1, height, width), padding)


def _crop(photos: Tensor, framing: Framing, draw: random.Random) -> Tensor:
    height, width = photos.shape[-2:]
    if framing.keep_aspect:
        tall = wide = max(1, round(min(height, width) * draw.uniform(framing.zoom, 1)))
    else:
        tall = max(1, round(height * draw.uniform(framing.zoom, 1)))
        wide = max(1, round(width * draw.uniform(framing.zoom, 1)))
    top, left = draw.randint(0, height - tall), draw.randint(0, width - wide)
    part = photos[..., top : top + tall, left : left + wide]
    size = (framing.side, framing.side)
    return F.interpolate(part, size, mode="bilinear", align_corners=False, antialias=True)

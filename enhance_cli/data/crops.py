"""Squares of equal size from photos of any size: random crops, padded photos and global views."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from enhance_cli.config.model import LONG_EDGE, Fit

GRID = 16
"""While crops grow over the epochs, their sides are multiples of this, in pixels."""


class GlobalView(NamedTuple):
    """How a whole photo is fitted into a square.

    Attributes:
        side: Side of the square, in pixels.
        fit: ``"pad"`` pads with black, ``"squash"`` ignores the aspect ratio.
    """

    side: int
    fit: Fit


class CropConfig(NamedTuple):
    """How a square is taken from a photo.

    Attributes:
        side: Side of the square, in pixels.
        crop: False pads the whole photo with black (section 3.2). True resizes a random part of the
            photo to the square.
        min_scale: Smallest share of the photo's sides that the part covers.
        keep_aspect: Whether the part is a square of the photo. Otherwise its width and height are
            drawn separately, and resizing changes its aspect ratio.
        flip: Whether samples are mirrored left to right at random.
        rotate: Whether samples are rotated by quarter turns at random.
        view: How CENet sees the whole original beside the crop; None leaves that view out.
        initial_side: Side in epoch 0, if it is smaller than ``side``; 0 keeps the side constant.
        full_size_after: Number of epochs after which ``side`` is reached.
    """

    side: int = LONG_EDGE
    crop: bool = False
    min_scale: float = 1.0
    keep_aspect: bool = True
    flip: bool = False
    rotate: bool = False
    view: GlobalView | None = None
    initial_side: int = 0
    full_size_after: float = 0.0

    def at(self, epoch: int) -> CropConfig:
        """Return the config of an epoch, whose side may be smaller (progressive resizing).

        The side grows with the square of the epoch, since large crops cost more. Padded photos do
        not grow: a smaller square would crop them.

        Args:
            epoch: The epoch, from 0.
        """
        grows = self.crop and 0 < self.initial_side < self.side
        if not grows or epoch >= self.full_size_after:
            return self
        share = (epoch / self.full_size_after) ** 2
        side = self.initial_side + share * (self.side - self.initial_side)
        return self._replace(side=GRID * max(1, round(side / GRID)))


def crop_or_pad(photos: Tensor, config: CropConfig, draw: random.Random) -> tuple[Tensor, Tensor]:
    """Take the same square from several photos of equal size.

    Args:
        photos: ``(B, 3, H, W)``, float. Photos that are padded must not be larger than the square.
        config: How the square is taken.
        draw: Source of randomness.

    Returns:
        The squares, ``(B, 3, S, S)``, and their mask, ``(1, S, S)``, 1 on the photo and 0 on the
        padding.
    """
    if not config.crop:
        return _pad(photos, config.side)
    return _crop(photos, config, draw), torch.ones(1, config.side, config.side)


def global_view(
    photo: Tensor, view: GlobalView | None, transform: Callable[[Tensor], Tensor]
) -> Tensor:
    """Fit a whole photo into the square that CENet sees.

    Args:
        photo: ``(1, 3, H, W)``, float.
        view: How the photo is fitted; None returns an empty tensor.
        transform: Applied to the photo after resizing; the padding stays black.

    Returns:
        ``(3, V, V)``, or an empty tensor.
    """
    if view is None:
        return photo.new_empty(0)
    if view.fit == "pad":
        padded, mask = _pad(photo, view.side)
        return transform(padded[0]) * mask
    size = (view.side, view.side)
    squashed = F.interpolate(photo, size, mode="bilinear", align_corners=False, antialias=True)
    return transform(squashed[0])


def _pad(photos: Tensor, side: int) -> tuple[Tensor, Tensor]:
    height, width = photos.shape[-2:]
    padding = (0, side - width, 0, side - height)
    return F.pad(photos, padding), F.pad(torch.ones(1, height, width), padding)


def _crop(photos: Tensor, config: CropConfig, draw: random.Random) -> Tensor:
    height, width = photos.shape[-2:]
    if config.keep_aspect:
        tall = wide = max(1, round(min(height, width) * draw.uniform(config.min_scale, 1)))
    else:
        tall = max(1, round(height * draw.uniform(config.min_scale, 1)))
        wide = max(1, round(width * draw.uniform(config.min_scale, 1)))
    top, left = draw.randint(0, height - tall), draw.randint(0, width - wide)
    part = photos[..., top : top + tall, left : left + wide]
    size = (config.side, config.side)
    return F.interpolate(part, size, mode="bilinear", align_corners=False, antialias=True)

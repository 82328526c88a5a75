"""Which colors a photo has, as numbers for a network (not in the paper)."""

from __future__ import annotations

import torch
from torch import Tensor

JOINT = 8
"""Number of levels of each channel in the histogram of colors."""

MARGINAL = 32
"""Number of levels in the histogram of one channel."""

HISTOGRAM_FEATURES = JOINT**3 + 3 * MARGINAL


def color_histogram(photo: Tensor) -> Tensor:
    """Describe each photo by the histogram of its colors and those of its three channels.

    A pixel counts for the levels on either side of its value, the more the closer they are, so
    that the histogram changes smoothly with the colors.

    Args:
        photo: ``(B, 3, H, W)``, sRGB in [0, 1].

    Returns:
        ``(B, 608)``, float32: ten times the square roots of the shares of pixels, so that the 512
        numbers of the first histogram, and the 32 of each channel, have a norm of 10.
    """
    pixels = photo.float().flatten(2).clamp(0, 1)
    red, green, blue = _levels(pixels, JOINT).unbind(1)
    pairs = (red[:, :, None] * green[:, None]).flatten(1, 2)
    joint = torch.bmm(pairs, blue.mT).flatten(1)
    marginal = _levels(pixels, MARGINAL).sum(-1).flatten(1)
    return 10 * (torch.cat([joint, marginal], dim=1) / pixels.shape[-1]).sqrt()


def _levels(pixels: Tensor, count: int) -> Tensor:
    """Weights of ``count`` levels for every value: ``(B, 3, N)`` to ``(B, 3, count, N)``."""
    levels = torch.arange(count, device=pixels.device)[:, None]
    return (1 - (pixels[:, :, None] * (count - 1) - levels).abs()).clamp(min=0)

"""A whole photo in a few hundred numbers for a network (not in the paper)."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from enhance_cli.models.replicate_pad import ReplicatePadConv2d

JOINT = 8
"""Number of levels of each channel in the histogram of colors."""

MARGINAL = 32
"""Number of levels in the histogram of one channel."""

FEATURE_MAPS = 64
"""Number of feature maps whose mean, standard deviation and maximum are taken."""

STATISTICS = JOINT**3 + 3 * MARGINAL + 3 * FEATURE_MAPS


class PhotoStatistics(nn.Module):
    """Describe a photo by its histogram of colors and by statistics of small features.

    The features are those of two 3 x 3 convolutions. Their mean, standard deviation and maximum
    over the photo tell what a histogram cannot: how colors lie beside each other, and how bright
    the brightest place is that is larger than a pixel. NeurOp (Wang et al. 2022) decides by such
    statistics alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ReplicatePadConv2d(3, FEATURE_MAPS // 2, 3, padding=1),
            nn.ReLU(inplace=True),
            ReplicatePadConv2d(FEATURE_MAPS // 2, FEATURE_MAPS, 3, stride=2, padding=1),
            nn.ReLU(inplace=True),
        )
        self.norm = nn.BatchNorm1d(3 * FEATURE_MAPS, affine=False)

    def forward(self, photo: Tensor) -> Tensor:
        """Describe each photo of a batch.

        Args:
            photo: ``(B, 3, H, W)``, sRGB in [0, 1]; H and W are at least 1.

        Returns:
            ``(B, 800)``, float32: 608 numbers of the histogram, see :func:`color_histogram`, and
            192 of the features.
        """
        with torch.autocast(photo.device.type, enabled=False):
            features = self.features(photo.float() - 0.5).flatten(2)
            deviation, mean = torch.std_mean(features, dim=2, correction=0)
            found = torch.cat([mean, deviation, features.amax(2)], dim=1)
            return torch.cat([color_histogram(photo), self.norm(found)], dim=1)


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
    numbers = [_joint_histogram(pixels), _channel_histograms(pixels)]
    return 10 * (torch.cat(numbers, dim=1) / pixels.shape[-1]).sqrt()


def _joint_histogram(pixels: Tensor) -> Tensor:
    """Count ``(B, 3, N)`` values by red, green and blue level: ``(B, 512)``."""
    level, weights = _between_levels(pixels, JOINT)
    counts = pixels.new_zeros(len(pixels), JOINT**3)
    for r, g, b in itertools.product((0, 1), repeat=3):  # the corners of the cube around a color
        at = ((level[:, 0] + r) * JOINT + level[:, 1] + g) * JOINT + level[:, 2] + b
        counts.scatter_add_(1, at, weights[r][:, 0] * weights[g][:, 1] * weights[b][:, 2])
    return counts


def _channel_histograms(pixels: Tensor) -> Tensor:
    """Count ``(B, 3, N)`` values by channel and level: ``(B, 96)``."""
    level, weights = _between_levels(pixels, MARGINAL)
    counts = pixels.new_zeros(len(pixels), 3, MARGINAL)
    for side in (0, 1):
        counts.scatter_add_(2, level + side, weights[side])
    return counts.flatten(1)


def _between_levels(pixels: Tensor, count: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The level below each value, of ``count``; and its weights for that and for the next level."""
    place = pixels * (count - 1)
    level = place.floor().clamp(max=count - 2)
    above = place - level
    return level.long(), (1 - above, above)

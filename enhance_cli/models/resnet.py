"""ResNet50 (He et al. 2016) without its classifier.

It is written out here because importing torchvision takes as long as importing PyTorch, at each
start of a command. Names and arithmetic are torchvision's, so that its published weights load; a
test compares the two.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

EXPANSION = 4
"""Ratio of a block's output channels to its inner channels."""

WIDTHS = (64, 128, 256, 512)
"""Number of inner channels of the blocks of each layer."""

FEATURES = EXPANSION * WIDTHS[-1]
"""Length of the feature vector of a photo."""


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions, and a shortcut around them.

    Args:
        in_channels: Number of channels of the input.
        width: Number of inner channels; the output has ``EXPANSION`` times as many.
        stride: Stride of the 3 x 3 convolution.
    """

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = EXPANSION * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C', H / stride, W / stride)``, rounded up if odd."""
        inner = F.relu(self.bn1(self.conv1(features)), inplace=True)
        inner = F.relu(self.bn2(self.conv2(inner)), inplace=True)
        return F.relu(self.bn3(self.conv3(inner)) + self.downsample(features), inplace=True)


class ResNet(nn.Module):
    """Map photos to feature vectors of length ``FEATURES``.

    Args:
        blocks: Number of blocks in each of the four layers; the default is ResNet50.
    """

    def __init__(self, blocks: tuple[int, ...] = (3, 4, 6, 3)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        channels = WIDTHS[0]
        for number, (count, width) in enumerate(zip(blocks, WIDTHS, strict=True), start=1):
            layer: list[nn.Module] = []
            for block in range(count):
                stride = 2 if number > 1 and block == 0 else 1
                layer.append(Bottleneck(channels, width, stride))
                channels = EXPANSION * width
            self.add_module(f"layer{number}", nn.Sequential(*layer))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, photo: Tensor) -> Tensor:
        """Map photos, ``(B, 3, H, W)``, normalised, to feature vectors, ``(B, FEATURES)``."""
        features = F.relu(self.bn1(self.conv1(photo)), inplace=True)
        features = F.max_pool2d(features, 3, stride=2, padding=1)
        for number in range(1, len(WIDTHS) + 1):
            features = self.get_submodule(f"layer{number}")(features)
        return F.adaptive_avg_pool2d(features, 1).flatten(1)

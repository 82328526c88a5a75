"""Pixel-wise refinement: PRNet (section 2.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.config.input_size import STRIDE, Shape, input_shape
from enhance_cli.models.color_polynomial import TERMS, evaluate_color_polynomial, legendre_terms
from enhance_cli.models.nonlocal_block import NonLocalBlock
from enhance_cli.models.photo_statistics import STATISTICS, PhotoStatistics
from enhance_cli.models.replicate_pad import ReplicatePadConv2d, replicate_pad
from enhance_cli.models.typed_torch import unflatten

BASE_CHANNELS = 16
"""Number of feature maps of the first convolution (section 2.2)."""

_CROP = 3
"""Pixels that a deconvolution crops at each output edge: one for its kernel, two for padding."""


def downscaled(photo: Tensor, edge: int) -> Tensor:
    """Downscale ``(B, 3, H, W)`` photos to a longer edge of at most ``edge`` pixels."""
    return resized(photo, input_shape(Shape(*photo.shape[-2:]), edge))


def resized(photo: Tensor, shape: Shape) -> Tensor:
    """Resize ``(B, 3, H, W)`` photos, as Pillow's bilinear filter does."""
    if photo.shape[-2:] == shape:
        return photo
    # Not every PyTorch has this filter on Apple's GPUs; the networks' photos are small.
    source = photo.cpu() if photo.device.type == "mps" else photo
    smaller = F.interpolate(source, shape, mode="bilinear", align_corners=False, antialias=True)
    return smaller.to(photo.device)


class Deconvolution(nn.ConvTranspose2d):
    """Stride-2 deconvolution without checkerboard artefacts and without border effects.

    The kernel is 4 x 4: the stride divides its size, so that every output pixel gets the same
    number of taps. The four output pixels of an input pixel have taps of their own. Their sums are
    made equal here, so that a flat sky stays flat.

    Args:
        in_channels: Number of channels of the input.
        out_channels: Number of channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - torch leaves dtype untyped
            in_channels, out_channels, 4, stride=2, padding=_CROP, bias=False
        )

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: ARG002
        """Map ``(B, C, H, W)`` to ``(B, C', 2 H, 2 W)``; ``output_size`` is ignored."""
        taps = unflatten(unflatten(self.weight, 3, (2, 2)), 2, (2, 2))
        means = taps.mean((2, 4), keepdim=True)  # over the four taps of each output pixel
        balanced = (taps - means + means.mean((3, 5), keepdim=True)).flatten(4, 5).flatten(2, 3)
        padded = replicate_pad(input, (1, 1, 1, 1))
        return F.conv_transpose2d(padded, balanced, self.bias, stride=2, padding=_CROP)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm, and a shortcut around them (He et al. 2016).

    Args:
        channels: Number of channels of input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            ReplicatePadConv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            ReplicatePadConv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C, H, W)``."""
        return F.relu(features + self.body(features))


class OverallResidual(nn.Module):
    """Predict from statistics of a whole photo how each of its colors changes (not in the paper).

    The change is a polynomial of color. The last layer is initialised to zero, so that an untrained
    network changes nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.statistics = PhotoStatistics()
        self.head = nn.Sequential(
            nn.Linear(STATISTICS, 512),
            nn.GELU(),
            nn.Linear(512, 512),
            nn.GELU(),
            nn.Linear(512, 3 * TERMS),
        )
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, photo: Tensor) -> Tensor:
        """Map photos, ``(B, 3, H, W)``, sRGB in [0, 1], to what is to be added to them."""
        with torch.autocast(photo.device.type, enabled=False):
            numbers = unflatten(self.head(self.statistics(photo)), 1, (TERMS, 3))
            # As in the fit: terms that are nearly orthogonal are learned alike.
            basis = legendre_terms().to(photo.device)
            return evaluate_color_polynomial(basis.mT @ numbers, photo)


class PRNet(nn.Module):
    """Predict the residual ``r_p = PRNet(coarse)`` of eq. 5.

    Three parts (figure 2): a stride-1 convolution to 16 maps and two stride-2 convolutions; one
    non-local block and the residual blocks; two stride-2 deconvolutions and a stride-1
    convolution to RGB. The last convolution is initialised to zero, so that an untrained PRNet
    changes nothing.

    Args:
        residual_blocks: Number of residual blocks: 3, or 18 for the paper's PR.
        non_local: Whether the second part begins with the non-local block.
        nonlocal_pool: ``pool`` of that block, see :class:`NonLocalBlock`.
        statistics: Whether an :class:`OverallResidual` takes part (not in the paper).
    """

    def __init__(
        self,
        residual_blocks: int = 3,
        non_local: bool = True,
        nonlocal_pool: int = 1,
        statistics: bool = False,
    ) -> None:
        super().__init__()
        self.overall = OverallResidual() if statistics else None
        narrow, middle, wide = BASE_CHANNELS, 2 * BASE_CHANNELS, 4 * BASE_CHANNELS
        self.down = nn.Sequential(
            _conv(3, narrow, kernel=7, stride=1),
            _conv(narrow, middle, kernel=3, stride=2),
            _conv(middle, wide, kernel=3, stride=2),
        )
        blocks: list[nn.Module] = [NonLocalBlock(wide, nonlocal_pool)] if non_local else []
        blocks += [ResidualBlock(wide) for _ in range(residual_blocks)]
        self.transform = nn.Sequential(*blocks)
        self.up = nn.Sequential(_deconv(wide, middle), _deconv(middle, narrow))
        self.to_rgb = ReplicatePadConv2d(narrow, 3, 7, padding=3)
        nn.init.zeros_(self.to_rgb.weight)
        assert self.to_rgb.bias is not None
        nn.init.zeros_(self.to_rgb.bias)

    def forward(self, coarse: Tensor, photo: Tensor | None = None) -> Tensor:
        """Predict what the coarse result lacks.

        Args:
            coarse: ``(B, 3, H, W)``, sRGB around [0, 1]; H and W are at least 1.
            photo: The photo from which it was made, ``(B, 3, H, W)``, sRGB in [0, 1]; only the
                overall residual needs it.

        Returns:
            ``r_p``, ``(B, 3, H, W)``, to be added to ``coarse``.
        """
        height, width = coarse.shape[-2:]
        padded = replicate_pad(coarse, (0, -width % STRIDE, 0, -height % STRIDE))
        features = self.transform(self.down(padded))
        residual = self.to_rgb(self.up(features))[..., :height, :width]
        if self.overall is None:
            return residual
        assert photo is not None
        return residual + self.overall(photo)


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        ReplicatePadConv2d(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _deconv(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        Deconvolution(in_channels, out_channels),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )

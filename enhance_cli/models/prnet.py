"""Pixel-wise refinement: PRNet (section 2.2)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.models.edges import EdgeConv2d, extend_edges
from enhance_cli.models.nonlocal_block import NonLocalBlock

FIRST_MAPS = 16
"""Feature maps of the first convolution (section 2.2)."""

STRIDE = 4
"""What the two stride-2 convolutions divide height and width by."""

_TRIMMED = 3
"""What a deconvolution cuts at each edge: a pixel for its kernel, two for the one that came in."""


def size_to_look_at(size: tuple[int, int], edge: int) -> tuple[int, int]:
    """Both sides of a photo, made small so that the longer one has ``edge`` pixels at most.

    Rounded to multiples of PRNet's stride, so that copies of one photo, whose sides have been
    rounded to whole pixels already, are seen alike.
    """
    if max(size) <= edge:
        return size
    one, other = (max(1, round(side * edge / max(size) / STRIDE)) * STRIDE for side in size)
    return one, other


class Deconvolution(nn.ConvTranspose2d):
    """Stride-2 deconvolution that treats the edge of a photo like its middle.

    The kernel is 4 x 4: the stride divides it, so it covers every output pixel equally. Each of the
    four output pixels of an input pixel has taps of its own, whose sums are made equal here: even
    skies come out even, without a checkerboard.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=_TRIMMED, bias=False)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: ARG002
        """``(B, C, H, W)`` to ``(B, C', 2 H, 2 W)``."""
        taps = self.weight.unflatten(3, (2, 2)).unflatten(2, (2, 2))
        means = taps.mean((2, 4), keepdim=True)  # of each output pixel's four
        balanced = (taps - means + means.mean((3, 5), keepdim=True)).flatten(4, 5).flatten(2, 3)
        extended = extend_edges(input, (1, 1, 1, 1))
        return F.conv_transpose2d(extended, balanced, self.bias, stride=2, padding=_TRIMMED)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm around a shortcut (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            EdgeConv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            EdgeConv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C, H, W)``."""
        return F.relu(features + self.body(features))


class PRNet(nn.Module):
    """Predict the residual ``r_p = PRNet(coarse)`` of eq. 5.

    Three stages (figure 2): a stride-1 convolution to 16 maps and two stride-2 convolutions; one
    non-local block and the residual blocks; two stride-2 deconvolutions and a stride-1
    convolution to RGB. The last convolution starts at zero, so a fresh PRNet changes nothing.

    Args:
        residual_blocks: 3, or 18 for the paper's PR.
        non_local: Whether the non-local block stands at the front of the second stage.
        pooling: Of that block, see :class:`NonLocalBlock`.
    """

    def __init__(self, residual_blocks: int = 3, non_local: bool = True, pooling: int = 1) -> None:
        super().__init__()
        narrow, middle, wide = FIRST_MAPS, 2 * FIRST_MAPS, 4 * FIRST_MAPS
        self.down = nn.Sequential(
            _conv(3, narrow, kernel=7, stride=1),
            _conv(narrow, middle, kernel=3, stride=2),
            _conv(middle, wide, kernel=3, stride=2),
        )
        blocks: list[nn.Module] = [NonLocalBlock(wide, pooling)] if non_local else []
        blocks += [ResidualBlock(wide) for _ in range(residual_blocks)]
        self.transform = nn.Sequential(*blocks)
        self.up = nn.Sequential(_deconv(wide, middle), _deconv(middle, narrow))
        self.to_rgb = EdgeConv2d(narrow, 3, 7, padding=3)
        nn.init.zeros_(self.to_rgb.weight)
        nn.init.zeros_(self.to_rgb.bias)  # type: ignore[arg-type]

    def forward(self, coarse: Tensor) -> Tensor:
        """Predict what is still missing.

        Args:
            coarse: ``(B, 3, H, W)``, sRGB around [0, 1], any H and W from 1.

        Returns:
            ``r_p``, ``(B, 3, H, W)``, to be added to ``coarse``.
        """
        height, width = coarse.shape[-2:]
        padded = extend_edges(coarse, (0, -width % STRIDE, 0, -height % STRIDE))
        features = self.transform(self.down(padded))
        return self.to_rgb(self.up(features))[..., :height, :width]


def _conv(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        EdgeConv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def _deconv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        Deconvolution(inputs, outputs),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )

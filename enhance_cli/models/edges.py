"""How a photo goes on beyond its edge: as it ends. Black there would show as a frame in skies."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Margins = tuple[int, int, int, int]
"""Pixels to add at the left, the right, the top and the bottom."""


class EdgeConv2d(nn.Conv2d):
    """Convolution over a photo whose outermost pixels go on beyond its edge."""

    def forward(self, input: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C', H, W)``, or a stride's part of that."""
        height, width = self.padding
        assert isinstance(height, int) and isinstance(width, int)
        padded = extend_edges(input, (width, width, height, height))
        return F.conv2d(padded, self.weight, self.bias, self.stride)


def extend_edges(photo: Tensor, margins: Margins) -> Tensor:
    """Repeat the outermost pixels; the same as ``F.pad(photo, margins, mode="replicate")``.

    PyTorch's own reorders channels-last pixels before and after on CPUs; this one copies them as
    they lie, and a step of PRNet takes 0.8 to 0.9 of the time.

    Args:
        photo: ``(B, C, H, W)``, any floating dtype.
        margins: How far.

    Returns:
        ``(B, C, H + top + bottom, W + left + right)``.
    """
    return _ExtendEdges.apply(photo, margins) if any(margins) else photo  # type: ignore[no-any-return]


class _ExtendEdges(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, photo: Tensor, margins: Margins) -> Tensor:
        ctx.margins = margins
        left, right, top, bottom = margins
        batch, channels, height, width = photo.shape
        padded = torch.empty(
            (batch, channels, top + height + bottom, left + width + right),
            dtype=photo.dtype,
            device=photo.device,
            memory_format=_order(photo),
        )
        rows = padded[:, :, top : top + height]
        rows[..., left : left + width] = photo
        rows[..., :left] = photo[..., :1]
        rows[..., left + width :] = photo[..., -1:]
        padded[:, :, :top] = rows[:, :, :1]
        padded[:, :, top + height :] = rows[:, :, -1:]
        return padded

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        left, right, top, bottom = ctx.margins
        height = gradient.shape[2] - top - bottom
        width = gradient.shape[3] - left - right
        rows = gradient[:, :, top : top + height].clone(memory_format=_order(gradient))
        rows[:, :, 0] += gradient[:, :, :top].sum(2)
        rows[:, :, -1] += gradient[:, :, top + height :].sum(2)
        inner = rows[..., left : left + width].clone(memory_format=_order(gradient))
        inner[..., 0] += rows[..., :left].sum(-1)
        inner[..., -1] += rows[..., left + width :].sum(-1)
        return inner, None


def _order(photo: Tensor) -> torch.memory_format:
    channels_last = photo.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last else torch.contiguous_format

"""Replicate padding; zero padding would darken skies at the edges of a photo."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Padding = tuple[int, int, int, int]
"""Number of pixels to add at the left, right, top and bottom: the order of ``F.pad``."""


class ReplicatePadConv2d(nn.Conv2d):
    """Convolution with replicate padding; its arguments are those of ``nn.Conv2d``."""

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C', H / stride, W / stride)``, rounded up if odd."""
        height, width = self.padding
        assert isinstance(height, int) and isinstance(width, int)
        padded = replicate_pad(input, (width, width, height, height))
        return F.conv2d(padded, self.weight, self.bias, self.stride)


def replicate_pad(photo: Tensor, padding: Padding) -> Tensor:
    """Repeat the outermost pixels, as ``F.pad(photo, padding, mode="replicate")`` does.

    On CPUs, PyTorch's function converts channels-last tensors to contiguous ones and back. This
    function keeps the memory format; a training step of PRNet takes 10 to 20% less time with it.

    Args:
        photo: ``(B, C, H, W)``, any floating dtype.
        padding: Number of pixels to add at each edge.

    Returns:
        ``(B, C, H + top + bottom, W + left + right)``.
    """
    if torch.compiler.is_compiling():  # compilers and exporters know PyTorch's function alone
        return F.pad(photo, padding, mode="replicate")
    return _ReplicatePad.apply(photo, padding) if any(padding) else photo  # type: ignore[no-any-return]


class _ReplicatePad(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, photo: Tensor, padding: Padding) -> Tensor:
        ctx.padding = padding
        left, right, top, bottom = padding
        batch, channels, height, width = photo.shape
        padded = torch.empty(
            (batch, channels, top + height + bottom, left + width + right),
            dtype=photo.dtype,
            device=photo.device,
            memory_format=_memory_format(photo),
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
        left, right, top, bottom = ctx.padding
        height = gradient.shape[2] - top - bottom
        width = gradient.shape[3] - left - right
        rows = gradient[:, :, top : top + height].clone(memory_format=_memory_format(gradient))
        rows[:, :, 0] += gradient[:, :, :top].sum(2)
        rows[:, :, -1] += gradient[:, :, top + height :].sum(2)
        inner = rows[..., left : left + width].clone(memory_format=_memory_format(gradient))
        inner[..., 0] += rows[..., :left].sum(-1)
        inner[..., -1] += rows[..., left + width :].sum(-1)
        return inner, None


def _memory_format(photo: Tensor) -> torch.memory_format:
    channels_last = photo.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last else torch.contiguous_format

"""Convolutions whose weights lie as the processor multiplies them: the same output in less time."""

from __future__ import annotations

import platform
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


class PackedConvolution(nn.Module):
    """A convolution with its weights in the layout of oneDNN.

    For a single small photo, PyTorch takes longer to rearrange the weights of a convolution, at
    each call, than to multiply them.

    Args:
        convolution: A convolution on the CPU, in single precision, with zero padding.
        size: Size of its usual input, ``(B, C, H, W)``, for which the layout is chosen. The output
            is right for any other size.
    """

    def __init__(self, convolution: nn.Conv2d, size: torch.Size) -> None:
        super().__init__()
        options = ("padding", "stride", "dilation", "groups")
        self._options = [getattr(convolution, option) for option in options]
        self._bias = convolution.bias
        weight: Any = convolution.weight.detach().contiguous().to_mkldnn()
        pack: Any = torch._C._nn.mkldnn_reorder_conv2d_weight  # type: ignore[attr-defined]
        self._weight = pack(weight, *self._options, size)

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C', H', W')``."""
        convolve: Any = torch.ops.mkldnn._convolution_pointwise
        features = features.contiguous(memory_format=torch.channels_last)
        return convolve(features, self._weight, self._bias, *self._options, "none", [], "")


@torch.inference_mode()
def pack_convolutions(network: nn.Module, photo: Tensor) -> None:
    """Pack all convolutions of a network that stays on the CPU and is not trained any more.

    PyTorch compiles networks to these operators, but does not document them. Where they are
    missing, or on a processor on which they have not been tried, the network stays as it is.

    Args:
        network: A network in eval mode, on the CPU. Its output stays the same, up to rounding.
        photo: An input of the usual size, ``(B, 3, H, W)``.
    """
    if platform.machine() not in {"x86_64", "AMD64"} or not torch.backends.mkldnn.is_available():
        return
    convolutions = {n: m for n, m in network.named_modules() if type(m) is nn.Conv2d}
    sizes: dict[str, torch.Size] = {}

    def remember(name: str, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        sizes[name] = inputs[0].shape

    hooks = [
        module.register_forward_pre_hook(partial(remember, name))
        for name, module in convolutions.items()
    ]
    network(photo)
    for hook in hooks:
        hook.remove()
    try:
        packed = {name: PackedConvolution(convolutions[name], size) for name, size in sizes.items()}
        first = next(iter(packed))
        packed[first](torch.zeros(sizes[first]))
    except (AttributeError, RuntimeError, TypeError):
        return
    for name, module in packed.items():
        network.set_submodule(name, module)

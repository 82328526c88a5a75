"""The same networks with less to do: for looking at photos, no longer for learning."""

from __future__ import annotations

import copy
import itertools

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from enhance_cli.models.cascade import Cascade


def folded(model: Cascade) -> Cascade:
    """Copy a cascade with batch norm folded into its convolutions, channels last.

    Args:
        model: In eval mode; it stays as it is.

    Returns:
        A cascade that answers as ``model`` does.
    """
    copied = copy.deepcopy(model)
    for module in list(copied.modules()):
        _fold_batch_norm(module)
    return copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _fold_batch_norm(module: nn.Module) -> None:
    """Fold each batch norm that directly follows a convolution among a module's children."""
    children = list(module.named_children())
    for (name, convolution), (norm_name, norm) in itertools.pairwise(children):
        if isinstance(norm, nn.BatchNorm2d) and isinstance(
            convolution, nn.Conv2d | nn.ConvTranspose2d
        ):
            transposed = isinstance(convolution, nn.ConvTranspose2d)
            setattr(module, name, fuse_conv_bn_eval(convolution, norm, transpose=transposed))
            setattr(module, norm_name, nn.Identity())

"""The same networks with less to do: for looking at photos, no longer for learning."""

from __future__ import annotations

import copy
import itertools

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from enhance_cli.models.cascade import Cascade

SMALL_VIEW = 128
"""Side of CENet's view, in pixels, up to which its weights take longer than its work."""


def folded(model: Cascade, precision: torch.dtype = torch.float32) -> Cascade:
    """Copy a cascade with batch norm folded into its convolutions, channels last.

    Args:
        model: In eval mode; it stays as it is.
        precision: Of PRNet but for its first layer, and of CENet where it sees photos large; up to
            ``SMALL_VIEW`` it is faster as it is. The layers that give its map keep theirs in any
            case: every pixel depends on them.

    Returns:
        A cascade that answers as ``model`` does, up to the precision.
    """
    copied = copy.deepcopy(model)
    for module in list(copied.modules()):
        _fold_batch_norm(module)
    if copied.cenet is not None and copied.config.canvas > SMALL_VIEW:
        copied.cenet.backbone.to(precision)
    if copied.prnet is not None:
        copied.prnet.to(precision).down[0].to(torch.float32)
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

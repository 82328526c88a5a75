"""Training on one device, or on several with one process each, started by torchrun."""

from __future__ import annotations

import atexit
import logging
import os
from datetime import timedelta
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision
from lightning_fabric.plugins.precision import Precision as FabricPrecision
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, distributed, nn

from enhance_cli.config.training import Precision
from enhance_cli.errors import UsageError
from enhance_cli.inference.device import effective_precision, pick_device
from enhance_cli.training.preparation import local_world_size

TIMEOUT = timedelta(hours=6)
"""How long processes wait for another that is still rendering pairs or scoring."""


def make_fabric(device: str, precision: Precision) -> Fabric:
    """Set up the device, or this process's share of the devices under torchrun.

    Args:
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        precision: ``"32"``, or ``"bf16"`` for autocast. On processors where bfloat16 is slower,
            ``"32"`` is used instead.

    Raises:
        UsageError: The run has several processes, and the device is a single GPU.
        DeviceError: The device is not available.
    """
    # Fabric prints its precision otherwise.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    chosen = pick_device(device)
    bfloat16 = effective_precision(precision, chosen) == "bf16"
    plugin = _Bfloat16("bf16-mixed", chosen.type) if bfloat16 else FabricPrecision()
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        devices = [chosen.index or 0] if chosen.type == "cuda" else 1
        return Fabric(accelerator=chosen.type, devices=devices, plugins=plugin)
    if chosen.index is not None or chosen.type == "mps":
        raise UsageError(f"--device {device}: several processes cannot share it; use --device cuda")
    fabric = Fabric(
        accelerator=chosen.type,
        devices=local_world_size(),
        num_nodes=world // local_world_size(),
        strategy=DDPStrategy(timeout=TIMEOUT),
        plugins=plugin,
    )
    fabric.launch()
    atexit.register(_destroy_process_group)
    return fabric


class _Bfloat16(MixedPrecision):
    """Autocast alone. Fabric would also round what enters the network: photos and statistics."""

    def convert_input(self, data: Any) -> Any:
        return data


def _destroy_process_group() -> None:
    """Destroy the process group at exit: Gloo's threads may crash during interpreter shutdown."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


class _GlobalBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over the batches of all processes.

    It makes several processes learn the same as one process with the whole batch. PyTorch's
    SyncBatchNorm requires GPUs; this one also runs on the CPU, where it is tested.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise ``(B, C, ...)`` per channel; the result has the same shape and dtype."""
        if not self.training:
            return super().forward(input)
        values = input.float()
        count = values.numel() // values.shape[1] * distributed.get_world_size()
        along = (-1, *[1] * (values.ndim - 2))  # of one channel each
        mean = _sum_over_all(values) / count
        centered = values - mean.view(along)
        variance = _sum_over_all(centered.square()) / count
        self._update_running_stats(mean.detach(), variance.detach() * count / (count - 1))
        normed = centered * (variance + self.eps).rsqrt().view(along)
        if self.affine:
            normed = normed * self.weight.view(along) + self.bias.view(along)
        return normed.to(input.dtype)

    @torch.no_grad()
    def _update_running_stats(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


class GlobalBatchNorm1d(_GlobalBatchNorm, nn.BatchNorm1d):
    """Batch norm of ``(B, C)`` over the batches of all processes."""


class GlobalBatchNorm2d(_GlobalBatchNorm, nn.BatchNorm2d):
    """Batch norm of ``(B, C, H, W)`` over the batches of all processes."""


_GLOBAL = {nn.BatchNorm1d: GlobalBatchNorm1d, nn.BatchNorm2d: GlobalBatchNorm2d}


def with_global_batch_norm(module: nn.Module) -> nn.Module:
    """Replace each batch norm, in place, by one over all processes with the same weights."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d) and type(child) in _GLOBAL:
            replacement = _GLOBAL[type(child)](
                child.num_features, child.eps, child.momentum or 0.1, child.affine
            )
            replacement.load_state_dict(child.state_dict())
            setattr(module, name, replacement)
        else:
            with_global_batch_norm(child)
    return module


class _SumOverProcesses(torch.autograd.Function):
    """Sum over processes. The losses of all processes depend on it, so gradients are summed too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ARG004
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override] # noqa: ARG004
        total = gradient.contiguous().clone()
        distributed.all_reduce(total)
        return total


def _sum_over_all(values: Tensor) -> Tensor:
    """Sum ``(B, C, ...)`` to ``(C,)`` over the batches of all processes."""
    return _SumOverProcesses.apply(values.transpose(0, 1).flatten(1).sum(1))  # type: ignore[return-value]

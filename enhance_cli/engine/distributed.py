"""One run on one device, or on several that torchrun has started a process for each."""

from __future__ import annotations

import atexit
import logging
import os
from datetime import timedelta
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor, distributed, nn

from enhance_cli.config import Precision
from enhance_cli.engine.device import pick_device, quick_precision
from enhance_cli.errors import UsageError

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces its precision

PATIENCE = timedelta(hours=6)
"""How long processes wait for one that is still preparing photos or scoring."""


def is_main_process() -> bool:
    """Whether this is the process that tells of the run and writes its files."""
    return os.environ.get("RANK", "0") == "0"


def processes_here() -> int:
    """Processes of the run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def make_fabric(device: str, precision: Precision) -> Fabric:
    """Take the device, or this process's share of the devices under torchrun.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``"32"`` or ``"bf16"`` (autocast), which becomes ``"32"`` where it is slower.

    Raises:
        UsageError: One GPU was named for a run of several processes.
        DeviceError: The device is not there.
    """
    chosen = pick_device(device)
    plugin = "bf16-mixed" if quick_precision(precision, chosen) == "bf16" else "32-true"
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        devices = [chosen.index or 0] if chosen.type == "cuda" else 1
        return Fabric(accelerator=chosen.type, devices=devices, precision=plugin)
    if chosen.index is not None:
        raise UsageError(f"--device {device}: several processes cannot share it; use --device cuda")
    fabric = Fabric(
        accelerator=chosen.type,
        devices=processes_here(),
        num_nodes=world // processes_here(),
        strategy=DDPStrategy(timeout=PATIENCE),
        precision=plugin,
    )
    fabric.launch()
    atexit.register(_part)
    return fabric


def _part() -> None:
    """Part from the other processes; left to the interpreter's end, Gloo's threads may crash it."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose statistics are those of the batches of all processes together.

    With it, several processes learn what one with the whole batch learns. PyTorch's own runs on
    GPUs only; this one runs, and is tested, on the CPU too.
    """

    def forward(self, input: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C, H, W)``."""
        if not self.training:
            return super().forward(input)
        values = input.float()
        count = values.numel() // values.shape[1] * distributed.get_world_size()
        mean = _sum_over_all(values) / count
        centered = values - mean[:, None, None]
        variance = _sum_over_all(centered.square()) / count
        self._follow(mean.detach(), variance.detach() * count / (count - 1))
        scale = (variance + self.eps).rsqrt() * self.weight
        return (centered * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def with_global_batch_norm(module: nn.Module) -> nn.Module:
    """Put :class:`GlobalBatchNorm2d` in the place of every batch norm; the weights stay."""
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            replacement = GlobalBatchNorm2d(child.num_features, child.eps, child.momentum or 0.1)
            replacement.load_state_dict(child.state_dict())
            setattr(module, name, replacement)
        else:
            with_global_batch_norm(child)
    return module


class _SumOverProcesses(torch.autograd.Function):
    """Every process's loss depends on the sum, so the gradient is summed as well."""

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
    """Per channel, over the batches of all processes."""
    return _SumOverProcesses.apply(values.sum((0, 2, 3)))  # type: ignore[return-value]

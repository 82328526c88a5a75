"""Optimizer, learning-rate schedule and weight averaging (section 3.2)."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Generator
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from enhance_cli.config.training import StageConfig

WARM_UP = 0.05
"""Share of a cosine schedule in which the learning rate rises from zero."""


class StageState:
    """The state of a stage: network, optimizer, averaged weights and best weights.

    Args:
        net: The network that is trained.
        config: Settings of the stage.
        ema_decay: Decay of the moving average of the weights; 0 keeps the weights themselves.
        fabric: Fabric that runs the network on the device or devices.

    Attributes:
        net: The network that is trained.
        config: Settings of the stage.
        ema: Moving average of the weights.
        module: The network as wrapped by Fabric.
        optimizer: The optimizer as wrapped by Fabric.
        best: PSNR in dB and weights of the best score so far, or None.
    """

    def __init__(
        self, net: nn.Module, config: StageConfig, ema_decay: float, fabric: Fabric
    ) -> None:
        self.net = net
        self.config = config
        average = ema_with_warmup(ema_decay)
        self.ema = AveragedModel(net, multi_avg_fn=average, use_buffers=True)
        self.module, self.optimizer = fabric.setup(net, make_optimizer(net, config))
        self.best: tuple[float, dict[str, Any]] | None = None

    def set_learning_rate(self, step: int, total: int) -> float:
        """Set the learning rate for a step, from 0 to ``total`` - 1, and return it."""
        rate = learning_rate(self.config, step, total)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def step(self) -> None:
        """Run one optimizer step and update the moving average."""
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.update_parameters(self.net)

    @contextlib.contextmanager
    def with_ema(self) -> Generator[None]:
        """Use the averaged weights within the context."""
        current = copy.deepcopy(self.net.state_dict())
        self.net.load_state_dict(self.ema.module.state_dict())
        try:
            yield
        finally:
            self.net.load_state_dict(current)

    def track_best(self, psnr: float) -> bool:
        """Keep the current weights if their PSNR is the best so far; return whether it is."""
        if self.best is not None and psnr <= self.best[0]:
            return False
        self.best = psnr, copy.deepcopy(self.net.state_dict())
        return True

    def load_best_or_ema(self) -> None:
        """Load the best weights, or the averaged weights if none were scored."""
        self.net.load_state_dict(self.best[1] if self.best else self.ema.module.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue the stage."""
        parts = {"net": self.net, "ema": self.ema, "optimizer": self.optimizer}
        return {"best": self.best, **{name: part.state_dict() for name, part in parts.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        for name, part in (("net", self.net), ("ema", self.ema)):
            part.load_state_dict(state[name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = state["best"]


def ema_with_warmup(decay: float) -> Callable[..., None]:
    """Make a moving average that is short at first, so that it soon forgets the initial weights.

    Args:
        decay: Final decay, at which the average spans about ``1 / (1 - decay)`` steps. Until then,
            it spans a ninth of the steps done.

    Returns:
        An update function for :class:`torch.optim.swa_utils.AveragedModel`.
    """

    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        done = float(count)
        get_ema_multi_avg_fn(min(decay, (1 + done) / (10 + done)))(averaged, current, count)

    return update


def learning_rate(config: StageConfig, step: int, total: int) -> float:
    """Return the learning rate of a step.

    Args:
        config: Settings of the stage.
        step: The step, from 0.
        total: Number of steps of the stage.
    """
    if config.schedule == "step":
        return config.learning_rate * config.decay ** (step // config.decay_steps)
    warm_up = max(1, round(WARM_UP * total))
    if step < warm_up:
        return config.learning_rate * (step + 1) / warm_up
    return (
        config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (total - warm_up)))
    )


def make_optimizer(net: nn.Module, config: StageConfig) -> torch.optim.Optimizer:
    """Make the optimizer of a stage."""
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            net.parameters(),
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        )
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "muon":
        from timm.optim.muon import Muon  # late: it takes seconds to import

        return Muon(net.parameters(), lr=rate, weight_decay=decay, nesterov=True)
    return torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay, fused=True)

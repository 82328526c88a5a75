"""How a network moves: its optimiser, its rate, and what is kept of it (section 3.2)."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from enhance_cli.config import StageConfig

WARM_UP = 0.05
"""Share of a cosine schedule in which the rate rises from zero."""


class Learner:
    """A network at its task.

    Args:
        net: The network.
        config: How it learns.
        average: Decay of the moving average of its weights; 0 for the weights themselves.
        fabric: What it runs on.

    Attributes:
        net: The network itself.
        module: The same as Fabric runs it.
        best: PSNR and weights of the moment when it scored best, or None.
    """

    def __init__(self, net: nn.Module, config: StageConfig, average: float, fabric: Fabric) -> None:
        self.net = net
        self.config = config
        self.average = AveragedModel(net, multi_avg_fn=growing_average(average), use_buffers=True)
        self.module, self.optimizer = fabric.setup(net, make_optimizer(net, config))
        self.best: tuple[float, dict[str, Any]] | None = None

    def set_rate(self, step: int, total: int) -> float:
        """Set the learning rate of a step, and return it."""
        rate = learning_rate(self.config, step, total)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def advance(self) -> None:
        """Take the step that the gradients ask for."""
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update_parameters(self.net)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Let the network have its averaged weights for a while."""
        learning = copy.deepcopy(self.net.state_dict())
        self.net.load_state_dict(self.average.module.state_dict())
        try:
            yield
        finally:
            self.net.load_state_dict(learning)

    def remember(self, psnr: float) -> bool:
        """Keep the network as it is if it has never scored better; return whether it is kept."""
        if self.best is not None and psnr <= self.best[0]:
            return False
        self.best = psnr, copy.deepcopy(self.net.state_dict())
        return True

    def settle(self) -> None:
        """Give the network the weights that are kept of it: the best, else the average."""
        self.net.load_state_dict(self.best[1] if self.best else self.average.module.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on."""
        parts = {"net": self.net, "average": self.average, "optimizer": self.optimizer}
        return {"best": self.best, **{name: part.state_dict() for name, part in parts.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict()``."""
        for name, part in (("net", self.net), ("average", self.average)):
            part.load_state_dict(state[name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = state["best"]


def growing_average(decay: float) -> Callable[..., None]:
    """A moving average that is short at first, so that it soon forgets where the network began.

    Args:
        decay: What it grows to; the average then spans about ``1 / (1 - decay)`` steps. Up to
            there it spans a ninth of the steps done.
    """

    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        done = float(count)
        get_ema_multi_avg_fn(min(decay, (1 + done) / (10 + done)))(averaged, current, count)

    return update


def learning_rate(config: StageConfig, step: int, total: int) -> float:
    """The rate at a step, from 0 to ``total`` - 1."""
    if config.schedule == "step":
        return config.learning_rate * config.decay ** (step // config.decay_steps)
    warm_up = max(1, round(WARM_UP * total))
    if step < warm_up:
        return config.learning_rate * (step + 1) / warm_up
    return (
        config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (total - warm_up)))
    )


def make_optimizer(net: nn.Module, config: StageConfig) -> torch.optim.Optimizer:
    """The optimiser that a stage asks for."""
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

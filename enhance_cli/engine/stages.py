"""The two networks' tasks: what each sees of a photo, and what it is to make of it (section 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from enhance_cli.config import StageConfig, TrainConfig
from enhance_cli.data.dataset import Framing, Sample, View
from enhance_cli.models.cascade import Cascade


@dataclass(frozen=True)
class Stage:
    """One network, and how it turns a batch into a prediction.

    Attributes:
        name: ``"coarse"`` or ``"refine"``.
        config: How it learns.
        net: The network.
        framing: How its samples are cut.
        predict: Gives ``(B, 3, H, W)`` from the network as it is run and a batch.
    """

    name: str
    config: StageConfig
    net: nn.Module
    framing: Framing
    predict: Callable[[nn.Module, Sample], Tensor]


def coarse_stage(config: TrainConfig, model: Cascade) -> Stage:
    """CENet learns the colour map of a photo that it sees whole (eq. 4)."""
    stage, geometry = config.coarse, config.model
    framing = Framing(geometry.canvas, flip=config.flip, jitter=stage.jitter)
    if geometry.fit == "squash":
        framing = framing._replace(crop=True, zoom=stage.zoom, keep_aspect=False)

    def predict(net: nn.Module, batch: Sample) -> Tensor:
        return batch.original + net(batch.original).residual(batch.original)

    assert model.cenet is not None
    return Stage("coarse", stage, model.cenet, framing, predict)


def refine_stage(config: TrainConfig, model: Cascade, fabric: Fabric) -> Stage:
    """PRNet learns what CENet, frozen now, leaves (eq. 5)."""
    stage, geometry = config.refine, config.model
    side = geometry.canvas if geometry.fit == "pad" else geometry.long_edge
    framing = Framing(side, flip=config.flip, jitter=stage.jitter)
    if stage.crop:
        framing = framing._replace(side=stage.crop, crop=True, zoom=stage.zoom)
    cenet = model.cenet
    if cenet is not None and (stage.crop or geometry.fit == "squash"):
        framing = framing._replace(view=View(geometry.canvas, geometry.fit))

    def coarse(batch: Sample) -> Tensor:
        if cenet is None:
            return batch.original
        with torch.no_grad(), fabric.autocast():
            mapping = cenet.eval()(batch.view if framing.view else batch.original)
        # Not under autocast: photos keep full precision.
        return batch.original + mapping.residual(batch.original)

    def predict(net: nn.Module, batch: Sample) -> Tensor:
        start = coarse(batch)
        return start + net(start)

    assert model.prnet is not None
    return Stage("refine", stage, model.prnet, framing, predict)

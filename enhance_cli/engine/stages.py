"""The networks' tasks: what each sees of a photo, and what it is to make of it (section 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from enhance_cli.config import Learn, StageConfig, TrainConfig
from enhance_cli.data.dataset import Sample
from enhance_cli.data.framing import Framing, View
from enhance_cli.engine.losses import photo_losses
from enhance_cli.models.by_colour import by_colour
from enhance_cli.models.cascade import Cascade
from enhance_cli.models.cenet import ColorMapping

StageName = Literal["coarse", "refine", "finish", "joint"]

_NAMES: dict[Learn, tuple[StageName, ...]] = {
    "both": ("coarse", "refine", "finish"),
    "coarse": ("coarse",),
    "refine": ("refine", "finish"),
    "finish": ("finish",),
    "joint": ("joint",),
}

COARSE_SHARE = 0.25
"""Of the coarse result in the loss where both networks learn at once."""

GROWN = 0.75
"""Share of a run after which growing squares have their full size."""


@dataclass(frozen=True)
class Stage:
    """What learns, and what it is to make smaller.

    Attributes:
        name: Of the part of a run's configuration, too, that says how it learns.
        config: How it learns.
        net: The network.
        framing: How its samples are cut.
        losses: Gives ``(B,)``, a loss for each photo, from the network as it is run and a batch.
    """

    name: StageName
    config: StageConfig
    net: nn.Module
    framing: Framing
    losses: Callable[[nn.Module, Sample], Tensor]


def stages_of(config: TrainConfig) -> dict[StageName, StageConfig]:
    """The stages of a run in their order, as far as its variant has the networks for them."""
    model = config.model
    possible: dict[StageName, bool] = {
        "coarse": model.has_cenet,
        "refine": model.has_prnet,
        "finish": model.has_prnet and bool(model.by_colour),
        "joint": model.has_cenet and model.has_prnet,
    }
    return {name: getattr(config, name) for name in _NAMES[config.learn] if possible[name]}


def make_stage(name: StageName, config: TrainConfig, model: Cascade, fabric: Fabric) -> Stage:
    """Make a stage when its turn comes: PRNet's needs the CENet that has learned by then."""
    match name:
        case "coarse":
            return coarse_stage(config, model)
        case "refine":
            return refine_stage(config, model, fabric)
        case "finish":
            return finish_stage(config, model, fabric)
        case "joint":
            return joint_stage(config, model)


def coarse_stage(config: TrainConfig, model: Cascade) -> Stage:
    """CENet learns the colour map of a photo that it sees whole (eq. 4)."""
    stage, geometry = config.coarse, config.model
    framing = Framing(geometry.canvas, flip=config.flip, rotate=config.rotate, jitter=stage.jitter)
    if geometry.fit == "squash":
        framing = framing._replace(crop=True, zoom=stage.zoom, keep_aspect=False)
    framing = _growing(framing, stage)

    def losses(net: nn.Module, batch: Sample) -> Tensor:
        coarse = batch.original + net(batch.original).residual(batch.original)
        return photo_losses(stage.loss, coarse, batch.expert, batch.mask)

    assert model.cenet is not None
    return Stage("coarse", stage, model.cenet, framing, losses)


def refine_stage(config: TrainConfig, model: Cascade, fabric: Fabric) -> Stage:
    """PRNet learns what CENet, frozen now, leaves (eq. 5)."""
    return _prnet_stage("refine", config, model, fabric, projected=False)


def finish_stage(config: TrainConfig, model: Cascade, fabric: Fabric) -> Stage:
    """PRNet goes on learning, and what counts is what its residual becomes by colour.

    Not in the paper. In the end and not from the first step: that came to less (weights/README.md).
    """
    return _prnet_stage("finish", config, model, fabric, projected=True)


def _prnet_stage(
    name: StageName, config: TrainConfig, model: Cascade, fabric: Fabric, *, projected: bool
) -> Stage:
    stage: StageConfig = getattr(config, name)
    geometry = config.model
    framing = _part_of(config, stage)
    cenet = model.cenet
    if cenet is not None:
        framing = framing._replace(view=View(geometry.canvas, geometry.fit))

    def coarse(batch: Sample) -> Tensor:
        if cenet is None:
            return batch.original
        with torch.no_grad(), fabric.autocast():
            mapping = cenet.eval()(batch.view)
        # Not under autocast: photos keep full precision.
        return batch.original + mapping.residual(batch.original)

    def losses(net: nn.Module, batch: Sample) -> Tensor:
        start = coarse(batch)
        residual = net(start)
        if projected:
            residual = by_colour(residual, batch.original, batch.mask)
        return photo_losses(stage.loss, start + residual, batch.expert, batch.mask)

    assert model.prnet is not None
    return Stage(name, stage, model.prnet, framing, losses)


def joint_stage(config: TrainConfig, model: Cascade) -> Stage:
    """Both networks go on learning at once, each from where it is.

    Not in the paper, where CENet stays frozen while PRNet learns. The coarse result keeps a share
    in the loss, so that it remains a photo of its own.
    """
    stage, geometry = config.joint, config.model
    framing = _part_of(config, stage)._replace(view=View(geometry.canvas, geometry.fit))

    def losses(net: nn.Module, batch: Sample) -> Tensor:
        mapping, residual = net(batch.original, batch.view)
        coarse = batch.original + mapping.residual(batch.original)
        if geometry.by_colour:
            residual = by_colour(residual, batch.original, batch.mask)
        refined = coarse + residual
        fine = photo_losses(stage.loss, refined, batch.expert, batch.mask)
        rough = photo_losses(stage.loss, coarse, batch.expert, batch.mask)
        return (1 - COARSE_SHARE) * fine + COARSE_SHARE * rough

    assert model.cenet is not None and model.prnet is not None
    return Stage("joint", stage, _Joint(model.cenet, model.prnet), framing, losses)


class _Joint(nn.Module):
    """Both networks as one, on a part of a photo and the whole of it."""

    def __init__(self, cenet: nn.Module, prnet: nn.Module) -> None:
        super().__init__()
        self.cenet = cenet
        self.prnet = prnet

    def forward(self, part: Tensor, view: Tensor) -> tuple[ColorMapping, Tensor]:
        """CENet's map, and PRNet's residual for ``part``, ``(B, 3, H, W)``."""
        mapping = self.cenet(view)
        part = part.float()  # Fabric hands it over in the precision of the run
        with torch.autocast(part.device.type, enabled=False):
            coarse = part + mapping.residual(part)
        return mapping, self.prnet(coarse)


def _part_of(config: TrainConfig, stage: StageConfig) -> Framing:
    """What PRNet sees: squares cut from photos, or whole photos padded."""
    geometry = config.model
    side = geometry.canvas if geometry.fit == "pad" else geometry.long_edge
    framing = Framing(side, flip=config.flip, rotate=config.rotate, jitter=stage.jitter)
    if stage.crop:
        framing = framing._replace(side=stage.crop, crop=True, zoom=stage.zoom)
    return _growing(framing, stage)


def _growing(framing: Framing, stage: StageConfig) -> Framing:
    return framing._replace(grow_from=stage.grow_from, grown_after=GROWN * stage.epochs)

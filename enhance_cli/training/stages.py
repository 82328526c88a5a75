"""Training stages: which network is trained, on which crops, and with which loss (section 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from enhance_cli.config.training import Recipe, StageConfig
from enhance_cli.data.crops import CropConfig, GlobalView
from enhance_cli.data.dataset import Sample
from enhance_cli.models.cascade import Cascade
from enhance_cli.models.color_polynomial import (
    evaluate_color_polynomial,
    fit_color_polynomial,
)
from enhance_cli.training.losses import photo_losses

FULL_SIZE_FROM = 0.75
"""Share of a stage's epochs after which growing crops have their full size."""


@dataclass(frozen=True)
class Stage:
    """A network, the crops that it is trained on, and its loss.

    Attributes:
        config: Settings of the stage.
        net: The network that is trained.
        crop: How samples are taken from photos.
        losses: Computes each photo's loss, ``(B,)``, from the network as wrapped by Fabric and a
            batch.
    """

    config: StageConfig
    net: nn.Module
    crop: CropConfig
    losses: Callable[[nn.Module, Sample], Tensor]


def make_stage(stage: StageConfig, recipe: Recipe, model: Cascade, fabric: Fabric) -> Stage:
    """Build a stage. Build it just before it runs: PRNet's losses use the CENet trained by then.

    Args:
        stage: Settings of the stage.
        recipe: The recipe to which it belongs.
        model: The model that is trained.
        fabric: Fabric that runs the model.
    """
    if stage.trains == "cenet":
        return _cenet_stage(stage, recipe, model)
    return _prnet_stage(stage, recipe, model, fabric)


def _cenet_stage(stage: StageConfig, recipe: Recipe, model: Cascade) -> Stage:
    """Train CENet: the loss compares its coarse result with the expert's version (eq. 4)."""
    crop = CropConfig(recipe.model.input_side, flip=recipe.flip, rotate=recipe.rotate)
    if recipe.model.fit == "squash":
        crop = crop._replace(crop=True, min_scale=stage.min_crop_scale, keep_aspect=False)
    crop = _growing(crop, stage)

    def losses(net: nn.Module, batch: Sample) -> Tensor:
        coarse = batch.original + net(batch.original).residual(batch.original)
        return photo_losses(stage.loss, coarse, batch.expert, batch.mask)

    assert model.cenet is not None
    return Stage(stage, model.cenet, crop, losses)


def _prnet_stage(stage: StageConfig, recipe: Recipe, model: Cascade, fabric: Fabric) -> Stage:
    """Train PRNet on the output of CENet, which is frozen (eq. 5).

    With ``projected`` (not in the paper), the residual is projected onto polynomials of color
    before the loss is computed. With few scenes, training so from the first step scored lower; the
    recipe ``large`` does it (weights/LAB.md).
    """
    cenet = model.cenet
    crop = _prnet_crop(stage, recipe)
    if cenet is not None:
        crop = crop._replace(view=GlobalView(recipe.model.input_side, recipe.model.fit))

    def coarse_of(batch: Sample) -> Tensor:
        if cenet is None:
            return batch.original
        with torch.no_grad(), fabric.autocast():
            mapping = cenet.eval()(batch.view)
        # Not under autocast: photos keep full precision.
        return batch.original + mapping.residual(batch.original)

    def losses(net: nn.Module, batch: Sample) -> Tensor:
        coarse = coarse_of(batch)
        residual = net(coarse, batch.original)
        if stage.projected:
            polynomial = fit_color_polynomial(residual, batch.original, batch.mask)
            residual = evaluate_color_polynomial(polynomial, batch.original)
        return photo_losses(stage.loss, coarse + residual, batch.expert, batch.mask)

    assert model.prnet is not None
    return Stage(stage, model.prnet, crop, losses)


def _prnet_crop(stage: StageConfig, recipe: Recipe) -> CropConfig:
    """How PRNet's samples are taken: crops of photos, or whole photos padded with black."""
    model = recipe.model
    side = model.input_side if model.fit == "pad" else model.long_edge
    crop = CropConfig(side, flip=recipe.flip, rotate=recipe.rotate)
    if stage.crop:
        crop = crop._replace(side=stage.crop, crop=True, min_scale=stage.min_crop_scale)
    return _growing(crop, stage)


def _growing(crop: CropConfig, stage: StageConfig) -> CropConfig:
    full_size_after = FULL_SIZE_FROM * stage.epochs
    return crop._replace(initial_side=stage.initial_crop, full_size_after=full_size_after)

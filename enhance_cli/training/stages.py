"""Training stages: which network is trained, on which crops, and with which loss (section 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
from enhance_cli.training.cached_samples import CachedSample, subsampled
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
        compute: Runs the frozen networks on a batch, once for all epochs; the losses then get its
            result. None if they need the batch itself.
    """

    config: StageConfig
    net: nn.Module
    crop: CropConfig
    losses: Callable[[nn.Module, Any], Tensor]
    compute: Callable[[Sample], CachedSample] | None = None


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
    if stage.trains == "overall":
        return _overall_stage(stage, recipe, model, fabric)
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

    def losses(net: nn.Module, batch: Sample) -> Tensor:
        coarse = _coarse_result(batch, model, fabric)
        residual = net(coarse, batch.original)
        if stage.projected:
            polynomial = fit_color_polynomial(residual, batch.original, batch.mask)
            residual = evaluate_color_polynomial(polynomial, batch.original)
        return photo_losses(stage.loss, coarse + residual, batch.expert, batch.mask)

    assert model.prnet is not None
    return Stage(stage, model.prnet, _prnet_crop(stage, recipe), losses)


def _overall_stage(stage: StageConfig, recipe: Recipe, model: Cascade, fabric: Fabric) -> Stage:
    """Train the head of PRNet's overall residual alone; all else is frozen (not in the paper).

    The rest takes part as in use: its residual is projected onto polynomials of color.
    """
    prnet = model.prnet
    assert prnet is not None and prnet.overall is not None
    statistics = prnet.overall.statistics

    @torch.no_grad()
    def compute(batch: Sample) -> CachedSample:
        prnet.eval()
        coarse = _coarse_result(batch, model, fabric)
        with fabric.autocast():
            residual = prnet.local_residual(coarse)
        polynomial = fit_color_polynomial(residual, batch.original, batch.mask)
        original = subsampled(batch.original)
        before = subsampled(coarse) + evaluate_color_polynomial(polynomial, original)
        return CachedSample(
            statistics(batch.original),
            original,
            before,
            subsampled(batch.expert),
            subsampled(batch.mask),
            batch.pair_index,
        )

    def losses(net: nn.Module, batch: CachedSample) -> Tensor:
        residual = evaluate_color_polynomial(net(batch.statistics), batch.original)
        return photo_losses(stage.loss, batch.before + residual, batch.expert, batch.mask)

    crop = _prnet_crop(stage, recipe)._replace(initial_side=0)
    return Stage(stage, prnet.overall.head, crop, losses, compute)


def _coarse_result(batch: Sample, model: Cascade, fabric: Fabric) -> Tensor:
    """The result of CENet, which is frozen; without CENet, the photo."""
    if model.cenet is None:
        return batch.original
    with torch.no_grad(), fabric.autocast():
        mapping = model.cenet.eval()(batch.view)
    # Not under autocast: photos keep full precision.
    return batch.original + mapping.residual(batch.original)


def _prnet_crop(stage: StageConfig, recipe: Recipe) -> CropConfig:
    """How PRNet's samples are taken: crops of photos, or whole photos padded with black.

    CENet sees the whole photo of each.
    """
    model = recipe.model
    side = model.input_side if model.fit == "pad" else model.long_edge
    crop = CropConfig(side, flip=recipe.flip, rotate=recipe.rotate)
    if stage.crop:
        crop = crop._replace(side=stage.crop, crop=True, min_scale=stage.min_crop_scale)
    if model.has_cenet:
        crop = crop._replace(view=GlobalView(model.input_side, model.fit))
    return _growing(crop, stage)


def _growing(crop: CropConfig, stage: StageConfig) -> CropConfig:
    full_size_after = FULL_SIZE_FROM * stage.epochs
    return crop._replace(initial_side=stage.initial_crop, full_size_after=full_size_after)

"""Finds the stages of a recipe that run, and the settings that have no effect."""

from __future__ import annotations

from enhance_cli.config.model import LONG_EDGE, ModelConfig
from enhance_cli.config.training import Recipe, StageConfig


def active_stages(recipe: Recipe) -> tuple[StageConfig, ...]:
    """Return the stages that run: those whose network the model has."""
    idle = without_effect(recipe)
    return tuple(stage for stage in recipe.stages if f"stages.{stage.name}" not in idle)


def without_effect(recipe: Recipe) -> dict[str, str]:
    """Find the settings that have no effect, and the stages that do not run.

    Returns:
        Reasons by key, such as ``model.nonlocal_pool``, ``stages.refine.momentum`` or
        ``stages.refine``. The run stays the same if such a setting is left out.
    """
    reasons = {f"model.{key}": reason for key, reason in _idle_in_model(recipe.model).items()}
    for stage in recipe.stages:
        reason = _why_skipped(stage, recipe.model)
        if reason:
            reasons[f"stages.{stage.name}"] = reason
        for key, reason in _idle_in_stage(stage, recipe.model).items():
            reasons[f"stages.{stage.name}.{key}"] = reason
    return reasons


def _idle_in_model(model: ModelConfig) -> dict[str, str]:
    idle = {"style": "no stage trains it; enhance train --style-from fits it to edited photos"}
    if model.sees_thumbnail:
        idle["max_input_edge"] = (
            f"the result is a function of color, for which {model.input_edge} pixels are enough"
        )
    elif model.max_input_edge > model.long_edge:
        idle["max_input_edge"] = f"the networks see photos of at most {model.long_edge} pixels"
    if model.fit == "squash" and not model.has_cenet:
        idle["input_side"] = f"the variant {model.variant} has no CENet to squash for"
    if not model.has_prnet:
        keys = ("nonlocal_pool", "prnet", "prnet_input_edge")
        keys += ("protect_highlights", "protect_shadows")
        return idle | dict.fromkeys(keys, f"the variant {model.variant} has no PRNet")
    if not model.non_local:
        idle["nonlocal_pool"] = f"the variant {model.variant} has no non-local block"
    if model.prnet == "per-pixel":
        idle["prnet_input_edge"] = 'model.prnet is "per-pixel"'
    elif model.fit == "pad":
        idle["prnet_input_edge"] = 'model.fit is "pad", so PRNet sees the padded photo'
    return idle


def _why_skipped(stage: StageConfig, model: ModelConfig) -> str | None:
    """Why a stage does not run, or None if it does."""
    if stage.trains == "cenet":
        return None if model.has_cenet else f"the variant {model.variant} has no CENet"
    if not model.has_prnet:
        return f"the variant {model.variant} has no PRNet"
    if stage.projected and not model.is_global:
        return 'the stage is projected, and model.prnet is "per-pixel"'
    return None


def _idle_in_stage(stage: StageConfig, model: ModelConfig) -> dict[str, str]:
    return _idle_in_optimizer(stage) | _idle_in_crops(stage, model) | _idle_in_shares(stage, model)


def _idle_in_optimizer(stage: StageConfig) -> dict[str, str]:
    idle: dict[str, str] = {}
    if stage.optimizer != "sgd":
        idle["momentum"] = f"it belongs to sgd, and the optimizer is {stage.optimizer}"
    if stage.schedule != "step":
        reason = f'it belongs to the schedule "step", and the schedule is "{stage.schedule}"'
        idle |= dict.fromkeys(("decay", "decay_steps"), reason)
    elif stage.decay == 1:
        idle["decay_steps"] = "decay is 1, so the learning rate is constant"
    return idle


def _idle_in_crops(stage: StageConfig, model: ModelConfig) -> dict[str, str]:
    idle: dict[str, str] = {}
    if stage.trains == "cenet":
        idle["projected"] = "it concerns PRNet, and the stage trains CENet"
        idle["crop"] = "CENet sees what model.input_side and model.fit say"
    if not _is_cropped(stage, model):
        why = "whole photos are padded" + (" (crop is 0)" if stage.trains == "prnet" else "")
        idle |= dict.fromkeys(("initial_crop", "min_crop_scale"), why)
    elif stage.initial_crop >= _side(stage, model):
        idle["initial_crop"] = f"samples have only {_side(stage, model)} pixels a side in the end"
    return idle


def _idle_in_shares(stage: StageConfig, model: ModelConfig) -> dict[str, str]:
    idle: dict[str, str] = {}
    if stage.identity_share == 1:
        idle["version_mixup"] = "identity_share is 1"
    if stage.synthetic_share == 1:
        keys = ("version_mixup", "identity_share")
        idle |= dict.fromkeys(keys, "synthetic_share is 1, so that no sample shows a photo")
    side = _side(stage, model)
    grows = _is_cropped(stage, model) and 0 < stage.initial_crop < side
    if side % 2 and not grows:
        idle["tile_shuffle"] = f"samples of {side} pixels a side cannot be cut into equal tiles"
    return idle


def _is_cropped(stage: StageConfig, model: ModelConfig) -> bool:
    """Whether samples are random parts of photos, and not whole photos padded with black."""
    return model.fit == "squash" if stage.trains == "cenet" else stage.crop > 0


def _side(stage: StageConfig, model: ModelConfig) -> int:
    """Side of a stage's samples, in pixels, in the last epoch."""
    if stage.trains == "cenet":
        return model.input_side
    return stage.crop or (model.input_side if model.fit == "pad" else LONG_EDGE)

"""Recipes as TOML: reading, changing single settings, and writing.

Every setting is checked: its name, its type, its range, and whether it has any effect. A setting
without effect is refused with the reason, since whoever wrote it expects one.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from enhance_cli.config.model import ModelConfig
from enhance_cli.config.settings import expects_text, names_of, unknown_key, updated
from enhance_cli.config.training import Recipe, StageConfig
from enhance_cli.errors import UsageError

BUILT_IN = ("paper", "shipped")
"""Recipes that come with the package."""

ALL = "*"
"""In place of a stage's name: all stages."""


def load_recipe(name: str) -> Recipe:
    """Read a recipe.

    Args:
        name: One of ``BUILT_IN``, or the path of a TOML file. What the file does not set is as in
            the paper.

    Raises:
        UsageError: There is no such recipe, or something in it is wrong.
    """
    if name.lower() in BUILT_IN:
        file = files("enhance_cli.config") / "recipes" / f"{name.lower()}.toml"
        return parse_recipe(file.read_text(encoding="utf-8"), f"{name.lower()}.toml")
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(
            f"--recipe {name}: neither {' nor '.join(BUILT_IN)} nor a file that can be read"
        ) from problem
    return parse_recipe(text, name)


def parse_recipe(text: str, where: str) -> Recipe:
    """Read a recipe from TOML.

    Args:
        text: The document.
        where: Its file, for messages.

    Raises:
        UsageError: It is not TOML, or a setting is unknown, of the wrong type, out of range or
            without effect.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise UsageError(f"{where}: not TOML: {problem}") from problem
    model, stages = document.pop("model", {}), document.pop("stages", None)
    if not isinstance(model, dict):
        raise UsageError(f"{where}: model: must be a table, [model]")
    unknown = [key for key in document if key not in names_of(Recipe)]
    if unknown:
        raise UsageError(unknown_key(where, unknown[0], list(names_of(Recipe))))
    recipe = updated(Recipe(), document, where, "")
    recipe = replace(recipe, model=updated(ModelConfig(), model, where, "model."))
    given = [*document, *(f"model.{key}" for key in model)]
    if stages is not None:
        recipe = replace(recipe, stages=_stages(stages, where))
        given += [f"stages.{one['name']}.{key}" for one in stages for key in one]
    _refuse_without_effect(recipe, given, where)
    return recipe


def _stages(tables: Any, where: str) -> tuple[StageConfig, ...]:
    if not isinstance(tables, list) or not tables:
        raise UsageError(f"{where}: stages: must be tables, each under [[stages]]")
    stages: list[StageConfig] = []
    for number, table in enumerate(tables, start=1):
        name = table.get("name") if isinstance(table, dict) else None
        if not isinstance(name, str) or not name.isidentifier():
            raise UsageError(f"{where}: stage {number} needs a name of letters, digits and _")
        if name in {one.name for one in stages}:
            raise UsageError(f"{where}: two stages are called {name}")
        if "trains" not in table:
            raise UsageError(
                f'{where}: stages.{name}: say what it trains: trains = "cenet" or "prnet"'
            )
        stages.append(updated(StageConfig(), table, where, f"stages.{name}."))
    return tuple(stages)


class Change(NamedTuple):
    """A change of one setting of a recipe.

    Attributes:
        text: ``KEY=VALUE``, such as ``seed=3``, ``model.variant=ce`` or
            ``stages.refine.epochs=40``; ``stages.*.epochs=40`` changes all stages.
        option: The command-line option that asks for it, for messages.
    """

    text: str
    option: str = "--set"

    @property
    def key(self) -> str:
        """The key of the setting."""
        return self.text.partition("=")[0].strip()


def with_changes(recipe: Recipe, changes: Iterable[Change]) -> Recipe:
    """Change settings of a recipe, and check that each change has an effect in the end.

    Raises:
        UsageError: A setting does not exist, its value is wrong, or it has no effect.
    """
    changes = list(changes)
    for change in changes:
        recipe = _with_change(recipe, change)
    for change in changes:
        _refuse_without_effect(recipe, [change.key], change.option)
    return recipe


def _with_change(recipe: Recipe, change: Change) -> Recipe:
    key, sign, written = (part.strip() for part in change.text.partition("="))
    where = change.option
    if not sign or not key:
        raise UsageError(f"{where} {change.text}: give KEY=VALUE, such as stages.refine.epochs=40")
    group, _, rest = key.partition(".")
    if group == "model" and rest:
        values = {rest: _value(written, ModelConfig, rest)}
        return replace(recipe, model=updated(recipe.model, values, where, "model."))
    if group == "stages" and rest:
        name, _, setting = rest.partition(".")
        values = {setting: _value(written, StageConfig, setting)}
        return replace(recipe, stages=_changed_stages(recipe, name, values, where))
    if key not in names_of(Recipe) or key in {"model", "stages"}:
        raise UsageError(unknown_key(where, key, list(known_keys(recipe))))
    return updated(recipe, {key: _value(written, Recipe, key)}, where, "")


def known_keys(recipe: Recipe) -> Iterator[str]:
    """All keys that :class:`Change` may name."""
    yield from (key for key in names_of(Recipe) if key not in {"model", "stages"})
    yield from (f"model.{key}" for key in names_of(ModelConfig))
    for stage in recipe.stages:
        yield from (f"stages.{stage.name}.{key}" for key in names_of(StageConfig))


def format_recipe(recipe: Recipe) -> str:
    """Write a recipe as TOML that gives the same run: all settings that have an effect."""
    idle = without_effect(recipe)
    lines = list(_lines(recipe, "", idle))
    lines += ["", "[model]", *_lines(recipe.model, "model.", idle)]
    for stage in recipe.stages:
        if f"stages.{stage.name}" not in idle:
            lines += ["", "[[stages]]", *_lines(stage, f"stages.{stage.name}.", idle)]
    return "\n".join(lines) + "\n"


def active_stages(recipe: Recipe) -> tuple[StageConfig, ...]:
    """The stages for which the model has the network."""
    idle = without_effect(recipe)
    return tuple(stage for stage in recipe.stages if f"stages.{stage.name}" not in idle)


def without_effect(recipe: Recipe) -> dict[str, str]:
    """The settings, and whole stages, that change nothing in a recipe, each with the reason."""
    model = recipe.model
    reasons: dict[str, str] = {}
    if not model.has_prnet:
        reason = f"the variant {model.variant} has no PRNet"
        for key in ("nonlocal_pool", "prnet", "prnet_input_edge", "protect_highlights"):
            reasons[f"model.{key}"] = reason
    elif not model.non_local:
        reasons["model.nonlocal_pool"] = f"the variant {model.variant} has no non-local block"
    if not model.is_global:
        reasons.setdefault("model.prnet_input_edge", 'model.prnet is "per-pixel"')
    elif model.fit == "pad":
        reasons["model.prnet_input_edge"] = 'model.fit is "pad", so PRNet sees the padded photo'
    if model.fit == "squash" and not model.has_cenet:
        reasons["model.input_side"] = f"the variant {model.variant} has no CENet to squash for"
    for stage in recipe.stages:
        whole = _stage_without_effect(stage, model)
        if whole:
            reasons[f"stages.{stage.name}"] = whole
        for key, reason in _idle_settings(stage, model).items():
            reasons[f"stages.{stage.name}.{key}"] = reason
    return reasons


def _stage_without_effect(stage: StageConfig, model: ModelConfig) -> str | None:
    if stage.trains == "cenet":
        return None if model.has_cenet else f"the variant {model.variant} has no CENet"
    if not model.has_prnet:
        return f"the variant {model.variant} has no PRNet"
    if stage.projected and not model.is_global:
        return 'the stage is projected, and model.prnet is "per-pixel"'
    return None


def _idle_settings(stage: StageConfig, model: ModelConfig) -> dict[str, str]:
    idle: dict[str, str] = {}
    if stage.optimizer != "sgd":
        idle["momentum"] = f"it belongs to sgd, and the optimizer is {stage.optimizer}"
    if stage.schedule != "step":
        reason = f'it belongs to the schedule "step", and the schedule is "{stage.schedule}"'
        idle |= dict.fromkeys(("decay", "decay_steps"), reason)
    padded = "whole photos are padded"
    if stage.trains == "cenet":
        idle["crop"] = "CENet sees what the model's input_side and fit say"
        idle["projected"] = "it concerns PRNet, and the stage trains CENet"
        if model.fit == "pad":
            idle |= dict.fromkeys(("initial_crop", "min_crop_scale"), padded)
    elif not stage.crop:
        idle |= dict.fromkeys(("initial_crop", "min_crop_scale"), f"{padded} (crop is 0)")
    return idle


def _refuse_without_effect(recipe: Recipe, given: Iterable[str], where: str) -> None:
    reasons = without_effect(recipe)
    for key in given:
        reason = _reason(key, recipe, reasons)
        if reason and not _at_default(key, recipe):
            raise UsageError(f"{where}: {key} has no effect: {reason}; leave it out")


def _reason(key: str, recipe: Recipe, reasons: Mapping[str, str]) -> str | None:
    """Why a key has no effect; with ``*`` it has to have none in every stage."""
    group, _, rest = key.partition(".")
    if group != "stages":
        return reasons.get(key)
    name, _, setting = rest.partition(".")
    stages = [stage.name for stage in recipe.stages] if name == ALL else [name]
    found = [
        reasons.get(f"stages.{one}") or reasons.get(f"stages.{one}.{setting}") for one in stages
    ]
    return found[0] if all(found) else None


def _at_default(key: str, recipe: Recipe) -> bool:
    """Whether a stage says of itself what it would be anyway, such as ``projected = false``."""
    _, _, setting = key.rpartition(".")
    named = {f"stages.{stage.name}.projected": stage.projected for stage in recipe.stages}
    return setting == "projected" and not named.get(key, True)


def _changed_stages(
    recipe: Recipe, name: str, values: dict[str, Any], where: str
) -> tuple[StageConfig, ...]:
    names = [stage.name for stage in recipe.stages]
    if name != ALL and name not in names:
        raise UsageError(
            f"{where}: stages.{name}: there is no such stage; the recipe has {', '.join(names)}"
        )
    if not all(values) or {"name", "trains"} & values.keys():
        raise UsageError(f"{where}: name one setting, such as stages.{name}.epochs=40")
    return tuple(
        updated(stage, values, where, f"stages.{stage.name}.")
        if name in {ALL, stage.name}
        else stage
        for stage in recipe.stages
    )


def _value(text: str, kind: type[Any], name: str) -> Any:
    """A value as TOML has it, for a setting of ``kind``; texts may go without quotes."""
    if expects_text(kind, name):
        return text.strip("\"'")
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _lines(settings: Any, prefix: str, idle: Mapping[str, str]) -> Iterator[str]:
    for one in fields(settings):
        value = getattr(settings, one.name)
        if one.name not in {"model", "stages"} and prefix + one.name not in idle:
            yield f"{one.name} = {_toml(value)}"


def _toml(value: Any) -> str:
    if isinstance(value, bool | str):
        return json.dumps(value)
    return repr(value)

"""Recipes as TOML: reading, changing single settings, and writing.

Each setting is checked: its name, type and range, and whether it has any effect. A setting without
effect is refused with the reason, since whoever wrote it expects an effect.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, cast

from enhance_cli.config.effects import without_effect
from enhance_cli.config.model import ModelConfig
from enhance_cli.config.settings import did_you_mean, expects_text, names_of, unknown_key, updated
from enhance_cli.config.training import Recipe, StageConfig
from enhance_cli.errors import UsageError

BUILT_IN = ("paper", "small", "large")
"""Recipes that come with the package."""

STYLE = "style"
"""The recipe that fits a style to edited photos and trains no network."""

ALL = "*"
"""Stands for all stages in the key of a change."""

_STAGE_NAME = re.compile("[A-Za-z0-9_]+")


def load_recipe(name: str) -> Recipe:
    """Read a recipe.

    Args:
        name: One of ``BUILT_IN``, in upper or lower case, or the path of a TOML file. Settings
            that the file leaves out are those of the paper.

    Raises:
        UsageError: There is no such recipe, or one of its settings is wrong.
    """
    if name.lower() in BUILT_IN:
        file = files("enhance_cli.config") / "recipes" / f"{name.lower()}.toml"
        return parse_recipe(file.read_text(encoding="utf-8"), f"{name.lower()}.toml")
    try:
        text = Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        guess = did_you_mean(name, [*BUILT_IN, STYLE])
        raise UsageError(
            f"--recipe {name}: neither {', '.join(BUILT_IN)} nor {STYLE}, nor a file that can be "
            f"read{f'; {guess}' if guess else ''}"
        ) from problem
    return parse_recipe(text, name)


def parse_recipe(text: str, where: str) -> Recipe:
    """Read a recipe from TOML.

    Args:
        text: The document.
        where: Name of its file, for messages.

    Raises:
        UsageError: The document is not TOML, or a setting is unknown, of the wrong type, out of
            range or without effect. The message names file, key and what is allowed.
    """
    try:
        document: dict[str, object] = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:  # RecursionError: deeply nested brackets
        raise UsageError(f"{where}: not TOML: {problem}") from problem
    model, stages = document.pop("model", {}), document.pop("stages", None)
    settings = _table(model)
    if settings is None:
        raise UsageError(f"{where}: model: must be a table, [model]")
    recipe = updated(Recipe(), document, where, "")
    recipe = replace(recipe, model=updated(ModelConfig(), settings, where, "model."))
    given = [*document, *(f"model.{key}" for key in settings)]
    if stages is not None:
        tables = _stage_tables(stages, where)
        recipe = replace(recipe, stages=_stages(tables, where))
        for name, table in tables.items():
            given += [f"stages.{name}", *(f"stages.{name}.{key}" for key in table)]
    _refuse_without_effect(recipe, given, where)
    return recipe


def _table(value: object) -> dict[str, object] | None:
    """A TOML table, whose keys are texts; None if ``value`` is something else."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _stage_tables(value: object, where: str) -> dict[str, dict[str, object]]:
    """The tables of all stages by their names, in the order of the document."""
    if not isinstance(value, list) or not value:
        raise UsageError(f"{where}: stages: must be tables, each under [[stages]]")
    tables: dict[str, dict[str, object]] = {}
    for number, entry in enumerate(cast("list[object]", value), start=1):
        table = _table(entry) or {}
        name = table.get("name")
        if not isinstance(name, str) or not _STAGE_NAME.fullmatch(name):
            raise UsageError(
                f"{where}: stage {number}: needs a name of letters, digits and _, such as "
                'name = "coarse"'
            )
        if name in tables:
            raise UsageError(f"{where}: stages.{name}: duplicate name; give each stage its own")
        tables[name] = table
    return tables


def _stages(tables: Mapping[str, Mapping[str, object]], where: str) -> tuple[StageConfig, ...]:
    for name, table in tables.items():
        if "trains" not in table:
            raise UsageError(
                f'{where}: stages.{name}.trains: must be set, to one of "cenet", "prnet"'
            )
    return tuple(
        updated(StageConfig(), table, where, f"stages.{name}.") for name, table in tables.items()
    )


class Change(NamedTuple):
    """A change of one setting of a recipe.

    Attributes:
        text: ``KEY=VALUE``, such as ``seed=3``, ``model.variant=ce`` or
            ``stages.refine.epochs=40``; ``stages.*.epochs=40`` changes all stages.
        option: Command-line option that sets it, for messages.
    """

    text: str
    option: str = "--set"

    @property
    def key(self) -> str:
        """The key of the setting."""
        return self.text.partition("=")[0].strip()


def with_changes(
    recipe: Recipe, changes: Iterable[Change], run: Collection[str] | None = None
) -> Recipe:
    """Change settings of a recipe, and check that each change has an effect in the end.

    Args:
        recipe: The recipe.
        changes: The changes, in order.
        run: Names of the stages that will run; None if all will.

    Raises:
        UsageError: A setting does not exist, its value is wrong, or it has no effect.
    """
    changes = list(changes)
    for change in changes:
        recipe = _with_change(recipe, change)
    for change in changes:
        _refuse_without_effect(recipe, [change.key], change.option, run)
    _refuse_overridden(recipe, changes)
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
    """List the keys that :class:`Change` may use."""
    yield from (key for key in names_of(Recipe) if key not in {"model", "stages"})
    yield from (f"model.{key}" for key in names_of(ModelConfig))
    for stage in recipe.stages:
        yield from (f"stages.{stage.name}.{key}" for key in names_of(StageConfig))


def format_recipe(recipe: Recipe) -> str:
    """Write a recipe as TOML that gives the same run. Settings without effect are left out."""
    idle = without_effect(recipe)
    lines = list(_lines(recipe, "", idle))
    lines += ["", "[model]", *_lines(recipe.model, "model.", idle)]
    for stage in recipe.stages:
        if f"stages.{stage.name}" not in idle:
            lines += ["", "[[stages]]", *_lines(stage, f"stages.{stage.name}.", idle)]
    return "\n".join(lines) + "\n"


def _refuse_without_effect(
    recipe: Recipe, given: Iterable[str], where: str, run: Collection[str] | None = None
) -> None:
    reasons = without_effect(recipe)
    for key in given:
        reason = _reason(key, recipe, reasons, run)
        if reason and not _at_default(key, recipe):
            raise UsageError(f"{where}: {key} has no effect: {reason}; leave it out")


def _reason(
    key: str, recipe: Recipe, reasons: Mapping[str, str], run: Collection[str] | None
) -> str | None:
    """Return why a key has no effect; one with ``*`` must have none in every stage that runs."""
    group, _, rest = key.partition(".")
    if group != "stages":
        return reasons.get(key)
    name, _, setting = rest.partition(".")
    if run is not None and name not in {ALL, *run}:
        return f"--stages leaves out {name}"
    names = [stage.name for stage in recipe.stages if run is None or stage.name in run]
    found = [
        reasons.get(f"stages.{stage}") or reasons.get(f"stages.{stage}.{setting}")
        for stage in (names if name == ALL else [name])
    ]
    return found[0] if found and all(found) else None


def _refuse_overridden(recipe: Recipe, changes: Sequence[Change]) -> None:
    """Refuse a change if later ones set all that it sets."""
    later: dict[str, Change] = {}
    for change in reversed(changes):
        keys = _keys(change.key, recipe)
        overriding = [later[key] for key in keys if key in later]
        if len(overriding) == len(keys):
            raise UsageError(
                f"{change.option}: {change.key} has no effect: {overriding[0].option} "
                f"{overriding[0].text} sets it again; leave one of them out"
            )
        later |= dict.fromkeys(keys, change)


def _keys(key: str, recipe: Recipe) -> list[str]:
    """List the settings that a key stands for: one, or one of every stage if it has a ``*``."""
    start = f"stages.{ALL}."
    if not key.startswith(start):
        return [key]
    return [f"stages.{stage.name}.{key.removeprefix(start)}" for stage in recipe.stages]


def _at_default(key: str, recipe: Recipe) -> bool:
    """Whether the key is a stage's ``projected = false``, which is allowed wherever it is true."""
    _, _, setting = key.rpartition(".")
    named = {f"stages.{stage.name}.projected": stage.projected for stage in recipe.stages}
    return setting == "projected" and not named.get(key, True)


def _changed_stages(
    recipe: Recipe, name: str, values: Mapping[str, object], where: str
) -> tuple[StageConfig, ...]:
    names = [stage.name for stage in recipe.stages]
    if name != ALL and name not in names:
        raise UsageError(
            f"{where}: stages.{name}: there is no such stage; the recipe has {', '.join(names)}"
        )
    if "" in values:
        raise UsageError(f"{where}: name one setting, such as stages.{name}.epochs=40")
    fixed = [key for key in ("name", "trains") if key in values]
    if fixed:
        raise UsageError(f"{where}: stages.{name}.{fixed[0]}: only a recipe file can set it")
    return tuple(
        updated(stage, values, where, f"stages.{stage.name}.")
        if name in {ALL, stage.name}
        else stage
        for stage in recipe.stages
    )


def _value(text: str, kind: type[object], name: str) -> object:
    """Read the value of a setting of ``kind`` as in TOML; texts need no quotes."""
    if expects_text(kind, name):
        return text.strip("\"'")
    try:
        document: dict[str, object] = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return document["value"] if len(document) == 1 else text


def _lines(
    settings: Recipe | ModelConfig | StageConfig, prefix: str, idle: Mapping[str, str]
) -> Iterator[str]:
    for field in fields(settings):
        if field.name not in {"model", "stages"} and prefix + field.name not in idle:
            yield f"{field.name} = {_toml(getattr(settings, field.name))}"


def _toml(value: object) -> str:
    if isinstance(value, bool | str):
        return json.dumps(value)
    return repr(value)

"""Dataclasses as settings: ranges of fields, and checks of values from TOML."""

from __future__ import annotations

import dataclasses
import difflib
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from enhance_cli.errors import UsageError

Settings = TypeVar("Settings")

_LARGEST_INT = 2**63 - 1  # that of TOML


def setting(
    default: float, *, low: float | None = None, high: float | None = None, above: bool = False
) -> Any:
    """Declare a dataclass field for a number with a range.

    Args:
        default: Default of the field.
        low: Smallest value allowed; None sets no limit.
        high: Largest value allowed; None sets no limit.
        above: Whether ``low`` itself is excluded.
    """
    return dataclasses.field(default=default, metadata={"low": low, "high": high, "above": above})


def names_of(kind: type[Any]) -> tuple[str, ...]:
    """Return the names of a dataclass's settings."""
    return tuple(field.name for field in dataclasses.fields(kind))


def expects_text(kind: type[object], name: str) -> bool:
    """Return whether a dataclass has a setting of this name whose values are strings."""
    hint = get_type_hints(kind).get(name)
    return hint is str or get_origin(hint) is Literal


def updated(settings: Settings, values: Mapping[str, object], where: str, prefix: str) -> Settings:
    """Return ``settings`` with some values replaced, after checking them.

    Args:
        settings: An instance of a dataclass.
        values: New values by name, as parsed from TOML.
        where: Source of the values, for the message: a file or an option.
        prefix: Prefix of the names in the message, such as ``stages.refine.``.

    Raises:
        UsageError: A name is unknown, or a value has the wrong type or is out of range.
    """
    kind: Any = type(settings)
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in fields:
            raise UsageError(unknown_key(where, name, list(fields), prefix))
        hint, limits = hints[name], fields[name].metadata
        if not _fits(value, hint, limits):
            expected = _expectation(hint, limits)
            raise UsageError(f"{where}: {prefix}{name} = {_shown(value)}: must be {expected}")
        checked[name] = float(value) if hint is float and isinstance(value, int) else value
    return dataclasses.replace(settings, **checked)  # type: ignore[type-var]


def unknown_key(where: str, key: str, known: list[str], prefix: str = "") -> str:
    """Return the message for an unknown key, which suggests the closest known key.

    Args:
        where: Source of the key: a file or an option.
        key: The key, without its prefix.
        known: The known keys, without theirs.
        prefix: Prefix of all of them in the message, which makes no two keys alike.
    """
    names = ", ".join(prefix + name for name in known)
    hint = did_you_mean(key, known, prefix) or f"known keys are {names}"
    return f"{where}: {prefix}{key}: unknown key; {hint}"


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str | None:
    """Return a question that suggests the closest known word; None if none is close.

    Args:
        word: The word, in upper or lower case.
        known: The known words. Of one with dots, such as ``stages.refine.epochs``, the last part
            alone may have been written; then all words that end with it are suggested.
        prefix: Prefix of all of them in the question.
    """
    words, wanted = {one.lower(): one for one in known}, word.lower()
    by_last_part: dict[str, list[str]] = {}
    for one in words:
        by_last_part.setdefault(one.rpartition(".")[2], []).append(one)
    close = by_last_part.get(wanted) or difflib.get_close_matches(wanted, words, n=1)
    if not close:
        for part in difflib.get_close_matches(wanted, by_last_part, n=1):
            close = by_last_part[part]
    names = " or ".join(prefix + words[one] for one in close)
    return f"did you mean {names}?" if close else None


def _fits(value: object, hint: Any, limits: Mapping[str, Any]) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    if hint is str:
        return isinstance(value, str)
    if not isinstance(value, int if hint is int else int | float):
        return False
    low, high = limits.get("low"), limits.get("high")
    too_low = low is not None and (value <= low if limits.get("above") else value < low)
    # NaN compares with nothing, so that the last condition refuses it as well.
    largest = sys.float_info.max if hint is float else _LARGEST_INT
    return not too_low and -largest <= value <= (largest if high is None else high)


def _expectation(hint: Any, limits: Mapping[str, Any]) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(f'"{choice}"' for choice in get_args(hint))
    if hint is bool:
        return "true or false"
    if hint is str:
        return "text"
    kind = "a whole number" if hint is int else "a number"
    low, high = limits.get("low"), limits.get("high")
    if low is not None and high is not None:
        return f"{kind} from {low} to {high}"
    if low is not None:
        return f"{kind} above {low}" if limits.get("above") else f"{kind} of at least {low}"
    return kind


def _shown(value: object) -> str:
    """A value as TOML writes it, on one line and not too long."""
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    text = str(value) if not isinstance(value, int) or value.bit_length() < 256 else "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}..."

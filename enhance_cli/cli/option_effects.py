"""Options that have no effect beside others: whoever gives one expects an effect, so it is refused.

Only what the command line itself gives is refused. An ``enhance.toml`` holds for many runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import typer

from enhance_cli.cli.options import is_given
from enhance_cli.errors import UsageError

Values = Mapping[str, Any]
"""The values of all parameters of a command, by their names in Python."""


class Idle(NamedTuple):
    """When an option has no effect.

    Attributes:
        option: Its parameter's name in Python.
        is_idle: Whether it has none beside the values of all parameters.
        why: What is said behind "has no effect"; names of parameters in braces stand for values.
        advice: What to do about it.
    """

    option: str
    is_idle: Callable[[Values], bool]
    why: str
    advice: str = "leave it out"


def refuse_idle_options(context: typer.Context, values: Values, rules: Iterable[Idle]) -> None:
    """Refuse options on the command line that have no effect.

    Raises:
        UsageError: There is one.
    """
    for rule in rules:
        if is_given(context, rule.option) and rule.is_idle(values):
            name, why = name_of(context, rule.option), rule.why.format_map(dict(values))
            raise UsageError(f"{name} has no effect {why}; {rule.advice}")


def name_of(context: typer.Context, option: str) -> str:
    """The long name of an option."""
    return next(max(one.opts, key=len) for one in context.command.params if one.name == option)

"""Values of command-line options: choices in any case with synonyms, and numbers with a range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import typer

SYNONYMS = {
    "jpeg": "jpg",
    "jpe": "jpg",
    "tif": "tiff",
    "444": "4:4:4",
    "422": "4:2:2",
    "420": "4:2:0",
    "replace": "overwrite",
    "fail": "error",
}
"""What people write for a choice, and how it is called here."""


def choice(literal: Any, *names: str, **options: Any) -> Any:
    """An option whose value is one of the members of a ``Literal`` type.

    Upper case is accepted, and the usual synonyms.

    Args:
        literal: The type.
        names: Names of the option, if they are not its parameter's.
        options: Options of ``typer.Option``: ``help``, ``rich_help_panel`` and the like.
    """
    choices = tuple(_flattened(literal))
    return typer.Option(
        *names, parser=_choice_parser(choices), metavar="|".join(choices), **options
    )


def flag(*names: str, **options: Any) -> Any:
    """An option without a value.

    Args:
        names: Names of the option.
        options: Options of ``typer.Option``.
    """
    return typer.Option(*names, metavar="", **options)


def number(
    kind: Callable[[Any], Any],
    metavar: str,
    *names: str,
    low: float | None = None,
    high: float | None = None,
    **options: Any,
) -> Any:
    """An option whose value is a number within a range.

    Args:
        kind: ``int`` or ``float``.
        metavar: What stands for the value in the help text.
        names: Names of the option, if they are not its parameter's.
        low: Least value, or None.
        high: Greatest value, or None.
        options: Options of ``typer.Option``.
    """
    parser = _number_parser(kind, low, high)
    return typer.Option(*names, parser=parser, metavar=metavar, **options)


def _flattened(literal: Any) -> list[str]:
    """The members of a ``Literal``, and of those nested in it."""
    members: list[str] = []
    for member in get_args(literal):
        members += [member] if isinstance(member, str) else _flattened(member)
    return members


def _choice_parser(choices: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        wanted = str(text).strip().lower()
        for candidate in (wanted, SYNONYMS.get(wanted), *_reverse_synonyms(wanted)):
            if candidate in choices:
                return candidate
        raise typer.BadParameter(f"{text} is not one of {', '.join(choices)}")

    return parse


def _reverse_synonyms(wanted: str) -> list[str]:
    """Other words for the same choice: an option may itself call JPEG ``jpeg``."""
    return [word for word, standard in SYNONYMS.items() if standard == wanted]


def _number_parser(
    kind: Callable[[Any], Any], low: float | None, high: float | None
) -> Callable[[Any], Any]:
    def parse(text: Any) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise typer.BadParameter(f"{text} is not {_range(kind, low, high)}") from None
        # Written so that NaN, which compares with nothing, is refused as well.
        if (low is None or value >= low) and (high is None or value <= high):
            return value
        raise typer.BadParameter(f"{text} is not {_range(kind, low, high)}")

    return parse


def _range(kind: Callable[[Any], Any], low: float | None, high: float | None) -> str:
    article = "a whole number" if kind is int else "a number"
    if low is not None and high is not None:
        return f"{article} from {low:g} to {high:g}"
    return article if low is None else f"{article} of at least {low:g}"


DEVICE_HELP = "auto, cpu, cuda or cuda:N. cuda without a GPU is an error."

CACHE_HELP = "Folder for rendered photos."
CACHE_DEFAULT = "your cache folder"

"""Options of the commands: choices in any case and with synonyms, numbers, and their help texts."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from enhance_cli.config.data import Expert
from enhance_cli.config.settings import did_you_mean

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
"""Other words for a choice, and the word for it in this program."""

SPLITS = ("random250", "highvar50", "validation50", "unseen28")
"""The named splits of :mod:`enhance_cli.data.splits`, which takes too long to import for help."""

NO_SPLIT, ALL_SPLIT = "none", "all"
"""Splits that hold out nothing in training, and score everything in ``eval``."""


def choice(literal: Any, *names: str, **options: Any) -> Any:
    """An option whose value is one of the members of a ``Literal`` type.

    Upper case and the usual synonyms are accepted, and shells complete the value.

    Args:
        literal: The type.
        names: Names of the option, if they differ from its parameter's.
        options: Arguments of ``typer.Option``: ``help``, ``rich_help_panel`` and the like.
    """
    choices = tuple(_members(literal))

    def complete(incomplete: str) -> list[str]:
        return [word for word in choices if word.startswith(incomplete)]

    return typer.Option(
        *names,
        parser=_choice_parser(choices),
        metavar="|".join(choices),
        autocompletion=complete,
        **options,
    )


def number(
    kind: type[int] | type[float],
    metavar: str,
    *names: str,
    low: float | None = None,
    high: float | None = None,
    **options: Any,
) -> Any:
    """An option whose value is a number, which may have a range.

    Args:
        kind: ``int`` or ``float``.
        metavar: Placeholder for the value in the help text.
        names: Names of the option, if they differ from its parameter's.
        low: Least value, or None.
        high: Greatest value, or None.
        options: Arguments of ``typer.Option``.
    """
    parser = _number_parser(kind, low, high)
    return typer.Option(*names, parser=parser, metavar=metavar, **options)


def split_option(**options: Any) -> Any:
    """An option that takes named splits, in any case, and files of ids, separated by commas."""
    return typer.Option(parser=_parse_split, metavar="NAME|FILE", **options)


def device_option(**options: Any) -> Any:
    """An option that takes a device, in any case."""
    return typer.Option(
        parser=_parse_device,
        metavar="DEVICE",
        help="auto, cpu, cuda, cuda:N or mps (untested). cuda without a GPU is an error.",
        **options,
    )


def with_options_of(
    command: Callable[..., Any], only: Iterable[str]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command options of another one, in front of its own; its own count more.

    Args:
        command: The other command.
        only: Names of those of its parameters that are taken.

    Returns:
        A decorator for a function that takes them as ``**options``.
    """
    taken = frozenset(only)

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        own = dict(tuple(signature.parameters.items())[:-1])
        positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        first = {name: own.pop(name) for name in list(own) if own[name].kind is positional}
        shared = inspect.signature(command, eval_str=True).parameters
        left = {name: one for name, one in shared.items() if name in taken - first.keys()}
        parameters = [*first.values(), *(left | own).values()]
        vars(function)["__signature__"] = signature.replace(parameters=parameters)
        return function

    return decorate


def is_given(context: typer.Context, parameter: str) -> bool:
    """Whether the command line itself gives a parameter, by its name in Python."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def _members(literal: Any) -> Iterator[str]:
    """The members of a ``Literal``, and of those nested in it."""
    for member in get_args(literal):
        yield from [member] if isinstance(member, str) else _members(member)


def _choice_parser(choices: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        for word in _same_meaning(text.strip().lower()):
            if word in choices:
                return word
        guess = did_you_mean(text.strip(), choices)
        more = f"; {guess}" if guess else ""
        raise typer.BadParameter(f"{text} is not one of {', '.join(choices)}{more}")

    return parse


def _same_meaning(word: str) -> Iterable[str]:
    """The word and its synonyms, in both directions: ``--pairs`` calls JPEG ``jpeg``."""
    yield word
    yield SYNONYMS.get(word, word)
    yield from (synonym for synonym, standard in SYNONYMS.items() if standard == word)


def _number_parser(
    kind: type[int] | type[float], low: float | None, high: float | None
) -> Callable[[Any], float]:
    def parse(text: Any) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not fits(value):
            meant = _meant_number(str(text), kind)
            guess = f"; did you mean {_plain(meant)}?" if meant is not None and fits(meant) else ""
            raise typer.BadParameter(f"{text} is not {_range(kind, low, high)}{guess}")
        return value

    def fits(value: float) -> bool:
        in_range = (low is None or low <= value) and (high is None or value <= high)
        return in_range and (isinstance(value, int) or math.isfinite(value))

    return parse


_UNITS = r"\s*(px|pixels?|s|sec|seconds?|ev|stops?|%)$"
_THOUSANDS = r",(?=\d{3}\b)"


def _meant_number(text: str, kind: type[int] | type[float]) -> float | None:
    """The number in a text with a unit, a decimal comma or thousands; None if there is none."""
    plain = re.sub(_UNITS, "", text.strip(), flags=re.IGNORECASE)
    plain = re.sub(_THOUSANDS, "", plain) if kind is int else plain.replace(",", ".")
    try:
        return kind(plain)
    except ValueError:
        return None


def _plain(value: float) -> str:
    return str(value).removesuffix(".0")


def _range(kind: type[int] | type[float], low: float | None, high: float | None) -> str:
    number = "a whole number" if kind is int else "a number"
    if low is None:
        return number
    return f"{number} of at least {low:g}" if high is None else f"{number} from {low:g} to {high:g}"


def _parse_split(text: str) -> str:
    if text.lower() in {NO_SPLIT, ALL_SPLIT}:
        return text.lower()
    return ",".join(name.lower() if name.lower() in SPLITS else name for name in text.split(","))


def _parse_device(text: str) -> str:
    return text.strip().lower()


PHOTOS = "Photos"
"""Help panel of the options that choose photos for training and scoring."""

ExpertOption = Annotated[
    Expert,
    choice(Expert, help="FiveK expert whose versions are the target.", rich_help_panel=PHOTOS),
]
"""``--expert`` of ``train`` and ``eval``."""

CacheOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder for rendered photos.",
        show_default="your cache folder",
        rich_help_panel=PHOTOS,
    ),
]
"""``--cache-dir`` of ``train`` and ``eval``."""

SkipBadPairsOption = Annotated[
    bool,
    typer.Option(
        "--skip-bad-pairs", help="Skip incomplete or mismatched pairs.", rich_help_panel=PHOTOS
    ),
]
"""``--skip-bad-pairs`` of ``train`` and ``eval``."""

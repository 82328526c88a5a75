"""Which options of ``apply`` and ``watch`` have no effect beside others, or on the results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import typer

from enhance_cli.cli.apply.destination import STREAM
from enhance_cli.cli.option_effects import Idle, Values, name_of
from enhance_cli.cli.options import is_given
from enhance_cli.imaging.codecs.formats import AVIF, HEIF, JPEG, JPEG_XL, PNG, SUFFIXES, TIFF, WEBP

_CONCERNS = {
    "quality": JPEG | WEBP | AVIF | HEIF | JPEG_XL,
    "subsampling": JPEG | AVIF | HEIF,
    "bit_depth": PNG | TIFF | HEIF | JPEG_XL,
}
"""Suffixes of the files that an option for the encoding concerns."""

_ADVICE = {"bit_depth": "choose --format tiff, png or jxl"}
"""What to do to get what such an option asks for, if there is something."""


def _is_idle_in_format(option: str, values: Values) -> bool:
    return values["result_format"] != "keep" and _is_idle(
        option, values, SUFFIXES[values["result_format"]]
    )


def _is_idle(option: str, values: Values, suffixes: Iterable[str]) -> bool:
    is_as_wanted = option == "bit_depth" and values[option] == "8"
    return not is_as_wanted and _CONCERNS[option].isdisjoint(suffixes)


def _without_tables(values: Values) -> bool:
    return values["lut"] is None


def _without_bursts(values: Values) -> bool:
    return values["series"].strip().lower() != "auto"


def _without_pictures(values: Values) -> bool:
    return bool(values.get("no_pictures"))


def _to_stdout(values: Values) -> bool:
    return values["out"] == STREAM


RULES = (
    Idle("lut_format", _without_tables, "without --lut DIR"),
    Idle("lut_size", _without_tables, "without --lut DIR"),
    Idle("series_gap", _without_bursts, "without --series auto"),
    *(
        Idle(option, _without_pictures, "with --no-pictures, which writes LUTs alone")
        for option in (*_CONCERNS, "srgb")
    ),
    *(
        Idle(
            option,
            partial(_is_idle_in_format, option),
            "on {result_format} files",
            _ADVICE.get(option, "leave it out"),
        )
        for option in _CONCERNS
    ),
    *(
        Idle(option, _to_stdout, "with --out -, which writes no file")
        for option in ("on_conflict", "new_times")
    ),
)
"""All that the command line alone tells; ``result_format`` is that of the name of ``--out``."""


def idle_on_results(
    context: typer.Context, values: Values, results: Iterable[Path]
) -> Iterator[str]:
    """Warnings of options for the encoding that none of the results is concerned by.

    Args:
        context: The command.
        values: The values of its parameters.
        results: Paths of all results.
    """
    suffixes = {path.suffix.lower() for path in results}
    for option in _CONCERNS:
        if is_given(context, option) and _is_idle(option, values, suffixes):
            kinds = ", ".join(sorted(suffixes))
            more = f"; {_ADVICE[option]}" if option in _ADVICE else ""
            yield f"{name_of(context, option)} has no effect: all results are {kinds} files{more}"

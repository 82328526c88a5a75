"""The settings of a run from the options of a command."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from enhance_cli.cli.apply.destination import Destination
from enhance_cli.cli.apply.effects import RULES
from enhance_cli.cli.option_effects import refuse_idle_options
from enhance_cli.config.apply import (
    CUBE_SIZE,
    HALD_SIZE,
    ApplyConfig,
    Encoding,
    KeepMetadata,
    LutFormat,
)
from enhance_cli.config.dials import Dials
from enhance_cli.config.model import LONG_EDGE
from enhance_cli.config.settings import names_of
from enhance_cli.errors import UsageError

BitDepth = Literal["8", "16"]

_AS_THEY_ARE = (
    *("coarse_only", "weights", "device", "on_conflict", "strength", "srgb", "pairs"),
    *("max_pixels", "lut", "compare", "gallery", "series_gap", "sync_from", "jobs"),
)
"""Options that have the name and the value of a setting."""


def run_config(values: Mapping[str, Any], place: Destination) -> ApplyConfig:
    """The settings of a run.

    Args:
        values: The values of all parameters of the command; those it lacks have their default.
        place: Where results go.

    Raises:
        UsageError: Options exclude each other, or have no effect.
    """
    refuse_both("--full-size", values["full_size"], "--long-edge", values["long_edge"])
    no_pictures = values.get("no_pictures", False)
    if no_pictures and (values["compare"] or values["gallery"]):
        raise UsageError("--no-pictures: leave out --compare and --gallery, which show results")
    values = {**values, "result_format": place.format}
    refuse_idle_options(values["context"], values, RULES)
    table = _lut_format(values["lut_format"], values["lut_size"])
    bits = values["bit_depth"]
    return ApplyConfig(
        inputs=tuple(values["inputs"]),
        out=place.out,
        name=place.name,
        suffix=values["suffix"] or "",
        long_edge=None if values["full_size"] else values["long_edge"] or LONG_EDGE,
        format=place.format,
        encoding=Encoding(values["quality"], values["subsampling"], int(bits) if bits else None),
        keep_metadata=_kept_metadata(values),
        keep_times=not values["new_times"],
        exclude=tuple(values["exclude"] or ()),
        lut_format=table,
        lut_size=values["lut_size"] or (HALD_SIZE if table == "hald" else CUBE_SIZE),
        pictures=not no_pictures,
        dials=Dials(**{name: values[name] for name in names_of(Dials)}),
        look_files=not values["no_toml"],
        given=values["context"].obj,
        series=_series(values.get("series", "off")),
        **{name: values[name] for name in _AS_THEY_ARE if name in values},
    )


def refuse_both(one: str, first: object, other: str, second: object) -> None:
    """Raise a UsageError if both of two options are given."""
    if first and second:
        raise UsageError(f"{one} and {other}: give one of the two")


def _kept_metadata(values: Mapping[str, Any]) -> KeepMetadata:
    if values["strip_metadata"]:
        return "none"
    return "no-gps" if values["strip_gps"] else "all"


def _series(value: str) -> str | Path:
    """A word in any case, or else a file."""
    word = value.strip().lower()
    return word if word in {"auto", "off"} else Path(value)


def _lut_format(chosen: LutFormat | None, size: int | None) -> LutFormat:
    """The format of look-up tables.

    Raises:
        UsageError: Their size does not fit the format.
    """
    if chosen == "hald" and size and math.isqrt(size) ** 2 != size:
        raise UsageError(
            f"--lut-size {size}: a HaldCLUT has 4, 9, 16, 25, 36, 49, 64, 81, 100, 121 or 144 "
            "grid points along each axis"
        )
    return chosen or ApplyConfig.lut_format

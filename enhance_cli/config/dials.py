"""The photographer's dials: fixed corrections on top of what the networks do to each photo."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any

from enhance_cli.config.settings import setting
from enhance_cli.errors import UsageError

MAX_STOPS = 5.0
MAX_DIAL = 100.0


@dataclass(frozen=True)
class Dials:
    """Corrections that are the same for every photo. At 0, a dial changes nothing.

    Attributes:
        exposure: Stops, from -5 to 5: 1 doubles the light, -1 halves it.
        warmth: Mireds, from -100 to 100, as of a filter on the lens: a Wratten 81A is about 18, and
            an 80A about -131. Positive values are warmer.
        tint: From -100 to 100, in the units of Camera Raw: 1 is a Duv of 1/3000. Positive values
            are more magenta, negative ones greener.
        contrast: Per cent, from -100 to 100, around mid-grey. Black and white stay where they are.
        saturation: Per cent, from -100 (black and white) to 100 (twice as far from grey).

    Raises:
        UsageError: A value is no number, or is out of range.
    """

    exposure: float = setting(0.0, low=-MAX_STOPS, high=MAX_STOPS)
    warmth: float = setting(0.0, low=-MAX_DIAL, high=MAX_DIAL)
    tint: float = setting(0.0, low=-MAX_DIAL, high=MAX_DIAL)
    contrast: float = setting(0.0, low=-MAX_DIAL, high=MAX_DIAL)
    saturation: float = setting(0.0, low=-MAX_DIAL, high=MAX_DIAL)

    def __post_init__(self) -> None:
        for field in fields(self):
            value, high = getattr(self, field.name), field.metadata["high"]
            if not _is_number(value) or not -high <= float(value) <= high:
                raise UsageError(
                    f"{field.name} = {value!r}: must be a number from {-high:g} to {high:g}"
                )

    @property
    def are_neutral(self) -> bool:
        """Whether nothing is changed."""
        return all(getattr(self, field.name) == 0 for field in fields(self))

    def __str__(self) -> str:
        turned = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ", ".join(f"{name} {value:+g}" for name, value in turned if value) or "neutral"


def check_dials(dials: Any) -> None:
    """Raise a UsageError for dials that are none."""
    if not isinstance(dials, Dials):
        raise UsageError(f"dials = {dials!r}: must be Dials, such as Dials(exposure=0.5)")


def _is_number(value: Any) -> bool:
    return type(value) is not bool and isinstance(value, Real) and math.isfinite(float(value))


NEUTRAL = Dials()

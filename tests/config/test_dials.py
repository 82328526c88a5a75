"""Ranges and names of the dials."""

import numpy as np
import pytest

from enhance_cli.config.dials import NEUTRAL, Dials
from enhance_cli.errors import UsageError

NAMES = ("exposure", "warmth", "tint", "contrast", "saturation")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [101, -101, float("nan"), float("inf"), "1", None, True])
def test_a_value_out_of_range_is_refused(name, value):
    with pytest.raises(UsageError, match=f"{name} = .*: must be a number from -"):
        Dials(**{name: value})


def test_the_ends_of_the_ranges_and_other_numbers_are_allowed():
    for sign in (-1, 1):
        Dials(sign * 5, sign * 100, sign * 100, sign * 100, sign * 100)
    assert Dials(np.float32(1.5)).exposure == 1.5


def test_only_zeros_are_neutral():
    assert NEUTRAL.are_neutral and Dials(0, -0.0).are_neutral
    assert not any(Dials(**{name: 0.1}).are_neutral for name in NAMES)


def test_its_text_names_what_is_turned():
    assert str(Dials(exposure=-1, contrast=10)) == "exposure -1, contrast +10"
    assert str(NEUTRAL) == "neutral"

from pathlib import Path

import numpy as np
import pytest

from enhance_cli.config.apply import ApplyConfig, Encoding
from enhance_cli.errors import UsageError


@pytest.mark.parametrize(
    "values",
    [
        *({"strength": value} for value in (9, -0.1, float("nan"), float("inf"), "1", None, True)),
        *({"long_edge": value} for value in (0, -5, 1.5, "500", True, float("inf"))),
        *({"max_pixels": value} for value in (0, -1, 1.5, None)),
    ],
)
def test_a_number_that_is_out_of_range_is_refused(values):
    (name,) = values
    with pytest.raises(UsageError, match=f"^{name} = .*: must be "):
        ApplyConfig((), Path("out"), **values)


@pytest.mark.parametrize(
    "values",
    [{"quality": 0}, {"quality": 101}, {"quality": 9.5}, {"bits": 12}, {"subsampling": "4:1:1"}],
)
def test_so_is_an_encoding_that_no_file_has(values):
    with pytest.raises(UsageError, match="must be "):
        Encoding(**values)


def test_what_is_in_range_is_not():
    config = ApplyConfig((), Path("out"), strength=np.float32(1.5), long_edge=np.int64(1))
    assert config.strength == 1.5 and ApplyConfig((), Path("out"), long_edge=None).strength == 1
    assert Encoding(1, "4:2:0", 16).quality == 1

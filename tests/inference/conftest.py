"""What the tests of inference share."""

import pytest

from enhance_cli.inference.enhancer import Enhancer


@pytest.fixture
def brightening(brightening_weights) -> Enhancer:
    return Enhancer.load(brightening_weights, "cpu")

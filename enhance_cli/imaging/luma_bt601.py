"""Luma as ITU-R BT.601 defines it, for photos without color."""

from __future__ import annotations

import numpy as np

from enhance_cli.imaging.jit import jit

RED, GREEN, BLUE = np.float32(0.299), np.float32(0.587), np.float32(0.114)
"""Weights of the channels."""


@jit()
def equalize_to_luma(change):  # noqa: ANN001, ANN201
    """Give all channels of each pixel the change of its luma; ``change`` is R, G, B, R, ..."""
    for x in range(0, len(change), 3):
        common = RED * change[x] + GREEN * change[x + 1] + BLUE * change[x + 2]
        change[x] = change[x + 1] = change[x + 2] = common

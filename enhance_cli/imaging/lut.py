"""Colour maps as ``.cube`` files, which editors read (Adobe Cube LUT specification 1.0)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from enhance_cli.files import written_whole
from enhance_cli.imaging.colour import Floats

SIDE = 33
"""Steps along each axis: what editors make themselves, though a linear map would need but two."""


def write_cube(mapping: Callable[[Floats], Floats], path: Path, title: str) -> None:
    """Write what a map makes of colours from all over sRGB.

    Args:
        mapping: From ``(..., 3)`` in [0, 1] to the same shape. Where it leaves [0, 1], so does the
            file, as its format allows: what lies between the points stays right.
        path: Where to; folders are made.
        title: One line.

    Raises:
        OSError: It cannot be written.
    """
    steps = np.linspace(0, 1, SIDE, dtype=np.float32)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # red changes fastest
    mapped = mapping(np.stack([red, green, blue], axis=-1)).reshape(-1, 3)
    quoted = title.replace('"', "'").encode("ascii", "replace").decode()
    header = f'TITLE "{quoted}"\nLUT_3D_SIZE {SIDE}\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1'
    with written_whole(path) as unfinished:
        np.savetxt(unfinished, mapped, fmt="%.6f", header=header, comments="")

"""Color maps as ``.cube`` files, which photo editors read (Adobe Cube LUT specification 1.0)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from enhance_cli.atomic_write import atomic_write
from enhance_cli.imaging.color_space import Floats

SIDE = 33
"""Grid points along each axis, as editors write; a linear map would need only two."""


def write_cube(mapping: Callable[[Floats], Floats], path: Path, title: str) -> None:
    """Write a color map, sampled over all of sRGB.

    Args:
        mapping: Maps colors, ``(..., 3)`` in [0, 1], to the same shape. Values outside [0, 1] are
            kept, as the format allows, so that interpolation between grid points stays correct.
        path: The file; missing folders are created.
        title: Title, one line.

    Raises:
        OSError: The file cannot be written.
    """
    steps = np.linspace(0, 1, SIDE, dtype=np.float32)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # red varies fastest
    mapped = mapping(np.stack([red, green, blue], axis=-1)).reshape(-1, 3)
    quoted = title.replace('"', "'").encode("ascii", "replace").decode()
    header = f'TITLE "{quoted}"\nLUT_3D_SIZE {SIDE}\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1'
    with atomic_write(path) as temporary:
        np.savetxt(temporary, mapped, fmt="%.6f", header=header, comments="")

"""Functions of color as look-up tables that photo editors read: ``.cube`` files and HaldCLUTs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np

from enhance_cli.atomic_write import ANYTHING, Publisher, atomic_write
from enhance_cli.config.apply import LutFormat
from enhance_cli.imaging.color_space import Floats

ColorMap = Callable[[Floats], Floats]
"""Maps sRGB colors, ``(..., 3)`` in [0, 1], to the same shape; results may lie outside [0, 1]."""


def write_lut(
    function: ColorMap,
    path: Path,
    title: str,
    kind: LutFormat,
    size: int,
    publisher: Publisher = ANYTHING,
) -> None:
    """Sample a function of color over all of sRGB, and write the table.

    Args:
        function: The function.
        path: The file; missing folders are created.
        title: Title, one line; a HaldCLUT has none.
        kind: ``"cube"`` (Adobe Cube LUT specification 1.0) or ``"hald"``, a 16-bit PNG.
        size: Grid points along each axis; for a HaldCLUT, the square of a whole number.
        publisher: Decides whether a file that is there may be replaced.

    Raises:
        OSError: The file cannot be written.
    """
    steps = np.linspace(0, 1, size, dtype=np.float32)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")  # red varies fastest
    colors = function(np.stack([red, green, blue], axis=-1).reshape(-1, 1, 3)).reshape(-1, 3)
    content = _hald(colors) if kind == "hald" else _cube(colors, title, size)
    with atomic_write(path, publisher) as temporary:
        temporary.write_bytes(content)


def _cube(colors: Floats, title: str, size: int) -> bytes:
    """Write a ``.cube`` file.

    Values outside [0, 1] are kept, as the format allows, so that what an editor interpolates
    between grid points stays correct.
    """
    line = "".join(sign if sign.isprintable() else " " for sign in title)
    quoted = line.replace('"', "'").encode("ascii", "replace").decode()
    header = f'TITLE "{quoted}"\nLUT_3D_SIZE {size}\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1\n'
    rows = "%.6f %.6f %.6f\n" * len(colors) % tuple(colors.ravel().tolist())
    return (header + rows).encode("ascii")


def _hald(colors: Floats) -> bytes:
    """Write a HaldCLUT: a square PNG of 16 bits with a pixel for each grid point, row by row."""
    side = math.isqrt(len(colors))
    levels = (colors.clip(0, 1) * 65535).round().astype(np.uint16)
    return bytes(imagecodecs.png_encode(levels.reshape(side, side, 3)))

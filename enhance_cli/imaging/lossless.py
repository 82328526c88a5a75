"""8-bit sRGB pixels kept in PNG files as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.imaging.encoding import encode


def write_png(pixels: NDArray[np.uint8], path: Path) -> None:
    """Write ``(H, W, 3)`` pixels, whole or not at all.

    Raises:
        OutputError: The disk is full or cannot be written at all.
        PhotoError: This one file cannot be written.
    """
    encode(Image.fromarray(pixels), path)


def read_png(path: Path) -> NDArray[np.uint8] | None:
    """Read what :func:`write_png` wrote; None where the file is not there or damaged."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError):
        return None

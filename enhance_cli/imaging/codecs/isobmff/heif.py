"""Reading HEIC and other HEIF files with more than 8 bits per channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray


def read_heif(path: Path) -> NDArray[Any]:
    """Read the first image with all its bits.

    Returns:
        ``(H, W, C)``, uint16 over the full range, upright: HEIF's own rotation is applied.
    """
    return np.asarray(pillow_heif.open_heif(path, convert_hdr_to_8bit=False))

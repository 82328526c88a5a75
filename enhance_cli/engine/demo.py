"""A first run for someone who has no photo at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage import data

from enhance_cli.config import Encoding
from enhance_cli.engine.application import PhotoOutcome
from enhance_cli.imaging.encoding import encode, write_photo
from enhance_cli.imaging.photo import Photo, quantized
from enhance_cli.imaging.sheet import before_after_sheet
from enhance_cli.models.luma import LUMA

SHEET = "before-after.jpg"


def write_demo_photos(folder: Path) -> list[Path]:
    """Write scikit-image's bundled photos, each as it is and as a flat RAW render of it.

    A file that is there already is kept.

    Returns:
        The files.

    Raises:
        EnhanceError: The folder cannot be written.
    """
    written = []
    for name in ("coffee", "chelsea", "rocket", "astronaut"):
        photo = getattr(data, name)().astype(np.float32) / 255
        for path, pixels in (
            (folder / f"{name}.jpg", photo),
            (folder / f"{name}-flat.jpg", flattened(photo)),
        ):
            if not path.exists():
                write_photo(Photo(quantized(pixels, np.dtype(np.uint8))), path)
            written.append(path)
    return written


def flattened(photo: NDArray[np.float32]) -> NDArray[np.float32]:
    """Undo what a camera or a retoucher does to a RAW: darker, less contrast, paler.

    Args:
        photo: ``(H, W, 3)``, sRGB in [0, 1].
    """
    grey = photo @ np.array(LUMA, np.float32)
    pale = grey[..., None] + 0.6 * (photo - grey[..., None])
    return (0.04 + 0.6 * pale).astype(np.float32)


def write_sheet(outcomes: list[PhotoOutcome], path: Path) -> None:
    """Write inputs and results side by side.

    Raises:
        EnhanceError: The file cannot be written.
    """
    pairs = [(one.input, one.output) for one in outcomes if one.output is not None]
    encode(before_after_sheet(pairs), path, Encoding(quality=90))

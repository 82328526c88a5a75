"""Example photos for a first run: scikit-image's, each as it is and as a flat RAW render."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from skimage import data

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.contact_sheet import before_after_sheet
from enhance_cli.imaging.photo import Photo, to_uint8
from enhance_cli.models.luma_bt709 import LUMA_BT709

if TYPE_CHECKING:
    from enhance_cli.batch.process_photo import PhotoOutcome

SHEET = "before-after.jpg"


def write_demo_photos(folder: Path) -> list[Path]:
    """Write scikit-image's bundled photos, each as it is and as a flat RAW render.

    Existing files are kept.

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
                write_photo(Photo(to_uint8(pixels)), path)
            written.append(path)
    return written


def flattened(photo: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make a photo look like an unprocessed RAW: darker, with less contrast and saturation.

    Args:
        photo: ``(H, W, 3)``, sRGB in [0, 1].
    """
    grey = photo @ np.array(LUMA_BT709, np.float32)
    pale = grey[..., None] + 0.6 * (photo - grey[..., None])
    return (0.04 + 0.6 * pale).astype(np.float32)


def write_sheet(outcomes: list[PhotoOutcome], path: Path) -> None:
    """Write inputs and results side by side.

    Raises:
        EnhanceError: The file cannot be written.
    """
    pairs = [(photo.input, photo.output) for photo in outcomes if photo.output is not None]
    write_photo(Photo(before_after_sheet(pairs)), path, Encoding(quality=90))

"""Example photos for a first run: scikit-image's, each as it is and as a flat RAW render."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from skimage import data

from enhance_cli.atomic_write import KeepOthers
from enhance_cli.batch.conflicts import IN_THE_WAY
from enhance_cli.batch.manifest import Manifest
from enhance_cli.batch.ownership import Ownership
from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.contact_sheet import before_after_sheet
from enhance_cli.imaging.photo import Photo, to_uint8
from enhance_cli.models.luma_bt709 import LUMA_BT709
from enhance_cli.run_records import Origin

if TYPE_CHECKING:
    from enhance_cli.batch.outcome import PhotoOutcome

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
            if not os.path.lexists(path):
                write_photo(Photo(to_uint8(pixels)), path, publisher=KeepOthers(None))
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


def write_sheet(outcomes: list[PhotoOutcome], path: Path, results: Path) -> bool:
    """Write inputs and results side by side.

    Args:
        outcomes: The photos; those are left out whose result is somebody else's file.
        path: The file.
        results: Folder of the results, whose records tell an earlier sheet from other files.

    Returns:
        Whether there was anything to show, and the file was written.

    Raises:
        PlaceTakenError: A file is there that enhance did not write.
        EnhanceError: The file cannot be written.
    """
    pairs = [
        (photo.input, photo.output)
        for photo in outcomes
        if photo.output is not None and photo.reason not in IN_THE_WAY
    ]
    if not pairs:
        return False
    sheet, manifest = Photo(before_after_sheet(pairs)), Manifest(results)
    with manifest.locked():
        claim = Ownership(manifest).claim(Origin("", "", None, None, ""))
        write_photo(sheet, path, Encoding(quality=90), publisher=claim)
    return True

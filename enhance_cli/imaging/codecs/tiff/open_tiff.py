"""Opening TIFF files with tifffile."""

from __future__ import annotations

import logging
from pathlib import Path

import tifffile

_SILENT = logging.NullHandler()


def open_tiff(path: Path) -> tifffile.TiffFile:
    """Open a TIFF or BigTIFF.

    What tifffile logs of damaged or unusual tags goes to the handlers that a program has set up,
    if any, and no longer to standard error: this package names itself what it cannot keep.
    """
    logging.getLogger("tifffile").addHandler(_SILENT)  # a second time, it does nothing
    return tifffile.TiffFile(path)

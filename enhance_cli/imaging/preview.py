"""Photos made small, to be looked at."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from enhance_cli.config import Encoding
from enhance_cli.imaging.encoding import encode
from enhance_cli.imaging.photo import Photo, quantized
from enhance_cli.imaging.sheet import labelled_sheet

COMPARED, THUMBNAIL = 1000, 400
"""Longer edges, in pixels, of the pictures in a comparison and in a gallery."""


def write_comparison(before: Photo, after: Photo, path: Path) -> None:
    """Write a photo before and after side by side.

    Raises:
        EnhanceError: It cannot be written.
    """
    both = {"before": before, "after": after}
    sheet = labelled_sheet([(name, one.fitted(COMPARED).as_srgb()) for name, one in both.items()])
    encode(Image.fromarray(sheet), path, Encoding(quality=92))


def thumbnail(photo: Photo) -> bytes:
    """The photo as a small WebP picture in sRGB."""
    content = BytesIO()
    pixels = quantized(photo.fitted(THUMBNAIL).as_srgb(), np.dtype(np.uint8))
    Image.fromarray(pixels).save(content, "WEBP", quality=78)
    return content.getvalue()

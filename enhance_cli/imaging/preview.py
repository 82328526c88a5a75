"""Small versions of photos for people to look at: comparisons and thumbnails."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from enhance_cli.atomic_write import ANYTHING, Publisher
from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.color_space import Floats
from enhance_cli.imaging.contact_sheet import contact_sheet
from enhance_cli.imaging.photo import Photo, to_uint8

COMPARISON_EDGE, THUMBNAIL_EDGE = 1000, 400
"""Longer edge, in pixels, of the photos in a comparison, and of the smallest in a gallery."""


def write_comparison(
    before: Photo, after: Photo, path: Path, publisher: Publisher = ANYTHING
) -> None:
    """Write a JPEG that shows a photo before and after retouching, side by side.

    Args:
        before: The photo.
        after: The photo after retouching.
        path: The file; missing folders are created.
        publisher: Decides whether a file that is there may be replaced.

    Raises:
        EnhanceError: The file cannot be written, or may not.
    """
    photos = {"before": before, "after": after}
    cells = [(label, _small(photo, COMPARISON_EDGE)) for label, photo in photos.items()]
    sheet = Photo(contact_sheet(cells))
    write_photo(sheet, path, Encoding(quality=92), publisher=publisher)


def thumbnail(photo: Photo, edge: int = THUMBNAIL_EDGE) -> bytes:
    """Encode a small version of a photo as a WebP file in sRGB.

    Args:
        photo: The photo; it is not enlarged.
        edge: Longer edge in pixels.
    """
    content = BytesIO()
    pixels = to_uint8(_small(photo, edge))
    Image.fromarray(pixels).save(content, "WEBP", quality=78)
    return content.getvalue()


def _small(photo: Photo, edge: int) -> Floats:
    """A small version in sRGB, whose transparent parts are blended with white."""
    small = photo.fit_within(edge)
    if small.alpha is None:
        return small.as_srgb()
    opacity = small.alpha[..., None] / small.max_value
    return (opacity * small.as_srgb() + (1 - opacity)).astype(np.float32)

"""Small versions of photos to look at: thumbnails, and before-and-after pictures."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.contact_sheet import contact_sheet
from enhance_cli.imaging.photo import Photo, to_uint8

COMPARISON_EDGE, THUMBNAIL_EDGE = 1000, 400
"""Longer edges, in pixels, of the photos in a comparison and in a gallery."""


def write_comparison(before: Photo, after: Photo, path: Path) -> None:
    """Write a photo before and after retouching side by side, as a JPEG.

    Raises:
        EnhanceError: It cannot be written.
    """
    both = {"before": before, "after": after}
    cells = [(name, one.fit_within(COMPARISON_EDGE).as_srgb()) for name, one in both.items()]
    write_photo(Photo(contact_sheet(cells)), path, Encoding(quality=92))


def thumbnail(photo: Photo) -> bytes:
    """The photo as a small WebP file in sRGB."""
    content = BytesIO()
    pixels = to_uint8(photo.fit_within(THUMBNAIL_EDGE).as_srgb())
    Image.fromarray(pixels).save(content, "WEBP", quality=78)
    return content.getvalue()

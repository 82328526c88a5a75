"""Writing WebP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.pillow_image import image_from_photo, save_image
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.photo import Photo

_EFFORT = 75
"""Of lossless compression, from 0 to 100; more takes twice the time for a percent of the size."""


def write_webp(photo: Photo, path: Path, encoding: Encoding, metadata: Metadata) -> None:
    """Write a WebP file of 8 bits per channel, lossless if the photo comes from such a WebP."""
    options: dict[str, Any] = {"icc_profile": photo.icc_profile, "quality": encoding.quality}
    if photo.lossless:
        # Here, the quality is the effort; exact keeps the colors under transparent pixels.
        options |= {"lossless": True, "quality": _EFFORT, "exact": True}
    if metadata.exif_block:
        options["exif"] = metadata.exif_block
    if metadata.xmp:
        options["xmp"] = metadata.xmp
    save_image(image_from_photo(photo), path, "WEBP", **options)

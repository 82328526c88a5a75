"""Writing WebP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.pillow_image import image_from_photo
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.photo import Photo


def write_webp(photo: Photo, path: Path, encoding: Encoding, metadata: Metadata) -> None:
    """Write a lossy WebP file with 8 bits per channel."""
    options: dict[str, Any] = {"icc_profile": photo.icc_profile, "quality": encoding.quality}
    if metadata.exif_block:
        options["exif"] = metadata.exif_block
    if metadata.xmp:
        options["xmp"] = metadata.xmp
    image_from_photo(photo).save(path, "WEBP", **options)

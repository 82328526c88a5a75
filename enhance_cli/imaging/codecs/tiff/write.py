"""Writing TIFF."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.stored_image import stored_channels, wants_sixteen_bits
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.metadata.read import TIFF_IPTC, TIFF_XMP
from enhance_cli.imaging.photo import Photo

_TEXTS = (270, 271, 272, 305, 306, 315, 33432)
"""Tags of description, make, model, software, date, artist and copyright."""

_DIRECTORIES = (34665, 34853)
"""Tags of the EXIF and GPS directories."""

_MAKER_NOTE = 37500

_PLACEHOLDER = 1
"""tifffile does not write the tags of directories. Tags with numbers lower by this amount keep
their places, until :func:`_append` overwrites them."""


def write_tiff(photo: Photo, path: Path, encoding: Encoding, metadata: Metadata) -> None:
    """Write a TIFF with 8 or 16 bits per channel, compressed by Deflate with a predictor."""
    dtype = np.dtype(np.uint16 if wants_sixteen_bits(photo, encoding) else np.uint8)
    block = Image.Exif()
    block.load(metadata.exif_block or b"")
    # Pillow decodes all texts as Latin-1. Encoding them again restores their bytes.
    texts = {tag: str(block[tag]).encode("latin-1", "replace") for tag in _TEXTS if tag in block}
    tags: list[tuple[Any, ...]] = [(tag, "s", 0, text, True) for tag, text in texts.items()]
    for tag, content in ((TIFF_XMP, metadata.xmp), (TIFF_IPTC, metadata.iptc)):
        tags += [(tag, "B", len(content), content, True)] if content else []
    directories = {tag: _movable(block.get_ifd(tag)) for tag in _DIRECTORIES if block.get_ifd(tag)}
    tags += [(tag - _PLACEHOLDER, "I", 1, 0, True) for tag in directories]
    tifffile.imwrite(
        path,
        stored_channels(photo, dtype),
        resolution=metadata.dpi,
        resolutionunit="inch" if metadata.dpi else None,
        photometric="minisblack" if photo.grey else "rgb",
        compression="adobe_deflate",
        predictor=True,
        extrasamples=["unassalpha"] if photo.alpha is not None else None,
        iccprofile=photo.icc_profile,
        extratags=tags,
        metadata=None,
        software=False,
        byteorder="<",
    )
    _append(path, directories)


def _movable(entries: dict[int, Any]) -> dict[int, Any]:
    """The entries without MakerNotes, which contain offsets that are valid in one file only."""
    return {tag: value for tag, value in entries.items() if tag != _MAKER_NOTE}


def _append(path: Path, directories: dict[int, dict[int, Any]]) -> None:
    """Append the EXIF and GPS directories to a TIFF, and point their placeholders to them."""
    with tifffile.TiffFile(path) as tiff:
        entries_at = {tag: tiff.pages.first.tags[tag - _PLACEHOLDER].offset for tag in directories}
    with path.open("r+b") as file:
        for tag, entries in directories.items():
            directory = ImageFileDirectory_v2()
            for entry, value in entries.items():
                directory[entry] = value
            offset = file.seek(0, os.SEEK_END)
            file.write(bytes(offset % 2))  # directories begin on even bytes (TIFF 6.0)
            offset += offset % 2
            file.write(directory.tobytes(offset))
            file.seek(entries_at[tag])
            file.write(struct.pack("<HHII", tag, 4, 1, offset))  # one LONG

"""Which files are photos, told by their suffix."""

from __future__ import annotations

from pathlib import Path

JPEG = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
PNG = frozenset({".png"})
TIFF = frozenset({".tif", ".tiff"})
WEBP = frozenset({".webp"})
AVIF = frozenset({".avif"})
BITMAPS = JPEG | PNG | TIFF | WEBP | AVIF

RAW = frozenset({
    ".3fr", ".ari", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dcs", ".dng", ".drf",
    ".eip", ".erf", ".fff", ".gpr", ".iiq", ".k25", ".kc2", ".kdc", ".mdc", ".mef", ".mos", ".mrw",
    ".nef", ".nrw", ".orf", ".pef", ".ptx", ".pxn", ".qtk", ".raf", ".raw", ".rdc", ".rw2", ".rwl",
    ".rwz", ".sr2", ".srf", ".srw", ".sti", ".x3f",
})  # fmt: skip
"""Suffixes of the camera formats that LibRaw reads."""

PHOTOS = BITMAPS | RAW


def is_photo(path: Path) -> bool:
    """Whether the file's name says that it is a photo that can be read; hidden files are not."""
    return path.suffix.lower() in PHOTOS and not path.name.startswith(".") and path.is_file()


def is_raw(path: Path) -> bool:
    """Whether the file's name says that it is a camera RAW file."""
    return path.suffix.lower() in RAW

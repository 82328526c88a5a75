"""Which files are photos, told by their suffix, and where they lie."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

JPEG = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
PNG = frozenset({".png"})
TIFF = frozenset({".tif", ".tiff"})
WEBP = frozenset({".webp"})
AVIF = frozenset({".avif"})
HEIF = frozenset({".heic", ".heif", ".hif"})
WRITTEN = JPEG | PNG | TIFF | WEBP | AVIF
"""Suffixes of the formats that are written."""

BITMAPS = WRITTEN | HEIF

RAW = frozenset({
    ".3fr", ".ari", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dcs", ".dng", ".drf",
    ".eip", ".erf", ".fff", ".gpr", ".iiq", ".k25", ".kc2", ".kdc", ".mdc", ".mef", ".mos", ".mrw",
    ".nef", ".nrw", ".orf", ".pef", ".ptx", ".pxn", ".qtk", ".raf", ".raw", ".rdc", ".rw2", ".rwl",
    ".rwz", ".sr2", ".srf", ".srw", ".sti", ".x3f",
})  # fmt: skip
"""Suffixes of the RAW formats that LibRaw reads."""

PHOTOS = BITMAPS | RAW

SYSTEM_FOLDERS = frozenset({"@eaDir", "__MACOSX", "$RECYCLE.BIN", "System Volume Information"})
"""Folders that operating systems and network drives create among photos."""


def is_photo(path: Path) -> bool:
    """Whether the file's name says that it is a photo that can be read; hidden files are not."""
    return path.suffix.lower() in PHOTOS and not path.name.startswith(".") and path.is_file()


def is_raw(path: Path) -> bool:
    """Whether the file's name says that it is a camera RAW file."""
    return path.suffix.lower() in RAW


def photos_below(
    folder: Path, without: Collection[Path] = (), warnings: list[str] | None = None
) -> Iterator[Path]:
    """Walk a folder and all below it in the order of names; hidden folders are passed over.

    Args:
        folder: Where to begin.
        without: Folders that are not entered, resolved.
        warnings: Takes a line for each folder that cannot be read.
    """

    def unreadable(problem: OSError) -> None:
        if warnings is not None:
            warnings.append(f"{problem.filename}: folder cannot be read ({problem.strerror})")

    for root, folders, files in os.walk(folder, onerror=unreadable):
        here = Path(root)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in SYSTEM_FOLDERS
            and not (without and (here / name).resolve() in without)
        )
        for name in sorted(files):
            if is_photo(here / name):
                yield here / name

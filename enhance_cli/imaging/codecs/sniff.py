"""The format of a photo that has no name, from its content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from enhance_cli.imaging.codecs.formats import SIGNATURE_LENGTH, is_tiff
from enhance_cli.imaging.codecs.isobmff.avif import is_avif
from enhance_cli.imaging.codecs.jpeg2000.container import is_jpeg2000
from enhance_cli.imaging.codecs.jpegxl.container import is_jpegxl
from enhance_cli.imaging.codecs.png import PNG_SIGNATURE
from enhance_cli.imaging.codecs.tiff.open_tiff import open_tiff
from enhance_cli.imaging.codecs.tiff.pages import RAW_DATA, first_pages, sub_pages
from enhance_cli.imaging.codecs.webp.read import is_webp
from enhance_cli.imaging.containers.boxes import brands_of

UNKNOWN = ".jpg"
"""Suffix for what is no photo; whoever reads it says so."""

RAW_SUFFIX = ".raw"

_RAW_SIGNATURES = (
    b"FUJIFILMCCD-RAW",
    b"FOVb",
    b"\0MRM",
    b"II\x1a\0\0\0HEAPCCDR",
    b"IIRO",
    b"IIRS",
    b"MMOR",
    b"IIU\0",
)
"""First bytes of RAW files that are no TIFFs: RAF, X3F, MRW, CRW, ORF, RW2."""

_CANON = b"crx "
"""Brand of CR3 files."""

_RAW_IN_TIFF = {8: (b"CR", b"IIII", b"MMMM")}
"""Where a TIFF says that it is a CR2 or IIQ, and how."""

_FORMATS: dict[str, Callable[[bytes], bool]] = {
    ".png": lambda signature: signature.startswith(PNG_SIGNATURE),
    ".webp": is_webp,
    ".jxl": is_jpegxl,
    ".jp2": is_jpeg2000,
    ".avif": is_avif,
    ".heic": lambda signature: bool(brands_of(signature)),
}


def suffix_for(path: Path) -> str:
    """The suffix that the name of a photo would have: of its format, or ``.raw``.

    Args:
        path: The photo, whose own name does not count.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        signature = file.read(SIGNATURE_LENGTH)
    if is_tiff(signature):
        return RAW_SUFFIX if _is_raw_tiff(path, signature) else ".tif"
    if signature.startswith(_RAW_SIGNATURES) or signature[8:12] == _CANON:
        return RAW_SUFFIX
    return next((suffix for suffix, fits in _FORMATS.items() if fits(signature)), UNKNOWN)


def _is_raw_tiff(path: Path, signature: bytes) -> bool:
    if any(signature[at:].startswith(marks) for at, marks in _RAW_IN_TIFF.items()):
        return True
    # A damaged directory makes tifffile raise whatever its parsing runs into.
    try:
        with open_tiff(path) as tiff:
            pages = (page for first in first_pages(tiff) for page in (first, *sub_pages(first)))
            return any(page.photometric in RAW_DATA for page in pages)
    except Exception:
        return False

"""JPEGs that are the tiles or strips of a TIFF or DNG: which of them are damaged."""

from __future__ import annotations

from typing import Any

import tifffile
from tifffile import COMPRESSION

from enhance_cli.imaging.codecs.damaged_jpeg import PARTS_WRONG, SMALL_SHARE, damage_of

JPEG = frozenset({COMPRESSION.JPEG, COMPRESSION.ALT_JPEG, COMPRESSION.JPEG_LOSSY})

_MARKER = 2
"""Length of the markers at the beginning and at the end of a JPEG."""


def check_jpeg_parts(page: tifffile.TiffPage, warnings: list[str]) -> None:
    """Look for damage in the tiles or strips of a page, whose decoders say nothing of it.

    Args:
        page: The page; there is nothing to do if it is not compressed as JPEG.
        warnings: Gets a line if a few parts are damaged.

    Raises:
        ValueError: Much of the picture is damaged.
    """
    if page.compression not in JPEG:
        return
    tables, count, found = page.jpegtables or b"", len(page.dataoffsets), list[str]()
    parts: Any = page.parent.filehandle.read_segments(page.dataoffsets, page.databytecounts)
    for part, _ in parts:
        problem = damage_of(_with_tables(part, tables)) if part else None
        found += [problem] if problem else []
    if len(found) > SMALL_SHARE * count:
        raise ValueError(found[0])
    warnings += [PARTS_WRONG] if found else []


def _with_tables(part: bytes, tables: bytes) -> bytes:
    """A JPEG with the tables that all parts of a page have in common (TIFF Technical Note 2)."""
    return part[:_MARKER] + tables[_MARKER:-_MARKER] + part[_MARKER:] if tables else part

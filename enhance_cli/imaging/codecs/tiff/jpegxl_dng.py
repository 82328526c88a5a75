"""DNG files whose pixels are JPEG XL, as Apple's ProRAW; LibRaw does not decode them."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from tifffile import COMPRESSION

from enhance_cli.imaging.codecs.formats import SIGNATURE_LENGTH, is_tiff
from enhance_cli.imaging.codecs.tiff.open_tiff import open_tiff
from enhance_cli.imaging.codecs.tiff.pages import RAW_DATA, sub_pages
from enhance_cli.imaging.codecs.tiff.pixels import read_samples

_JPEG_XL = frozenset({COMPRESSION.JPEGXL, COMPRESSION.JPEGXL_DNG})

_BITS, _COMPRESSION, _STRIP_OFFSETS, _ROWS, _STRIP_LENGTHS = 258, 259, 273, 278, 279
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_LENGTHS = 322, 323, 324, 325
_UNUSED = 65_000
"""A private tag, in place of one that is no longer needed."""

_SHORT, _LONG = 3, 4
_NO_COMPRESSION = 1


class _Entry(NamedTuple):
    """What to write in place of a tag: another tag of one value."""

    code: int
    type: int
    value: int


def unpacked_dng(path: Path) -> BytesIO | None:
    """Replace the JPEG XL of a DNG by pixels that are not compressed.

    Returns:
        The content of the file with the same tags; None if its raw data is no JPEG XL.

    Raises:
        Exception: Of any type, if the file is damaged.
    """
    with path.open("rb") as file:
        if not is_tiff(file.read(SIGNATURE_LENGTH)):
            return None
    with open_tiff(path) as tiff:
        page = raw_page(tiff)
        if page is None or page.compression not in _JPEG_XL or tiff.is_bigtiff:
            return None
        content = bytearray(path.read_bytes())
        content += bytes(-len(content) % 16)
        samples = np.asarray(read_samples(page), f"{tiff.byteorder}u2")
        _patch(content, page, len(content), samples.nbytes, tiff.byteorder)
    content += samples.tobytes()
    return BytesIO(content)


def raw_page(tiff: tifffile.TiffFile) -> tifffile.TiffPage | None:
    """The page with the raw data, which may be in a SubIFD; None if no page says that it is."""
    first = tiff.pages.first
    pages = (page for page in (first, *sub_pages(first)) if page.photometric in RAW_DATA)
    return next((page for page in pages if not page.is_reduced), None)


def _patch(
    content: bytearray, page: tifffile.TiffPage, start: int, length: int, order: str
) -> None:
    """Describe one strip of 16 bits per channel that is not compressed."""
    new = {
        _COMPRESSION: _Entry(_COMPRESSION, _SHORT, _NO_COMPRESSION),
        _STRIP_OFFSETS: _Entry(_STRIP_OFFSETS, _LONG, start),
        _TILE_OFFSETS: _Entry(_STRIP_OFFSETS, _LONG, start),
        _STRIP_LENGTHS: _Entry(_STRIP_LENGTHS, _LONG, length),
        _TILE_LENGTHS: _Entry(_STRIP_LENGTHS, _LONG, length),
        _ROWS: _Entry(_ROWS, _LONG, page.imagelength),
        _TILE_LENGTH: _Entry(_ROWS, _LONG, page.imagelength),
        _TILE_WIDTH: _Entry(_UNUSED, _LONG, 0),
    }
    for tag in page.tags:
        if tag.code == _BITS:
            bits = struct.pack(f"{order}{tag.count}H", *[16] * tag.count)
            content[tag.valueoffset : tag.valueoffset + len(bits)] = bits
        if tag.code in new:
            entry = new[tag.code]
            code = "H2x" if entry.type == _SHORT else "I"
            packed = struct.pack(f"{order}HHI{code}", entry.code, entry.type, 1, entry.value)
            content[tag.offset : tag.offset + len(packed)] = packed

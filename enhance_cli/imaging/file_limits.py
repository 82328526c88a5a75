"""Refuses files that would cost far more time or memory than any photo of their size.

Decoders believe what a file says of itself. What is checked here is checked from the header, before
a decoder allocates or repeats anything because of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from PIL import Image

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.photo import refuse_too_many_pixels

MAX_SIDE = 1_000_000
"""Longest side in pixels. Pillow keeps a pointer for each row."""

MAX_SCANS = 100
"""Most scans of a JPEG, each of which takes as long as decoding a plain one. Programs write ten."""

_PNG_RATIO, _TIFF_RATIOS = 2_000, {1: 1, 5: 4_000, 8: 2_000, 32773: 100, 32946: 2_000}
"""Most bytes of pixels for each byte of a PNG, and of a TIFF by its compression.

Deflate reaches 1032, LZW 2559 and PackBits 64.
"""

_BITS = {"RGB": 24, "RGBA": 32, "LA": 16, "I;16": 16}
"""Least bits of a pixel of a PNG, by mode; of all others, one."""

_WIDTH, _HEIGHT, _BITS_PER_SAMPLE, _COMPRESSION = 256, 257, 258, 259
_TILE_SIZE, _TILE_OFFSETS, _STRIP_ROWS, _STRIP_OFFSETS = (322, 323), 324, 278, 273
_PLANAR, _SAMPLES, _DEPTH = 284, 277, 32997
"""Tags of a TIFF. Its pixels are in tiles or in strips, each at an offset of its own."""

_MAX_SAMPLES = 64

_CHUNK = 2**20
_SOS, _EOI = 0xDA, b"\xff\xd9"
_MAX_SEGMENTS = 10_000


def refuse_costly_file(path: Path, image: Image.Image, max_pixels: int) -> None:
    """Refuse a file that no decoder should begin to read.

    Args:
        path: The file.
        image: The same file, opened by Pillow; its pixels have not been read.
        max_pixels: Largest number of pixels that a file may have.

    Raises:
        PhotoError: It has too many pixels or scans, or too little data for what it says to hold.
    """
    refuse_too_many_pixels(path, image.size, max_pixels)
    width, height = image.size
    least_bits = width * height * _BITS.get(image.mode, 1)
    if max(width, height) > MAX_SIDE:
        raise PhotoError(
            f"{path}: {width} x {height} pixels, the longest side that can be read is {MAX_SIDE:,}"
        )
    if image.format in {"JPEG", "MPO"}:
        _refuse_many_scans(path, image)
    elif image.format == "TIFF":
        refuse_missing_tiles(path, image.tag_v2, max_pixels)  # type: ignore[attr-defined]
    elif image.format == "PNG" and least_bits > 8 * _PNG_RATIO * path.stat().st_size:
        raise PhotoError(f"{path}: damaged, too short for {width} x {height} pixels")


def _refuse_many_scans(path: Path, image: Image.Image) -> None:
    if image.info.get("progressive") or image.info.get("progression") or _is_in_parts(path, image):
        with path.open("rb") as file:
            scans = _count_scans(file)
        if scans > MAX_SCANS:
            raise PhotoError(f"{path}: a JPEG of more than {MAX_SCANS} scans, which takes too long")


def _is_in_parts(path: Path, image: Image.Image) -> bool:
    """Whether the first scan of a JPEG has fewer channels than the image, so that more follow."""
    with path.open("rb") as file:
        start = _first_scan(file)
        file.seek(start + 4)
        channels = file.read(1)
    return bool(channels) and channels[0] < len(image.getbands())


def _first_scan(file: IO[bytes]) -> int:
    """Position of the first scan of a JPEG, or of the end of its header if that is damaged."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        file.seek(at)
        header = file.read(4)
        if len(header) < 4 or header[0] != 0xFF or header[1] == _SOS:
            break
        if header[1] == 0xFF:  # a marker may be padded
            at += 1
        else:
            at += 2 + int.from_bytes(header[2:], "big")
    return at


def _count_scans(file: IO[bytes]) -> int:
    """Number of scans of a JPEG, up to one more than ``MAX_SCANS``."""
    scans = 0
    for chunk in _chunks(file, _first_scan(file)):
        end = chunk.find(_EOI)
        scans += chunk.count(bytes((0xFF, _SOS)), 0, end if end >= 0 else len(chunk))
        if end >= 0 or scans > MAX_SCANS:
            break
    return scans


def _chunks(file: IO[bytes], start: int) -> Iterator[bytes]:
    """The rest of a file, in chunks of which none ends within a marker."""
    file.seek(start)
    while chunk := file.read(_CHUNK):
        yield chunk + file.read(1) if chunk.endswith(b"\xff") else chunk


def refuse_missing_tiles(path: Path, tags: Mapping[int, Any], max_pixels: int) -> None:
    """Refuse a TIFF that lists fewer tiles or strips than its pixels need.

    Args:
        path: The file.
        tags: Values of its first directory, by the numbers of the tags, as Pillow or tifffile
            give them.
        max_pixels: Largest number of pixels that a file, or a tile, may have.

    Raises:
        PhotoError: It lists too few, or none of them could be read with reasonable memory.
    """
    width, height = (_number(tags.get(tag, 0)) for tag in (_WIDTH, _HEIGHT))
    samples = _number(tags.get(_SAMPLES, 1))
    if samples > _MAX_SAMPLES or _number(tags.get(_DEPTH, 1)) > 1:
        raise PhotoError(f"{path}: a TIFF with {samples} channels or with a depth, not a photo")
    tiled = _TILE_OFFSETS in tags
    across, down = (_number(tags.get(tag, 0)) for tag in _TILE_SIZE)
    if not tiled:
        across, down = width, _number(tags.get(_STRIP_ROWS, height))
    if across < 1 or down < 1 or (tiled and across * down > max_pixels):
        raise PhotoError(f"{path}: damaged, tiles or strips of {across} x {down} pixels")
    needed = math.ceil(width / across) * math.ceil(height / down)
    needed *= samples if _number(tags.get(_PLANAR, 1)) == 2 else 1
    listed = tags.get(_TILE_OFFSETS if tiled else _STRIP_OFFSETS, ())
    count = len(listed) if isinstance(listed, tuple) else 1
    ratio = _TIFF_RATIOS.get(_number(tags.get(_COMPRESSION, 1)), math.inf)
    bits = samples * _number(tags.get(_BITS_PER_SAMPLE, 1))
    if width * height * bits > 8 * ratio * path.stat().st_size:
        raise PhotoError(f"{path}: damaged, too short for {width} x {height} pixels")
    if count < needed:
        raise PhotoError(f"{path}: damaged, {count} of {needed:,} tiles or strips are listed")


def _number(value: Any) -> int:
    """The first number of a tag; 0 if there is none."""
    first = value[0] if isinstance(value, tuple) and value else value
    return int(first) if isinstance(first, int) else 0

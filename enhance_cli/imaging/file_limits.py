"""Refuses files that would cost far more time or memory than any photo of their size.

Decoders believe what a file says of itself. What is checked here is checked from the header, before
a decoder allocates or repeats anything because of it. Whatever is not known of a format beforehand
is bounded by a limit of time, and by the memory that the machine has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from PIL import Image
from tifffile import TiffPage

from enhance_cli.available_memory import available_memory
from enhance_cli.errors import PhotoError
from enhance_cli.imaging.containers.jpeg_segments import EOI, SOS, jpeg_segments
from enhance_cli.imaging.containers.source import Source

MAX_SIDE = 1_000_000
"""Longest side in pixels. Pillow keeps a pointer for each row."""

MAX_SCANS = 100
"""Most scans of a JPEG, each of which takes as long as decoding a plain one. Programs write ten."""

_SECONDS, _SECONDS_PER_MEGABYTE, _SECONDS_PER_MEGAPIXEL = 60, 2, 2
"""Most time that reading a photo may take: a hundred times what it takes on a disk and a machine
that are slow."""

_LONGEST_FILE = 4 * 10**9
"""Bytes of a file beyond which it has no more time. A system's own files may claim terabytes."""

_LARGE, _LEAST_BYTES_PER_PIXEL = 2**25, 4
"""Pixels from which memory is asked for first, and bytes that each of them takes at least."""

_PNG_RATIO = 2_000
"""Most bytes of pixels for each byte of a PNG; Deflate reaches 1032."""

_TIFF_RATIOS = {
    **dict.fromkeys((6, 7, 34892), 1_000),  # JPEG
    **dict.fromkeys((8, 32946), 2_000),  # Deflate
    1: 1,
    5: 4_000,  # LZW
    32773: 100,  # PackBits
    34925: 20_000,  # LZMA
    50000: 60_000,  # Zstandard
}
"""Most bytes of pixels for each byte of a TIFF, by its compression.

LZW reaches 2559 and PackBits 64. A block of JPEG takes a bit for its mean and one for its end, so
that 64 levels, or with subsampled colors 128, take two bits: 512. LZMA repeats 273 bytes by 14
choices of 0.022 bits at least: 7000. Zstandard repeats 128 KB by a block of four bytes: 32,768.
The others have no such limit: an empty page of a fax of any width takes a bit for each row.
"""

_BITS = {"RGB": 24, "RGBA": 32, "LA": 16, "I;16": 16}
"""Least bits of a pixel of a PNG, by mode; of all others, one."""

_SEPARATE = 2
"""PlanarConfiguration of a TIFF whose channels have tiles or strips of their own."""

_MAX_SAMPLES = 64

_CHUNK = 2**20
_END = bytes((0xFF, EOI))


def seconds_for_file(path: Path) -> float:
    """The time that reading a file may take, apart from its pixels."""
    try:
        size = path.stat().st_size
    except OSError:  # whoever reads the file will report it
        size = 0
    return _SECONDS + _SECONDS_PER_MEGABYTE * min(size, _LONGEST_FILE) / 1e6


def seconds_for_pixels(pixels: int) -> float:
    """The time that reading this number of pixels may take."""
    return _SECONDS_PER_MEGAPIXEL * pixels / 1e6


def refuse_beyond_memory(path: Path, pixels: int) -> None:
    """Refuse a photo for which there is not enough memory.

    Systems promise more memory than they have, and end a program that uses it.

    Args:
        path: The file.
        pixels: Number of pixels that are to be read.

    Raises:
        PhotoError: The pixels do not fit.
    """
    if pixels < _LARGE:
        return
    available, needed = available_memory(), pixels * _LEAST_BYTES_PER_PIXEL
    if needed > available:
        raise PhotoError(
            f"{path}: too large for this machine's memory (at least {needed / 1e9:.1f} GB; "
            f"{available / 1e9:.1f} GB are free)"
        )


def refuse_costly_file(path: Path, image: Image.Image) -> None:
    """Refuse an image, other than a TIFF, that no decoder should begin to read.

    Args:
        path: The file.
        image: The same file, opened by Pillow; its pixels have not been read.

    Raises:
        PhotoError: It has too many scans, or too little data for what it says to hold.
    """
    width, height = image.size
    _refuse_long_side(path, image.size)
    least_bits = width * height * _BITS.get(image.mode, 1)
    if image.format in {"JPEG", "MPO"}:
        _refuse_many_scans(path, image)
    elif image.format == "PNG" and least_bits > 8 * _PNG_RATIO * path.stat().st_size:
        raise PhotoError(f"{path}: damaged, too short for {width} x {height} pixels")


def refuse_costly_tiff(path: Path, page: TiffPage, max_pixels: int) -> None:
    """Refuse a TIFF that no decoder should begin to read.

    Args:
        path: The file.
        page: The page that is to be read.
        max_pixels: Largest number of pixels of a tile.

    Raises:
        PhotoError: It lists fewer tiles or strips than its pixels need, has too many channels, or
            too little data for what it says to hold.
    """
    width, height, samples = page.imagewidth, page.imagelength, page.samplesperpixel
    _refuse_long_side(path, (width, height))
    if samples > _MAX_SAMPLES or page.imagedepth > 1:
        raise PhotoError(f"{path}: a TIFF with {samples} channels or with a depth, not a photo")
    across, down = (
        (page.tilewidth, page.tilelength) if page.is_tiled else (width, page.rowsperstrip)
    )
    if across < 1 or down < 1 or (page.is_tiled and across * down > max_pixels):
        raise PhotoError(f"{path}: damaged, tiles or strips of {across} x {down} pixels")
    needed = math.ceil(width / across) * math.ceil(height / down)
    needed *= samples if page.planarconfig == _SEPARATE else 1
    # Of YCbCr, several pixels may share the numbers of their color.
    stored = 1 + (samples - 1) / math.prod(ycbcr_sampling(page)) if page.is_subsampled else samples
    bits = width * height * stored * page.bitspersample
    if bits > 8 * _TIFF_RATIOS.get(page.compression, math.inf) * path.stat().st_size:
        raise PhotoError(f"{path}: damaged, too short for {width} x {height} pixels")
    if len(page.dataoffsets) < needed:
        listed = len(page.dataoffsets)
        raise PhotoError(f"{path}: damaged, {listed} of {needed:,} tiles or strips are listed")


def ycbcr_sampling(page: TiffPage) -> tuple[int, int]:
    """Width and height of the blocks of a YCbCr page whose pixels share one color."""
    return page.subsampling or (2, 2)  # TIFF 6.0, section 21


def _refuse_long_side(path: Path, size: tuple[int, int]) -> None:
    if max(size) > MAX_SIDE:
        raise PhotoError(
            f"{path}: {size[0]} x {size[1]} pixels, the longest side that can be read is "
            f"{MAX_SIDE:,}"
        )


def _refuse_many_scans(path: Path, image: Image.Image) -> None:
    if image.info.get("progressive") or image.info.get("progression") or _is_in_parts(path, image):
        with path.open("rb") as file:
            scans = _count_scans(file)
        if scans > MAX_SCANS:
            raise PhotoError(f"{path}: a JPEG of more than {MAX_SCANS} scans, which takes too long")


def _is_in_parts(path: Path, image: Image.Image) -> bool:
    """Whether the first scan of a JPEG has fewer channels than the image, so that more follow."""
    with path.open("rb") as file:
        source = Source(file)
        channels = source.read(_first_scan(source) + 4, 1)
    return bool(channels) and channels[0] < len(image.getbands())


def _first_scan(source: Source) -> int:
    """Position of the first scan of a JPEG, or of the end of its header if that is damaged."""
    at = 0
    for segment in jpeg_segments(source):
        if segment.marker == SOS:
            return segment.at
        at = segment.end
    return at


def _count_scans(file: IO[bytes]) -> int:
    """Number of scans of a JPEG, up to one more than ``MAX_SCANS``."""
    scans = 0
    for chunk in _chunks(file, _first_scan(Source(file))):
        end = chunk.find(_END)
        scans += chunk.count(bytes((0xFF, SOS)), 0, end if end >= 0 else len(chunk))
        if end >= 0 or scans > MAX_SCANS:
            break
    return scans


def _chunks(file: IO[bytes], start: int) -> Iterator[bytes]:
    """The rest of a file, in chunks of which none ends within a marker."""
    file.seek(start)
    while chunk := file.read(_CHUNK):
        yield chunk + file.read(1) if chunk.endswith(b"\xff") else chunk

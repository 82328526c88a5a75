"""Reading and writing PNG, with 8 or 16 bits per channel."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin
from PIL.PngImagePlugin import PngInfo

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.open_image import open_image
from enhance_cli.imaging.codecs.pillow_image import image_from_photo, save_image
from enhance_cli.imaging.codecs.stored_image import stored_channels, wants_sixteen_bits
from enhance_cli.imaging.metadata.exif import PREFIX
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.metadata.png_texts import XMP_KEYWORD
from enhance_cli.imaging.metadata.read import MAX_LENGTH
from enhance_cli.imaging.photo import Photo

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_PIXELS = frozenset({b"PLTE", b"IDAT"})
"""Chunks of pixels: a palette, and colors or numbers of colors."""

_TEXTS = frozenset({b"tEXt", b"zTXt", b"iTXt"})
"""Chunks of texts."""

_MAX_TEXTS = PngImagePlugin.MAX_TEXT_MEMORY // 2
"""Most bytes of all texts together; of more than twice as many, Pillow refuses the photo."""

_MAX_PROFILE = 255 * 65_519
"""Longest color profile that is read, in bytes: as long as a JPEG's (ICC.1:2022, B.4)."""

_AFTER_HEADER = 8 + 25
"""Bytes of the signature and of the first chunk, which all others follow."""

_INCH = 0.0254
"""In meters."""


def is_sixteen_bit(image: Image.Image) -> bool:
    """Whether a PNG that Pillow has opened stores 16 bits per channel."""
    return any("16" in str(tile[3]) for tile in image.tile)  # type: ignore[attr-defined]


def read_png_levels(path: Path) -> NDArray[Any]:
    """Read a PNG with all its bits: ``(H, W)`` or ``(H, W, C)``, not turned upright."""
    return imagecodecs.png_decode(path.read_bytes())


class MendedPng(NamedTuple):
    """A PNG without what Pillow takes for an attack.

    Attributes:
        content: The file's content; None if there was nothing to mend.
        profile: Its color profile, if Pillow cannot read one so long; None if it can.
    """

    content: bytes | None = None
    profile: bytes | None = None


def mended_png(path: Path, warnings: list[str]) -> MendedPng:
    """Uncompress long texts, and take out a long color profile, which Pillow would refuse.

    Args:
        path: The file.
        warnings: Gets a line for what is too long to be kept.
    """
    with path.open("rb") as file:
        if _is_plain(file):
            return MendedPng()
    content, profile, total = path.read_bytes(), None, 0
    parts, lost, changed = [PNG_SIGNATURE], list[str](), False
    for at, name, length in _chunks(BytesIO(content)):
        body = content[at + 8 : at + 8 + length]
        if name == b"iCCP" and (unpacked := _long_profile(body)) is not None:
            profile = unpacked if len(unpacked) <= _MAX_PROFILE else b""
            lost += [] if profile else ["its colour profile is too long and was left out"]
            changed = True
            continue
        text = _uncompressed(name, body) if total <= _MAX_TEXTS else None
        size = len(text or body) if name in _TEXTS else 0
        total += size
        if size > MAX_LENGTH or (size and total > _MAX_TEXTS):
            lost.append("a text that is too long was left out")
            changed = True
        elif text is not None and size > PngImagePlugin.MAX_TEXT_CHUNK:
            parts.append(_chunk(b"iTXt" if name == b"iTXt" else b"tEXt", text))
            changed = True
        else:
            parts.append(content[at : at + 12 + length])
    warnings += dict.fromkeys(lost)
    return MendedPng(b"".join(parts), profile) if changed else MendedPng()


def _is_plain(file: IO[bytes]) -> bool:
    """Whether there is nothing in a PNG that Pillow may refuse."""
    texts = 0
    for _, name, length in _chunks(file):
        if name in {b"zTXt", b"iTXt"}:
            return False
        if name == b"iCCP" and _long_profile(file.read(length)) is not None:
            return False
        texts += length if name == b"tEXt" else 0
    return texts <= MAX_LENGTH


def _long_profile(body: bytes) -> bytes | None:
    """The profile of an iCCP chunk, if it is longer than Pillow reads."""
    try:
        profile = zlib.decompressobj().decompress(body.partition(b"\0")[2][1:], _MAX_PROFILE + 1)
    except zlib.error:
        return None
    return profile if len(profile) > PngImagePlugin.MAX_TEXT_CHUNK else None


def _uncompressed(name: bytes, body: bytes) -> bytes | None:
    """The content of the uncompressed form of a compressed text chunk; None for any other chunk."""
    keyword, _, rest = body.partition(b"\0")
    head = b""
    if name == b"iTXt":  # compressed or not, method, language and translated keyword
        if rest[:1] != b"\1":
            return None
        language, _, rest = rest[2:].partition(b"\0")
        translated, _, rest = rest.partition(b"\0")
        head = b"\0\0" + language + b"\0" + translated + b"\0"
    elif name == b"zTXt":
        rest = rest[1:]
    else:
        return None
    try:
        text = zlib.decompressobj().decompress(rest, MAX_LENGTH + 1)
    except zlib.error:
        return None
    return keyword + b"\0" + head + text


def _chunks(file: IO[bytes]) -> Iterator[tuple[int, bytes, int]]:
    """Position, name and length of the content of each chunk; the file stands at the content."""
    at = file.seek(len(PNG_SIGNATURE))
    while len(header := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", header)
        yield at, name, length
        at = file.seek(at + 12 + length)


def check_png(path: Path) -> None:
    """Check the pixels of a PNG by their checksums, of which Pillow takes no notice.

    Raises:
        ValueError: They are damaged.
    """
    with path.open("rb") as file:
        for _, name, length in _chunks(file):
            if name in _PIXELS:
                found = zlib.crc32(file.read(length), zlib.crc32(name))
                if found != int.from_bytes(file.read(4)):
                    raise ValueError("the checksum of its pixel data is wrong")


class CodePoints(NamedTuple):
    """What a cICP chunk says of colors (PNG, third edition, 11.3.2.6).

    Attributes:
        primaries: Code point of the primaries (ITU-T H.273, table 2).
        transfer: Code point of the transfer function (table 3).
        full_range: Whether 0 is black, and the largest number white.
    """

    primaries: int
    transfer: int
    full_range: bool = True


def read_code_points(path: Path) -> CodePoints | None:
    """Read the cICP chunk of a PNG; None if there is none."""
    with path.open("rb") as file:
        for _, name, length in _chunks(file):
            if name == b"cICP" and length == 4:
                primaries, transfer, _, full_range = file.read(4)
                return CodePoints(primaries, transfer, full_range != 0)
            if name == b"IDAT":
                break
    return None


def read_png_rgb(path: Path) -> NDArray[np.uint8] | None:
    """Read a PNG as 8-bit RGB, ``(H, W, 3)``; None if the file is missing or damaged."""
    try:
        with open_image(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError):
        return None


def write_png_rgb(pixels: NDArray[np.uint8], path: Path) -> None:
    """Write 8-bit RGB, ``(H, W, 3)``, as a PNG that :func:`read_png_rgb` reads.

    It takes less than half the time of :func:`write_png`, for a file that is a little larger.
    """
    save_image(Image.fromarray(pixels), path, "PNG", compress_level=1)


def write_png(photo: Photo, path: Path, encoding: Encoding, metadata: Metadata) -> None:
    """Write a PNG with 8 or 16 bits per channel."""
    if wants_sixteen_bits(photo, encoding):
        _write_sixteen_bits(photo, path, metadata)
        return
    texts = PngInfo()
    if metadata.xmp:
        texts.add_itxt(XMP_KEYWORD, metadata.xmp.decode("utf-8", "replace"))
    for key, value in metadata.texts:
        texts.add_itxt(key, value)
    options: dict[str, Any] = {"icc_profile": photo.icc_profile, "pnginfo": texts}
    if metadata.exif_block:
        options["exif"] = metadata.exif_block
    if metadata.dpi:
        options["dpi"] = metadata.dpi
    save_image(image_from_photo(photo), path, "PNG", **options)


def _write_sixteen_bits(photo: Photo, path: Path, metadata: Metadata) -> None:
    """Write 16 bits per channel, which Pillow cannot, with profile and metadata in front."""
    encoded = imagecodecs.png_encode(stored_channels(photo, np.dtype(np.uint16)))
    chunks = b""
    if photo.icc_profile:
        chunks += _chunk(b"iCCP", b"ICC\0\0" + zlib.compress(photo.icc_profile))
    if metadata.dpi:
        per_meter = [round(dots / _INCH) for dots in metadata.dpi]
        chunks += _chunk(b"pHYs", struct.pack(">IIB", *per_meter, 1))
    if metadata.exif_block:
        chunks += _chunk(b"eXIf", metadata.exif_block.removeprefix(PREFIX))
    texts = [(key, value.encode()) for key, value in metadata.texts]
    texts += [(XMP_KEYWORD, metadata.xmp)] if metadata.xmp else []
    for key, value in texts:
        chunks += _chunk(b"iTXt", key.encode("latin-1", "replace") + bytes(5) + value)
    path.write_bytes(encoded[:_AFTER_HEADER] + chunks + encoded[_AFTER_HEADER:])


def _chunk(name: bytes, content: bytes) -> bytes:
    """Build a chunk: length, name, content and checksum (PNG, third edition, 5.3)."""
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)

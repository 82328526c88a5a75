"""Files put together beside Pillow, which writes 8 bits alone and not all metadata."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import DTypeLike, NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from enhance_cli.imaging.metadata import IPTC_RESOURCE, PNG_XMP, TIFF_IPTC, TIFF_XMP, Metadata
from enhance_cli.imaging.photo import Photo, in_kind

_SEGMENT = 65_533
"""Bytes that a JPEG's segment holds."""


def jpeg_segments(metadata: Metadata) -> Iterator[bytes]:
    """The application segments of a JPEG that Pillow does not write: IPTC, and a long XMP packet.

    Raises:
        ValueError: One does not fit into a segment.
    """
    for part in metadata.long_xmp:
        yield _segment(0xE1, part)
    if metadata.iptc:
        records = metadata.iptc + bytes(len(metadata.iptc) % 2)
        length = len(metadata.iptc)
        resource = struct.pack(">4sHHI", b"8BIM", IPTC_RESOURCE, 0, length) + records
        yield _segment(0xED, b"Photoshop 3.0\0" + resource)


def _segment(marker: int, content: bytes) -> bytes:
    if len(content) > _SEGMENT:
        raise ValueError("metadata too long for a JPEG")
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def write_tiff(
    photo: Photo, path: Path, kind: DTypeLike, profile: bytes | None, metadata: Metadata
) -> None:
    """Write 8 or 16 bits a channel, deflated, with a predictor as photographers' programs do."""
    block = Image.Exif()
    block.load(metadata.exif or b"")
    # Pillow reads texts as Latin-1, whatever they are; this gives their bytes back.
    texts = {tag: str(block[tag]).encode("latin-1", "replace") for tag in _TEXTS if tag in block}
    tags: list[tuple[Any, ...]] = [(tag, "s", 0, text, True) for tag, text in texts.items()]
    for tag, content in ((TIFF_XMP, metadata.xmp), (TIFF_IPTC, metadata.iptc)):
        tags += [(tag, "B", len(content), content, True)] if content else []
    directories = {tag: _moved(block.get_ifd(tag)) for tag in _DIRECTORIES if block.get_ifd(tag)}
    tags += [(tag - _STAND_IN, "I", 1, 0, True) for tag in directories]
    tifffile.imwrite(
        path,
        _channels(photo, np.dtype(kind)),
        resolution=metadata.dots,
        resolutionunit="inch" if metadata.dots else None,
        photometric="minisblack" if photo.grey else "rgb",
        compression="adobe_deflate",
        predictor=True,
        extrasamples=["unassalpha"] if photo.alpha is not None else None,
        iccprofile=profile,
        extratags=tags,
        metadata=None,
        software=False,
        byteorder="<",
    )
    _append(path, directories)


def _moved(entries: dict[int, Any]) -> dict[int, Any]:
    """What may stand elsewhere in another file: not MakerNotes, whose offsets would lead astray."""
    return {tag: value for tag, value in entries.items() if tag != _MAKER_NOTE}


def _append(path: Path, directories: dict[int, dict[int, Any]]) -> None:
    """Put EXIF's directories at a TIFF's end, and make of their stand-ins tags that point there."""
    with tifffile.TiffFile(path) as tiff:
        entries_at = {tag: tiff.pages.first.tags[tag - _STAND_IN].offset for tag in directories}
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


_TEXTS = (270, 271, 272, 305, 306, 315, 33432)
"""Description, make, model, software, date, artist and copyright."""

_DIRECTORIES = (34665, 34853)
"""EXIF's own directory, and that of GPS."""

_MAKER_NOTE = 37500

_STAND_IN = 1
"""tifffile leaves out the tags of directories; those of the number before keep their places."""


def write_deep_png(photo: Photo, path: Path, profile: bytes | None, metadata: Metadata) -> None:
    """Write 16 bits a channel, with profile and metadata in chunks before the pixels."""
    encoded = imagecodecs.png_encode(_channels(photo, np.dtype(np.uint16)))
    chunks = b""
    if profile:
        chunks += _chunk(b"iCCP", b"ICC\0\0" + zlib.compress(profile))
    if metadata.dots:
        per_metre = [round(dots / 0.0254) for dots in metadata.dots]
        chunks += _chunk(b"pHYs", struct.pack(">IIB", *per_metre, 1))
    if metadata.exif:
        chunks += _chunk(b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
    texts = [(key, value.encode()) for key, value in metadata.texts]
    texts += [(PNG_XMP, metadata.xmp)] if metadata.xmp else []
    for key, value in texts:
        chunks += _chunk(b"iTXt", key.encode("latin-1", "replace") + bytes(5) + value)
    path.write_bytes(encoded[:_AFTER_HEADER] + chunks + encoded[_AFTER_HEADER:])


_AFTER_HEADER = 8 + 25
"""PNG's signature, and its first chunk."""


def _chunk(name: bytes, content: bytes) -> bytes:
    """PNG (third edition), 5.3: length, name, content, checksum."""
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def _channels(photo: Photo, kind: np.dtype) -> NDArray[Any]:
    colour = in_kind(photo.pixels, kind)
    parts = [colour[..., :1] if photo.grey else colour]
    if photo.alpha is not None:
        parts.append(in_kind(photo.alpha, kind)[..., None])
    joined = np.concatenate(parts, axis=2) if len(parts) > 1 else parts[0]
    return np.ascontiguousarray(joined[..., 0] if joined.shape[2] == 1 else joined)

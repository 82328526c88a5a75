"""The boxes of a JPEG XL file around its codestream (ISO/IEC 18181-2)."""

from __future__ import annotations

from typing import NamedTuple

import imagecodecs

from enhance_cli.imaging.codecs.jpegxl.header import CODESTREAM
from enhance_cli.imaging.containers.boxes import boxes
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.metadata import xmp
from enhance_cli.imaging.metadata.embedded import credentials_in_boxes
from enhance_cli.imaging.metadata.metadata import NO_METADATA, Metadata
from enhance_cli.imaging.metadata.read import MAX_LENGTH, TOO_LONG

CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"

_METADATA = {b"Exif": "EXIF", b"xml ": "XMP"}
_PACKED, _GAIN_MAP = b"brob", b"jhgm"


class Contents(NamedTuple):
    """What a file contains.

    Attributes:
        codestream: The picture.
        metadata: EXIF and XMP.
    """

    codestream: bytes
    metadata: Metadata = NO_METADATA


def is_jpegxl(signature: bytes) -> bool:
    """Whether the first bytes of a file are those of a JPEG XL, in boxes or without."""
    return signature.startswith((CODESTREAM, CONTAINER))


def read_contents(content: bytes) -> Contents:
    """Take a file apart.

    Raises:
        ValueError: There is no codestream.
    """
    if content.startswith(CODESTREAM):
        return Contents(content)
    parts: list[bytes] = []
    found: dict[bytes, bytes] = {}
    unreadable: dict[str, None] = {}
    gain_map = False
    for kind, body in boxes(content):
        if kind == b"jxlc":
            parts.append(body)
        elif kind == b"jxlp":
            parts.append(body[4:])
        elif kind in _METADATA and len(body) > MAX_LENGTH:
            unreadable[TOO_LONG.format(_METADATA[kind])] = None
        elif kind in _METADATA:
            found.setdefault(kind, body)
        elif kind == _PACKED and body[:4] in _METADATA:
            unpacked = _unpacked(body[4:])
            if unpacked is None:
                unreadable["its packed metadata is damaged and was left out"] = None
            found.setdefault(body[:4], unpacked or b"")
        gain_map |= _GAIN_MAP in {kind, body[:4] if kind == _PACKED else b""}
    codestream = parts[0] if len(parts) == 1 else b"".join(parts)
    if not codestream.startswith(CODESTREAM):
        raise ValueError("there is no picture in it")
    exif, packet = found.get(b"Exif", b""), found.get(b"xml ")
    announced = xmp.announced(packet)
    metadata = Metadata(
        exif=exif[4 + int.from_bytes(exif[:4]) :] or None,
        xmp=packet or None,
        gain_map=gain_map or announced.gain_map,
        video=announced.video,
        credentials=announced.credentials or credentials_in_boxes(Source(content)),
        unreadable=tuple(unreadable),
    )
    return Contents(codestream, metadata)


def box(kind: bytes, content: bytes) -> bytes:
    """Build a box."""
    return (8 + len(content)).to_bytes(4) + kind + content


def _unpacked(packed: bytes) -> bytes | None:
    """Metadata that was compressed by Brotli; None if it is damaged or very long."""
    try:
        return bytes(imagecodecs.brotli_decode(packed, out=MAX_LENGTH))
    except (imagecodecs.BrotliError, ValueError):
        return None

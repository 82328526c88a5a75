"""HEIC files with a gain map as an auxiliary picture (ISO/IEC 23008-12, 6.4.5 and 6.5.8)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

KIND = b"urn:com:apple:photo:2020:aux:hdrgainmap"


def apple_heic(
    photo: NDArray[np.uint8],
    levels: NDArray[np.uint8],
    *,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    kind: bytes = KIND,
    turns: int = 0,
) -> bytes:
    """A HEIC of a photo and an auxiliary picture.

    Args:
        photo: ``(H, W, 3)``.
        levels: ``(h, w)``.
        exif: EXIF of the photo.
        xmp: XMP of the photo.
        kind: What the auxiliary picture is.
        turns: Quarter turns to the left, by the property ``irot`` of both pictures.
    """
    file = pillow_heif.HeifFile()
    file.add_from_pillow(Image.fromarray(photo))
    file.add_from_pillow(Image.fromarray(levels))
    with BytesIO() as content:
        file.save(content, quality=100, chroma="444", exif=exif, xmp=xmp)
        return _as_auxiliary(content.getvalue(), kind, turns)


def with_tone_map(content: bytes) -> bytes:
    """Add an item for the HDR rendition to a HEIC or AVIF (ISO 21496-1, annex B)."""
    top = list(_boxes(content))
    meta = dict(_boxes(dict(top)[b"meta"][4:]))
    iinf = meta[b"iinf"]
    count = struct.unpack_from(">H", iinf, 4)[0]
    item = _box(b"infe", b"\2\0\0\0" + struct.pack(">HH4s", 99, 0, b"tmap") + b"\0")
    meta[b"iinf"] = iinf[:4] + struct.pack(">H", count + 1) + iinf[6:] + item
    meta[b"iloc"] = _shifted(meta[b"iloc"], len(item))
    described = bytes(4) + b"".join(_box(*one) for one in meta.items())
    return b"".join(_box(kind, described if kind == b"meta" else body) for kind, body in top)


def _as_auxiliary(content: bytes, kind: bytes, turns: int) -> bytes:
    """Make the second picture of a HEIC an auxiliary one of the first."""
    top = dict(_boxes(content))
    meta = dict(_boxes(top[b"meta"][4:]))
    properties = dict(_boxes(meta[b"iprp"]))
    ipco, ipma = properties[b"ipco"], properties[b"ipma"]
    number = len(list(_boxes(ipco)))
    ipco += _box(b"auxC", bytes(4) + kind + b"\0") + _box(b"irot", bytes([turns]))
    first, second = _pictures(ipma)
    ipma = _with_property(_with_property(ipma, second, number + 1), second, number + 2)
    meta[b"iprp"] = _box(b"ipco", ipco) + _box(b"ipma", _with_property(ipma, first, number + 2))
    references = meta.pop(b"iref", bytes(4))
    meta[b"iref"] = references + _box(b"auxl", struct.pack(">HHH", second, 1, first))

    def described(shift: int) -> bytes:
        moved = meta | {b"iloc": _shifted(meta[b"iloc"], shift)}
        return _box(b"meta", bytes(4) + b"".join(_box(*one) for one in moved.items()))

    shift = len(described(0)) - 8 - len(top[b"meta"])
    return _box(b"ftyp", top[b"ftyp"]) + described(shift) + _box(b"mdat", top[b"mdat"])


def _pictures(ipma: bytes) -> list[int]:
    """The numbers of all pictures: of what has properties."""
    found, at = [], 8
    while at < len(ipma):
        found.append(struct.unpack_from(">H", ipma, at)[0])
        at += 3 + ipma[at + 2]
    return found


def _with_property(ipma: bytes, item: int, number: int) -> bytes:
    changed, at = bytearray(ipma), 8
    while struct.unpack_from(">H", changed, at)[0] != item:
        at += 3 + changed[at + 2]
    changed[at + 2] += 1
    changed.insert(at + 2 + changed[at + 2], 0x80 | number)
    return bytes(changed)


def _shifted(iloc: bytes, shift: int) -> bytes:
    """Move the content of all items; each has one part, and positions have four bytes."""
    changed, at = bytearray(iloc), 8
    base = iloc[5] >> 4
    for _ in range(struct.unpack_from(">H", iloc, 6)[0]):
        place = at + 4 if base else at + 6
        struct.pack_into(">I", changed, place, struct.unpack_from(">I", iloc, place)[0] + shift)
        at += 6 + base + 8
    return bytes(changed)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        yield kind, content[at + 8 : at + size]
        at += size

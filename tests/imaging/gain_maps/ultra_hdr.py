"""Photos with gain maps, built by the published specifications, and read by libultrahdr.

Ultra HDR image format 1.1 (Google), Gain map 1.0 (Adobe), ISO 21496-1, CIPA DC-007.
"""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

XMP = b"http://ns.adobe.com/xap/1.0/\0"
ISO = b"urn:iso:std:iso:ts:21496:-1\0"

PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    'syntax-ns#"><rdf:Description rdf:about=""{}</rdf:Description></rdf:RDF></x:xmpmeta>'
)
HDRGM = ' xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"'
CONTAINER = (
    ' xmlns:Container="http://ns.google.com/photos/1.0/container/" '
    'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" xmlns:xmp='
    '"http://ns.adobe.com/xap/1.0/" xmp:Rating="4" hdrgm:Version="1.0"><Container:Directory>'
    '<rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" '
    'Item:Mime="image/jpeg"/></rdf:li><rdf:li rdf:parseType="Resource"><Container:Item '
    'Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="{}"/></rdf:li></rdf:Seq>'
    "</Container:Directory>"
)

STOPS = 3.0
"""What the maps here reach."""

ATTRIBUTES = {
    "Version": "1.0",
    "GainMapMin": "0",
    "GainMapMax": f"{STOPS:g}",
    "Gamma": "1",
    "OffsetSDR": "0.015625",
    "OffsetHDR": "0.015625",
    "HDRCapacityMin": "0",
    "HDRCapacityMax": f"{STOPS:g}",
    "BaseRenditionIsHDR": "False",
}


def base(width: int = 192, height: int = 128) -> NDArray[np.uint8]:
    """A smooth photo that reaches from near black to white."""
    y, x = np.mgrid[0:height, 0:width]
    tone = 20 + 235 * x / (width - 1)
    tint = np.array([1.0, 0.92, 0.8]) ** (y / (height - 1))[..., None]
    return (tone[..., None] * tint).round().astype(np.uint8)


def gains(width: int = 192, height: int = 128) -> NDArray[np.uint8]:
    """A map of one channel that lifts what is bright in :func:`base`."""
    x = np.linspace(0, 1, width)
    return np.tile((255 * x**2).round().astype(np.uint8), (height, 1))


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def xmp_of_map(**changed: str) -> bytes:
    values = ATTRIBUTES | changed
    said = "".join(f' hdrgm:{name}="{value}"' for name, value in values.items())
    return segment(0xE1, XMP + PACKET.format(HDRGM + said + ">").encode())


def iso_of_map(stops: float = STOPS, flags: int = 0x40, version: int = 0) -> bytes:
    """One channel, with the offsets of :data:`ATTRIBUTES` (ISO 21496-1, annex C)."""
    content = struct.pack(">HHB", version, 0, flags)
    content += struct.pack(">IIII", 0, 1, round(stops * 1000), 1000)
    content += struct.pack(">iIiIIIiIiI", 0, 1, round(stops * 1000), 1000, 1, 1, 1, 64, 1, 64)
    return segment(0xE2, ISO + content)


def jpeg(pixels: NDArray[np.uint8], *segments: bytes, **options) -> bytes:
    with BytesIO() as file:
        options = {"quality": 98, "subsampling": "4:4:4"} | options
        Image.fromarray(pixels).save(file, "JPEG", **options)
        content = file.getvalue()
    return content[:2] + b"".join(segments) + content[2:]


def index(length: int, second: int, position: int) -> bytes:
    """The segment of CIPA DC-007, little endian."""
    entries = struct.pack("<IIIHH", 0x030000, length, 0, 0, 0)
    entries += struct.pack("<IIIHH", 0, second, position, 0, 0)
    tags = struct.pack("<HHI4s", 0xB000, 7, 4, b"0100") + struct.pack("<HHII", 0xB001, 4, 1, 2)
    tags += struct.pack("<HHII", 0xB002, 7, 32, 50)
    return segment(0xE2, b"MPF\0II*\0\x08\0\0\0\x03\0" + tags + bytes(4) + entries)


def joined(
    photo: NDArray[np.uint8],
    second: bytes,
    *,
    form: str = "both",
    listed: bool = True,
    place: tuple[int | None, int | None] = (None, None),
    **options,
) -> bytes:
    """A photo with a second picture.

    Args:
        photo: Pixels of the photo.
        second: The second picture.
        form: Which forms the photo announces: ``xmp``, ``iso``, ``both`` or ``none``.
        listed: Whether there is an index.
        place: Position from the byte order mark, and length, that the index states in place of the
            right ones.
        options: Of Pillow's ``save`` for the photo.
    """
    segments = []
    if form in {"xmp", "both"}:
        packet = PACKET.format(HDRGM + CONTAINER.format(len(second)))
        segments.append(segment(0xE1, XMP + packet.encode()))
    if form in {"iso", "both"}:
        segments.append(segment(0xE2, ISO + bytes(4)))
    if not listed:
        return jpeg(photo, *segments, **options) + second
    length = len(jpeg(photo, index(0, 0, 0), *segments, **options))
    position, size = place
    own = index(
        length,
        len(second) if size is None else size,
        length - 10 if position is None else position,
    )
    return jpeg(photo, own, *segments, **options) + second


def ultra_hdr(
    photo: NDArray[np.uint8] | None = None,
    pixels: NDArray[np.uint8] | None = None,
    form: str = "both",
    **options,
) -> bytes:
    """A whole photo with its map, described in one form or both."""
    described = {"xmp": [xmp_of_map()], "iso": [iso_of_map()]}
    described["both"] = [*described["xmp"], *described["iso"]]
    second = jpeg(gains() if pixels is None else pixels, *described[form])
    return joined(base() if photo is None else photo, second, form=form, **options)


def hdr_of(content: bytes | Path) -> NDArray[np.float64]:
    """The HDR rendition by libultrahdr: linear light of the photo's primaries; white is 1."""
    content = content.read_bytes() if isinstance(content, Path) else content
    linear = imagecodecs.ULTRAHDR.CT.LINEAR
    return imagecodecs.ultrahdr_decode(content, dtype="float16", transfer=linear)[..., :3].astype(
        np.float64
    )


def stops_between(one: NDArray, other: NDArray) -> NDArray[np.float64]:
    """By how many stops two renditions differ; what is black counts little."""
    return np.abs(np.log2((one.clip(0) + 1 / 64) / (other.clip(0) + 1 / 64)))

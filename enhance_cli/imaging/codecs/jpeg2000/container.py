"""The boxes of a JPEG 2000 file, and the header of its codestream (ISO/IEC 15444-1, A and I)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from enhance_cli.imaging.containers.boxes import boxes
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.metadata import iptc, xmp
from enhance_cli.imaging.metadata.embedded import credentials_in_boxes
from enhance_cli.imaging.metadata.metadata import NO_METADATA, Metadata
from enhance_cli.imaging.metadata.read import block_within_limit, plausible_dpi
from enhance_cli.imaging.resize import Size

_CONTAINER, _CODESTREAM = b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"

_END = b"\xff\xd9"

_EXIF = (b"JpgTiffExif->JP2", bytes.fromhex("0537cdab9d0c4431a72afa561f2a113e"))
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_PHOTOSHOP = bytes.fromhex("2c4c0100850440b9a03e562148d6dfeb")
"""What the content of a UUID box is."""

_ENUMERATED, _PROFILES = 1, {2, 3}
"""Methods of a colr box."""

_OPACITY, _MULTIPLIED = 1, 2
"""Types of channels in a cdef box; 0 is color."""

_RESOLUTION, _LARGEST_EXPONENT, _INCH = struct.Struct(">HHHHbb"), 9, 0.0254
"""Dots per meter in a resc or resd box: vertical and horizontal fractions, and their exponents."""


class Picture(NamedTuple):
    """What a file says of its picture.

    Attributes:
        size: Width and height.
        depths: Bits of each component.
        signed: Whether a component has negative numbers.
        palette: Whether the component is an index of colors.
        color: Number of the color space; None if it is not named.
        profile: ICC profile.
        opacity: Whether one of the channels is opacity; None if nothing is said of the channels.
        multiplied: Whether the colors are multiplied by it.
        several: Whether there are further pictures.
    """

    size: Size
    depths: tuple[int, ...]
    signed: bool = False
    palette: bool = False
    color: int | None = None
    profile: bytes | None = None
    opacity: bool | None = None
    multiplied: bool = False
    several: bool = False


def is_jpeg2000(signature: bytes) -> bool:
    """Whether the first bytes of a file are those of a JPEG 2000, in boxes or without."""
    return signature.startswith((_CONTAINER, _CODESTREAM))


def read_picture(content: bytes) -> Picture:
    """Read what a file says of its picture.

    Raises:
        ValueError: There is no picture.
        struct.error: The header is cut short.
    """
    if content.startswith(_CODESTREAM):
        return _read_header(content)
    streams = [body for kind, body in boxes(content) if kind == b"jp2c"]
    if not streams or not streams[0].startswith(_CODESTREAM):
        raise ValueError("there is no picture in it")
    picture = _read_header(streams[0])._replace(several=len(streams) > 1)
    header = next((body for kind, body in boxes(content) if kind == b"jp2h"), b"")
    for kind, body in boxes(header):
        if kind == b"colr" and picture.color is None and picture.profile is None:
            if body[0] == _ENUMERATED:
                picture = picture._replace(color=struct.unpack_from(">I", body, 3)[0])
            elif body[0] in _PROFILES:
                picture = picture._replace(profile=body[3:])
        elif kind == b"pclr":
            n_colors, n_columns = struct.unpack_from(">HB", body)
            depths = tuple(1 + (bits & 0x7F) for bits in body[3 : 3 + n_columns])
            picture = picture._replace(palette=n_colors > 0, depths=depths)
        elif kind == b"cdef":
            channels = struct.unpack_from(f">{3 * int.from_bytes(body[:2])}H", body, 2)
            kinds = set(channels[1::3])
            picture = picture._replace(
                opacity=not kinds.isdisjoint({_OPACITY, _MULTIPLIED}),
                multiplied=_MULTIPLIED in kinds,
            )
    return picture


def _refuse_zeros_at_end(codestream: bytes) -> None:
    """Refuse a codestream with zeros in place of its end, which OpenJPEG takes for data.

    Raises:
        ValueError: There are some.
    """
    data = codestream.rstrip(b"\0")
    if len(data) < len(codestream) and not data.endswith(_END):
        raise ValueError("its pixel data end with zeros: a part of the picture is missing")


def read_metadata(content: bytes) -> Metadata:
    """Read EXIF, XMP and IPTC."""
    if content.startswith(_CODESTREAM):
        return NO_METADATA
    found: dict[bytes, bytes] = {}
    for kind, body in boxes(content):
        if kind == b"uuid" and len(body) > 16:
            found.setdefault(body[:16], body[16:])
    too_long: list[str] = []
    packet = block_within_limit(found.get(_XMP), "XMP", too_long)
    block = found.get(_EXIF[0]) or found.get(_EXIF[1])
    records = found.get(_IPTC) or iptc.records_in(found.get(_PHOTOSHOP))
    header = next((body for kind, body in boxes(content) if kind == b"jp2h"), b"")
    announced = xmp.announced(packet)
    return Metadata(
        exif=block_within_limit(block, "EXIF", too_long),
        xmp=packet,
        iptc=block_within_limit(records, "IPTC", too_long),
        dpi=_resolution(header),
        gain_map=announced.gain_map,
        video=announced.video,
        credentials=announced.credentials or credentials_in_boxes(Source(content)),
        unreadable=tuple(too_long),
    )


def _resolution(header: bytes) -> tuple[float, float] | None:
    """Dots per inch, horizontal and vertical: for display, or else as captured (I.5.3.7)."""
    stated = next((dict(boxes(body)) for kind, body in boxes(header) if kind == b"res "), {})
    found = stated.get(b"resd") or stated.get(b"resc") or b""
    if len(found) < _RESOLUTION.size:
        return None
    down, per_down, across, per_across, *exponents = _RESOLUTION.unpack_from(found)
    if not (per_down and per_across) or max(map(abs, exponents)) > _LARGEST_EXPONENT:
        return None
    per_meter = across / per_across * 10.0 ** exponents[1], down / per_down * 10.0 ** exponents[0]
    return plausible_dpi([dots * _INCH for dots in per_meter])


def _read_header(codestream: bytes) -> Picture:
    _refuse_zeros_at_end(codestream)
    right, bottom, left, top = struct.unpack_from(">IIII", codestream, 8)
    (count,) = struct.unpack_from(">H", codestream, 40)
    depths = codestream[42 : 42 + 3 * count : 3]
    if not depths or right <= left or bottom <= top:
        raise ValueError("its size is missing")
    signed = any(depth & 0x80 for depth in depths)
    size = Size(right - left, bottom - top)
    return Picture(size, tuple(1 + (depth & 0x7F) for depth in depths), signed)

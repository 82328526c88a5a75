"""XMP packets, updated to match the output image.

A packet is not parsed and written anew, since every program writes it in its own way. The few
properties that change are found by their names, which all programs spell alike, as attributes
(``tiff:Orientation="6"``) or as elements.
"""

from __future__ import annotations

import re

from enhance_cli.imaging.resize import Size

EXTENSION = b"http://ns.adobe.com/xmp/extension/\x00"
"""Prefix of each part of extended XMP in a JPEG (XMP part 3, 1.1.3.1)."""

_WIDTH = rb"(?:tiff:ImageWidth|exif:PixelXDimension)"
_HEIGHT = rb"(?:tiff:ImageLength|exif:PixelYDimension)"
_LOCATION = rb"[\w.-]+:G[Pp][Ss]\w*"
_THUMBNAILS = rb"(?:xmp|xap):Thumbnails"
_GAIN_MAP = rb"(?:hdrgm|HDRGainMap|apdi):\w+"
_PARTS = rb"(?:G?Container):Directory"
_HAS_EXTENDED = rb"xmpNote:HasExtendedXMP"


def is_readable(packet: bytes) -> bool:
    """Whether the packet is UTF-8, as all but a few very old ones are."""
    return b"<" in packet and b"\x00<" not in packet and b"<\x00" not in packet


def names_gain_map(packet: bytes) -> bool:
    """Whether the packet mentions an HDR gain map (Adobe's, Google's or Apple's)."""
    return re.search(rb"hdrgm:Version|HDRGainMap|hdrgainmap", packet) is not None


def orientation_in(packet: bytes) -> int | None:
    """The orientation that a packet states, as EXIF numbers it; None if it states none."""
    found = re.search(rb"""tiff:Orientation(?:\s*=\s*["']|\s*>)\s*([1-8])\b""", packet)
    return int(found.group(1)) if found else None


def update_packet(packet: bytes, size: Size, *, gps: bool = True, extended: bool = False) -> bytes:
    """Update a packet to match the result.

    Args:
        packet: XMP packet in UTF-8.
        size: Width and height of the result.
        gps: Whether to keep the location.
        extended: Whether the result has the packet's extension too, in further JPEG segments.

    Returns:
        The packet with upright orientation and the result's width and height, without thumbnails
        and references to gain maps.
    """
    width, height = (str(side).encode() for side in size)
    packet = _with_value(packet, rb"tiff:Orientation", b"1")
    packet = _with_value(packet, _WIDTH, width)
    packet = _with_value(packet, _HEIGHT, height)
    removed = [_THUMBNAILS, _GAIN_MAP, _PARTS]
    removed += [] if gps else [_LOCATION]
    removed += [] if extended else [_HAS_EXTENDED]
    for name in removed:
        packet = _without(packet, name)
    return packet


def _with_value(packet: bytes, name: bytes, value: bytes) -> bytes:
    """The packet with this value in each attribute and element whose name matches."""
    packet = re.sub(rb"\b(" + name + rb"""\s*=\s*["'])[^"']*""", rb"\g<1>" + value, packet)
    return re.sub(rb"(<(" + name + rb")\s*>)[^<]*(</\2\s*>)", rb"\g<1>" + value + rb"\g<3>", packet)


def _without(packet: bytes, name: bytes) -> bytes:
    """The packet without the attributes and elements whose names match."""
    packet = re.sub(rb"""\s""" + name + rb"""\s*=\s*(?:"[^"]*"|'[^']*')""", b"", packet)
    kept, done = [], 0
    for opening in re.finditer(rb"<(" + name + rb")(?:\s[^<>]*)?>", packet):
        end = opening.end()
        if not opening.group().endswith(b"/>"):
            closing = b"</" + opening.group(1) + b">"
            end = packet.find(closing, end) + len(closing)
            if end < len(closing):
                break  # damaged from here on
        if opening.start() >= done:
            kept.append(packet[done : opening.start()])
            done = end
    return b"".join([*kept, packet[done:]])

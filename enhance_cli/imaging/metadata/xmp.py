"""XMP packets, updated to match the output image.

Properties are found by their namespaces, whatever their prefixes, as attributes
(``tiff:Orientation="6"``) or as elements. A packet is not written anew: all that stays keeps its
bytes, since every program writes it in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from enhance_cli.imaging.metadata.location import (
    TEXTS_LOST,
    is_known,
    may_tell_location,
    names_location,
)
from enhance_cli.imaging.metadata.xml_packet import Attribute, Element, Name, XmlError, XmlPacket
from enhance_cli.imaging.resize import Size

_TIFF, _EXIF = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_GOOGLE_CONTAINER = "http://ns.google.com/photos/1.0/container/"

_DC, _PHOTOSHOP = "http://purl.org/dc/elements/1.1/", "http://ns.adobe.com/photoshop/1.0/"

_ORIENTATION = Name(_TIFF, "Orientation")
_WIDTHS = (Name(_TIFF, "ImageWidth"), Name(_EXIF, "PixelXDimension"))
_HEIGHTS = (Name(_TIFF, "ImageLength"), Name(_EXIF, "PixelYDimension"))

_FORMAT, _COLOR_SPACE = Name(_DC, "format"), Name(_EXIF, "ColorSpace")
_COLOR_MODE, _PROFILE = Name(_PHOTOSHOP, "ColorMode"), Name(_PHOTOSHOP, "ICCProfile")

_TO_RGB = frozenset({"4", "9"})
"""Photoshop's modes CMYK and Lab, whose results are RGB."""
_RGB = b"3"

PREFIX = b"http://ns.adobe.com/xap/1.0/\x00"
"""Beginning of the segment of a packet in a JPEG (XMP part 3, 1.1.3)."""

HAS_EXTENSION = Name("http://ns.adobe.com/xmp/note/", "HasExtendedXMP")
"""The property that names the packet's extension, in further segments of a JPEG."""

_GAIN_MAPS = frozenset({
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.apple.com/HDRGainMap/1.0/",
    "http://ns.apple.com/pixeldatainfo/1.0/",
})  # fmt: skip
"""Namespaces of Adobe, Google and Apple that describe a gain map."""

_PROVENANCE = Name("http://purl.org/dc/terms/", "provenance")
"""The property that names the photo's content credentials (C2PA 2.1, 11.6)."""

_ABSENT = frozenset({
    _PROVENANCE,
    Name("http://ns.adobe.com/xap/1.0/", "Thumbnails"),
    Name(_GOOGLE_CONTAINER, "Directory"),
    Name("http://ns.google.com/photos/dd/1.0/container/", "Directory"),
})  # fmt: skip
"""Properties that hold or list what a result has none of: thumbnails, videos, credentials."""

_VIDEO = re.compile(r"MotionPhoto|MicroVideo")
"""Names of the properties of a motion photo, in the namespaces of Google and of phone makers."""

_GAIN_MAP_VALUES = re.compile(r"hdrgainmap$|^GainMap$")
_MAY_NAME_GAIN_MAP = re.compile(rb"gain-?map", re.IGNORECASE)
_MAY_NAME_VIDEO = re.compile(rb"MotionPhoto|MicroVideo")
"""A first look: few packets need to be parsed for these."""

_RDF_ROOT, _ITEM = Name(_RDF, "RDF"), Name(_RDF, "li")

_LONGEST = 2**19
"""Characters of all texts of a packet that are searched for coordinates."""

UNKNOWN_LOST = "XMP of unknown meaning was left out, as it may tell the location"

_IDENTITIES = frozenset({Name(_RDF, "nodeID"), Name(_RDF, "ID")})
"""References between parts of a packet, which XMP does not allow."""


def is_readable(packet: bytes) -> bool:
    """Whether the packet is UTF-8, as all but a few very old ones are."""
    return b"<" in packet and b"\x00<" not in packet and b"<\x00" not in packet


def names_gain_map(packet: bytes) -> bool:
    """Whether the packet describes an HDR gain map (Adobe's, Google's or Apple's)."""
    if not _MAY_NAME_GAIN_MAP.search(packet):
        return False
    return any(
        name.namespace in _GAIN_MAPS or _GAIN_MAP_VALUES.search(value)
        for name, value in _properties(packet)
    )


def names_video(packet: bytes) -> bool:
    """Whether the packet describes the video of a motion photo (Google's, Samsung's and others)."""
    if not _MAY_NAME_VIDEO.search(packet):
        return False
    return any(
        value == "MotionPhoto" or (name.local in {"MotionPhoto", "MicroVideo"} and value == "1")
        for name, value in _properties(packet)
    )


def names_credentials(packet: bytes) -> bool:
    """Whether the packet names content credentials (C2PA), in the file or elsewhere."""
    if _PROVENANCE.local.encode() not in packet:
        return False
    return any(name == _PROVENANCE for name, _ in _properties(packet))


class Announced(NamedTuple):
    """What a packet says that its file holds, and that a result does not."""

    gain_map: bool
    video: bool
    credentials: bool


def announced(packet: bytes | None) -> Announced:
    """Look for all that a packet may announce; no packet announces nothing."""
    packet = packet or b""
    return Announced(names_gain_map(packet), names_video(packet), names_credentials(packet))


def named_extension(packet: bytes) -> bytes:
    """The digest by which a packet names its extension, in a JPEG; empty if it names none."""
    if HAS_EXTENSION.local.encode() not in packet:
        return b""
    return value_in(packet, HAS_EXTENSION).encode()


def value_in(packet: bytes, wanted: Name) -> str:
    """The value of the first property of this name; empty if a packet has none."""
    return next((value.strip() for name, value in _properties(packet) if name == wanted), "")


def orientation_in(packet: bytes) -> int | None:
    """The orientation that a packet states, as EXIF numbers it; None if it states none."""
    if _ORIENTATION.local.encode() not in packet:
        return None
    stated = (value.strip() for name, value in _properties(packet) if name == _ORIENTATION)
    return next((int(value) for value in stated if value in set("12345678")), None)


def update_packet(
    packet: bytes,
    size: Size,
    *,
    srgb: bool = True,
    gps: bool = True,
    extended: bool = False,
    lost: set[str] | None = None,
) -> bytes | None:
    """Update a packet to match the result.

    Args:
        packet: XMP packet in UTF-8.
        size: Width and height of the result.
        srgb: Whether the result is sRGB.
        gps: Whether to keep the location. If not, all that is not known to be free of it goes.
        extended: Whether the result has the packet's extension too, in further JPEG segments.
        lost: Gets a line for what was left out because it may tell the location.

    Returns:
        The packet with upright orientation and the result's size and color space, without
        thumbnails and references to gain maps, videos and content credentials. None if it cannot be
        read, or if it cannot be told what it says of the location.
    """
    try:
        xml = XmlPacket(packet)
    except XmlError:
        return None
    if not gps:
        if not _can_be_judged(xml):
            return None
        _cut_asides(xml)
    lines = set() if lost is None else lost
    width, height = (str(side).encode() for side in size)
    values = {_ORIENTATION: b"1", _COLOR_SPACE: b"1" if srgb else b"65535"}
    values |= dict.fromkeys(_WIDTHS, width) | dict.fromkeys(_HEIGHTS, height)

    def is_gone(part: Element | Attribute) -> bool:
        if _is_lost(part.name, extended) or (srgb and _names_other_profile(part)):
            return True
        return not (gps or _is_harmless(part, lines))

    for element in xml.walk():
        if is_gone(element):
            xml.cut(element)
            continue
        value = _updated(element, values)
        if value is not None:
            xml.set_text(element, value)
        for attribute in element.attributes:
            value = _updated(attribute, values)
            if is_gone(attribute):
                xml.cut(attribute)
            elif value is not None:
                xml.set_value(attribute, value)
    return xml.changed()


def with_format(packet: bytes, mime_type: bytes) -> bytes:
    """Let a packet that names the format of its file name that of the result."""
    if _FORMAT.local.encode() not in packet:
        return packet
    try:
        xml = XmlPacket(packet)
    except XmlError:
        return packet
    for element in xml.walk():
        if element.name == _FORMAT:
            xml.set_text(element, mime_type)
        for attribute in element.attributes:
            if attribute.name == _FORMAT:
                xml.set_value(attribute, mime_type)
    return xml.changed()


def rdf_in(xml: XmlPacket) -> Element | None:
    """The element that holds all properties of a packet, in descriptions."""
    return next((element for element in xml.walk() if element.name == _RDF_ROOT), None)


def _properties(packet: bytes) -> Iterator[tuple[Name, str]]:
    """The names and values of all elements and attributes; none if the packet cannot be read."""
    try:
        xml = XmlPacket(packet)
    except XmlError:
        return
    for element in xml.walk():
        yield element.name, element.text.strip()
        for attribute in element.attributes:
            yield attribute.name, attribute.value


def _updated(part: Element | Attribute, values: Mapping[Name, bytes]) -> bytes | None:
    """The value of a property in a result; None if it stays."""
    if part.name == _COLOR_MODE and _text_of(part) in _TO_RGB:
        return _RGB
    return values.get(part.name)


def _names_other_profile(part: Element | Attribute) -> bool:
    """Whether a property names another color profile than that of sRGB."""
    return part.name == _PROFILE and "srgb" not in _text_of(part).lower()


def _text_of(part: Element | Attribute) -> str:
    return (part.value if isinstance(part, Attribute) else part.text).strip()


@lru_cache(1024)
def _is_lost(name: Name, extended: bool) -> bool:
    """Whether a property describes what results do not have."""
    if name == HAS_EXTENSION:
        return not extended
    return name in _ABSENT or name.namespace in _GAIN_MAPS or _VIDEO.search(name.local) is not None


def _can_be_judged(xml: XmlPacket) -> bool:
    """Whether a packet's parts are where they stand, and its texts are few enough to be read."""
    length = 0
    for element in xml.walk():
        length += len(element.text) + sum(len(one.value) for one in element.attributes)
        if any(attribute.name in _IDENTITIES for attribute in element.attributes):
            return False
    return length <= _LONGEST


def _is_harmless(part: Element | Attribute, lost: set[str]) -> bool:
    """Whether a property, without those in it, is known not to tell the location."""
    if not is_known(part.name):
        lost.add(UNKNOWN_LOST)
        return False
    if names_location(part.name):
        return False
    if isinstance(part, Attribute):
        texts = [part.value]
    else:
        items = (child for child in part.children if child.name == _ITEM)
        texts = [part.text, " ".join(item.text for item in items)]
    if any(may_tell_location(text) for text in texts if text.strip()):
        lost.add(TEXTS_LOST)
        return False
    return True


def _cut_asides(xml: XmlPacket) -> None:
    """Cut out comments and instructions, except those that mark the packet's beginning and end."""
    for aside in xml.asides:
        if aside.target != "xpacket":
            xml.cut(aside)

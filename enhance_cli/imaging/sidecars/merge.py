"""What a sidecar says of a photo that has metadata of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from enhance_cli.imaging.metadata.metadata import PACKET_LOST, Metadata
from enhance_cli.imaging.metadata.xml_packet import Attribute, Element, Name, XmlError, XmlPacket
from enhance_cli.imaging.metadata.xmp import is_readable, rdf_in
from enhance_cli.imaging.sidecars.read import read_sidecar

_ABOUT = Name("http://www.w3.org/1999/02/22-rdf-syntax-ns#", "about")
"""What a description is about: the file. It is no property."""


def with_sidecar(found: Metadata, photo: Path) -> Metadata:
    """Add what the sidecar of a photo says to the metadata in its file.

    Each property of the sidecar takes the place of that in the file; the others stay. Which way is
    up is told by the file alone.

    Args:
        found: The metadata in the file.
        photo: The file; RAW files are read with their sidecars.
    """
    sidecar = read_sidecar(photo)
    if sidecar.problem is not None:
        return replace(found, unreadable=(*found.unreadable, sidecar.problem))
    if sidecar.packet is None:
        return found
    if found.xmp is None:
        return replace(found, xmp=sidecar.packet)
    packet = merged(found.xmp, sidecar.packet)
    if packet is None:
        unreadable = (*found.unreadable, PACKET_LOST)
        return replace(found, xmp=sidecar.packet, long_xmp=(), unreadable=unreadable)
    return replace(found, xmp=packet)


def merged(packet: bytes, sidecar: bytes) -> bytes | None:
    """Replace properties of a packet by those that a sidecar states.

    Args:
        packet: The packet of a photo.
        sidecar: The packet of its sidecar.

    Returns:
        The packet with the properties of both; None if one of them cannot be read.
    """
    if not is_readable(packet):
        return None
    try:
        own, beside = XmlPacket(packet), XmlPacket(sidecar)
    except XmlError:
        return None
    target, source = rdf_in(own), rdf_in(beside)
    if target is None or source is None:
        return None
    if target.content_end < target.content:  # it is empty
        return sidecar
    stated = {part.name for part in _properties(source)}
    for part in _properties(target):
        if part.name in stated:
            own.cut(part)
    added = b"".join(beside.standing_alone(description) for description in source.children)
    own.insert(target.content_end, added)
    return own.changed()


def _properties(rdf: Element) -> Iterator[Attribute | Element]:
    """The properties of all descriptions, as attributes or elements."""
    for description in rdf.children:
        yield from (one for one in description.attributes if one.name != _ABOUT)
        yield from description.children

"""XMP that is too long for one segment of a JPEG: its extension (XMP part 3, 1.1.3.1).

The extension is a packet of its own. Its parts, each in a segment of its own, name it by its MD5
digest, and so does a property of the main packet.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from functools import partial

from enhance_cli.imaging.metadata.xml_packet import XmlError, XmlPacket
from enhance_cli.imaging.metadata.xmp import (
    HAS_EXTENSION,
    named_extension,
    rdf_in,
    update_packet,
)
from enhance_cli.imaging.resize import Size

PREFIX = b"http://ns.adobe.com/xmp/extension/\x00"
"""Beginning of the segment of each part."""

_HEADER = struct.Struct(">32sII")
"""Digest, in hexadecimal; length of the whole extension; position of the part in it."""

_PART = 65_000
"""Bytes of the extension in each part."""

Parts = tuple[bytes, ...]
"""The contents of the segments, each with ``PREFIX``."""


def update_extension(
    packet: bytes,
    parts: Parts,
    size: Size,
    *,
    srgb: bool = True,
    gps: bool = True,
    lost: set[str] | None = None,
) -> tuple[bytes | None, Parts]:
    """Update a packet that has an extension, as :func:`update_packet` does, and the extension.

    Returns:
        The packet, or None if it cannot be read; and the parts of the extension, or none if they
        are not whole or cannot be read.
    """
    name = named_extension(packet)
    extension = _joined(parts, name) if name else None
    update = partial(update_packet, size=size, srgb=srgb, gps=gps, lost=lost)
    updated = update(extension) if extension else None
    main = update(packet, extended=updated is not None)
    if updated is None or main is None:
        return main, ()
    new_name = hashlib.md5(updated, usedforsecurity=False).hexdigest().upper().encode()
    starts = range(0, len(updated), _PART)
    headers = [_HEADER.pack(new_name, len(updated), start) for start in starts]
    new_parts = [
        PREFIX + header + updated[start : start + _PART]
        for header, start in zip(headers, starts, strict=True)
    ]
    return main.replace(name, new_name), tuple(new_parts)


def merged(packet: bytes, parts: Parts) -> bytes | None:
    """Move the properties of the extension into the packet, for formats without such a limit.

    Args:
        packet: The packet.
        parts: The parts of its extension, from :func:`update_extension`.

    Returns:
        The packet, which no longer names an extension. None if the parts do not fit it.
    """
    extension = _joined(parts, named_extension(packet))
    if extension is None:
        return None
    try:
        main, more = XmlPacket(packet), XmlPacket(extension)
    except XmlError:
        return None
    target, source = rdf_in(main), rdf_in(more)
    if target is None or source is None or target.content_end < target.content:
        return None
    added = b"".join(more.standing_alone(child) for child in source.children)
    main.insert(target.content_end, added)
    for element in main.walk():
        if element.name == HAS_EXTENSION:
            main.cut(element)
        for attribute in element.attributes:
            if attribute.name == HAS_EXTENSION:
                main.cut(attribute)
    return main.changed()


def _joined(parts: Sequence[bytes], name: bytes) -> bytes | None:
    """Join the parts of the extension of this name; None if any is missing."""
    found: dict[int, bytes] = {}
    total = 0
    for part in parts:
        content = part.removeprefix(PREFIX)
        if len(content) < _HEADER.size:
            continue
        own_name, total_here, start = _HEADER.unpack_from(content)
        if own_name == name:
            found[start], total = content[_HEADER.size :], total_here
    joined = b""
    for start in sorted(found):
        if start != len(joined):
            return None
        joined += found[start]
    return joined if found and len(joined) == total else None

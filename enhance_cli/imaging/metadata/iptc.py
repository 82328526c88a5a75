"""IPTC records, as JPEG and TIFF files hold them in Photoshop's image resources."""

from __future__ import annotations

import struct

RESOURCE = 0x0404
"""Id of the resource that holds the records (IPTC-NAA)."""

SIGNATURE = b"8BIM"


def records_in(resources: object) -> bytes | None:
    """Find the IPTC records among Photoshop's image resources.

    Args:
        resources: The resource block (Adobe Photoshop File Formats). Any other object is taken as
            a block without resources.

    Returns:
        The records, or None if there are none.
    """
    at = 0
    while (
        isinstance(resources, bytes)
        and resources[at : at + 4] == SIGNATURE
        and at + 12 <= len(resources)
    ):
        found, name = struct.unpack_from(">HB", resources, at + 4)
        start = at + 6 + (name + 2) // 2 * 2
        if start + 4 > len(resources):
            break
        length = struct.unpack_from(">I", resources, start)[0]
        if found == RESOURCE:
            return resources[start + 4 : start + 4 + length]
        at = start + 4 + (length + 1) // 2 * 2
    return None


def resource_with(records: bytes) -> bytes:
    """Wrap IPTC records in an image resource."""
    padded = records + bytes(len(records) % 2)
    return struct.pack(">4sHHI", SIGNATURE, RESOURCE, 0, len(records)) + padded

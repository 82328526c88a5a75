"""IPTC records, as JPEG and TIFF files hold them in Photoshop's image resources."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from enhance_cli.imaging.metadata.location import TEXTS_LOST, bytes_may_tell_location

RESOURCE = 0x0404
"""Id of the resource that holds the records (IPTC-NAA)."""

SIGNATURE = b"8BIM"

_SIGNATURES = frozenset({SIGNATURE, b"PHUT", b"DCSR", b"AgHg", b"MeSa"})
"""Beginnings of resources, those of Adobe's other programs among them."""

PREFIX = b"Photoshop 3.0\0"
"""Beginning of a JPEG's segment of image resources."""

_MARKER, _LONG = 0x1C, 0x8000
"""First byte of a data set, and the bit of its length that says that a longer length follows."""

_ENVELOPE, _APPLICATION = 1, 2
"""The records that describe the transmission and the picture."""

_PLACES = frozenset({26, 27, 90, 92, 95, 100, 101})
"""Data sets of the second record that name places: locations of the content by code and name, city,
sublocation, province, and the country by code and name."""

_LAST_TEXT = 135
"""Number of the last data set of the standard's texts; sounds and previews follow."""


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
        and resources[at : at + 4] in _SIGNATURES
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


def without_places(records: bytes, lost: list[str] | None = None) -> bytes | None:
    """Leave out all data sets that may tell where a photo was taken (IIM 4.2, chapters 5 and 6).

    Args:
        records: The records.
        lost: Gets a line if texts are left out that do not stand where a place should.

    Returns:
        The data sets of the standard that do not name places; None if none is left, or if the
        records are damaged.
    """
    kept: list[bytes] = []
    try:
        for record, number, content, whole in _data_sets(records):
            described = record == _APPLICATION and number <= _LAST_TEXT and number not in _PLACES
            told = described and bytes_may_tell_location(content)
            if record == _ENVELOPE or (described and not told):
                kept.append(whole)
            elif told and lost is not None:
                lost.append(TEXTS_LOST)
    except (struct.error, ValueError):
        return None
    return b"".join(kept) or None


def _data_sets(records: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """The number of the record and of the data set, its content, and all its bytes.

    Raises:
        struct.error: The last one is cut short.
        ValueError: Something else stands where one should begin.
    """
    at, whole = 0, len(records.rstrip(b"\0"))
    while at < whole:
        marker, record, number, length = struct.unpack_from(">BBBH", records, at)
        if marker != _MARKER:
            raise ValueError("no data set")
        start = at + 5
        if length & _LONG:
            digits = length ^ _LONG
            length = int.from_bytes(records[start : start + digits], "big")
            start += digits
        end = start + length
        if end > len(records):
            raise ValueError("cut short")
        yield record, number, records[start:end], records[at:end]
        at = end


def resource_with(records: bytes) -> bytes:
    """Wrap IPTC records in an image resource."""
    padded = records + bytes(len(records) % 2)
    return struct.pack(">4sHHI", SIGNATURE, RESOURCE, 0, len(records)) + padded

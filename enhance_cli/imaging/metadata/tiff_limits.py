"""A first look at the directories of a TIFF, for readers that believe every number in them.

A tag of a file of a kilobyte can claim four billion values.
"""

from __future__ import annotations

import os
import struct
from typing import IO

import piexif

from enhance_cli.imaging.metadata.exif_block import WIDTHS

MAX_TAG_BYTES = 2**23
"""Most bytes of all the values that piexif reads of a file; it makes an object of each number."""

_ORDERS = {b"II": "<", b"MM": ">"}

_POINTERS = {("0th", 0x8769): "Exif", ("0th", 0x8825): "GPS", ("Exif", 0xA005): "Interop"}
"""Directories by the tags that point to them, with piexif's names."""


class CostlyTagsError(Exception):
    """The tags of a file claim more values than the file has, or than can be read in memory."""


def refuse_costly_tags(file: IO[bytes]) -> None:
    """Look at the directories that piexif reads, before it reads them.

    Args:
        file: A file. One that is not built like a TIFF is not looked at.

    Raises:
        CostlyTagsError: Reading them would take too much memory or time.
        struct.error: The directories are damaged.
    """
    header = file.read(8)
    order = _ORDERS.get(header[:2])
    if order is None:
        return
    size = file.seek(0, os.SEEK_END)
    waiting, total = [(struct.unpack_from(f"{order}I", header, 4)[0], "0th")], 0
    while waiting:
        position, kind = waiting.pop()
        known = piexif.TAGS.get(kind, piexif.TAGS["Image"])
        file.seek(position)
        count = struct.unpack(f"{order}H", file.read(2))[0]
        content = file.read(12 * count)
        found: dict[str, int] = {}
        for at in range(0, 12 * count, 12):
            tag, type_, n_values, value = struct.unpack_from(f"{order}HHII", content, at)
            total += WIDTHS.get(type_, 1) * n_values if tag in known else 0
            if total > min(MAX_TAG_BYTES, size):
                raise CostlyTagsError(f"tag {tag} claims {n_values:,} values")
            if (kind, tag) in _POINTERS:
                found[_POINTERS[kind, tag]] = value
        link = file.read(4)
        if kind == "0th" and any(link):
            found["1st"] = struct.unpack(f"{order}I", link)[0]
        waiting += [(position, kind) for kind, position in found.items()]

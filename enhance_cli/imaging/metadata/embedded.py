"""What a file holds beside the photo: HDR gain maps, videos and content credentials."""

from __future__ import annotations

import os
import struct
from typing import IO

from PIL import Image

from enhance_cli.imaging.codecs.isobmff.picture_boxes import read_picture_boxes
from enhance_cli.imaging.containers.boxes import find_boxes
from enhance_cli.imaging.containers.jpeg_segments import APP1, APP2, jpeg_segments
from enhance_cli.imaging.containers.riff import riff_chunks
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.gain_maps.multi_picture import further_pictures, has_index
from enhance_cli.imaging.metadata import xmp

_ISO_GAIN_MAP = b"urn:iso:std:iso:ts:21496"

_SAMSUNG_TRAILER, _SAMSUNG_VIDEO = b"SEFT", 0x0A30
_HUAWEI_VIDEO = b"LIVE_"
"""How phones mark a video after the photo: at the end of the file."""

_MAX_TRAILER = 2**16

_HEIF_HEAD = 2**18
"""Bytes at the beginning of a HEIC in which its pictures are listed."""

_CREDENTIALS = bytes.fromhex("6332706100110010800000aa00389b71")
"""Type of the JUMBF box of C2PA's manifests (C2PA 2.1, 11.1.4.2)."""

_CREDENTIALS_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""Type of the ``uuid`` box that holds them in files of boxes (C2PA 2.1, A.3)."""

CREDENTIALS_TAG = 0xCD41
"""TIFF tag that holds them (C2PA 2.1, A.4)."""

_CREDENTIALS_HEAD = 2**10
"""Bytes at the beginning of a JUMBF box in which its type stands."""


def holds_credentials(block: bytes) -> bool:
    """Whether a block of JUMBF holds content credentials (C2PA).

    Args:
        block: Content of an APP11 segment of a JPEG, of a ``caBX`` chunk of a PNG, of a ``C2PA``
            chunk of a WebP, or a ``jumb`` box with or without its head.
    """
    return _CREDENTIALS in block[:_CREDENTIALS_HEAD]


def credentials_in_boxes(source: Source) -> bool:
    """Whether an AVIF, HEIC, JPEG XL or JPEG 2000 holds content credentials."""
    for kind, start, end in find_boxes(source):
        body = source.read(start, min(_CREDENTIALS_HEAD, end - start))
        if kind == b"uuid" and body.startswith(_CREDENTIALS_UUID):
            return True
        if kind == b"jumb" and holds_credentials(body):
            return True
        if kind == b"brob" and body.startswith(b"jumb"):  # photos have no other JUMBF
            return True
    return False


def has_credentials(image: Image.Image) -> bool:
    """Whether a file has content credentials (C2PA).

    Args:
        image: The file, opened by Pillow.
    """
    packet, path = image.info.get("xmp"), getattr(image, "filename", "")
    packet = packet.encode() if isinstance(packet, str) else packet
    if isinstance(packet, bytes) and xmp.names_credentials(packet):
        return True
    blocks = [content for name, content in getattr(image, "applist", ()) if name == "APP11"]
    blocks += [chunk[1] for chunk in getattr(image, "private_chunks", ()) if chunk[0] == b"caBX"]
    if any(holds_credentials(block) for block in blocks):
        return True
    if image.format == "TIFF":
        return CREDENTIALS_TAG in getattr(image, "tag_v2", ())
    if not path or image.format not in {"HEIF", "WEBP"}:
        return False
    with open(path, "rb") as file:  # noqa: PTH123
        source = Source(file)
        if image.format == "WEBP":
            return any(chunk.name == b"C2PA" for chunk in riff_chunks(source))
        return credentials_in_boxes(source)


def has_gain_map(image: Image.Image) -> bool:
    """Whether a file has an HDR gain map of Adobe, Google, Apple or ISO 21496-1.

    Args:
        image: The file, opened by Pillow. What Pillow does not tell is found if it has a name.
    """
    if any("hdrgainmap" in str(name).lower() for name in image.info.get("aux", ())):
        return True
    packet, path = image.info.get("xmp"), getattr(image, "filename", "")
    if isinstance(packet, bytes) and xmp.names_gain_map(packet):
        return True
    if image.format == "HEIF" and path:
        with open(path, "rb") as file:  # noqa: PTH123
            return read_picture_boxes(file.read(_HEIF_HEAD)).has_gain_map
    for name, content in getattr(image, "applist", ()):
        if name == "APP2" and content.startswith(_ISO_GAIN_MAP):
            return True
    return _lists_gain_map(image)


def has_video(image: Image.Image) -> bool:
    """Whether a file is a motion photo: a photo with a video behind it.

    Args:
        image: The file, opened by Pillow.
    """
    packet = image.info.get("xmp")
    if isinstance(packet, bytes) and xmp.names_video(packet):
        return True
    path = getattr(image, "filename", "")
    if not path or image.format not in {"JPEG", "MPO"}:
        return False
    with open(path, "rb") as file:  # noqa: PTH123, a name as Pillow has it
        return _ends_with_video(file)


def _lists_gain_map(image: Image.Image) -> bool:
    """Whether a picture of a JPEG but the first is a gain map (CIPA DC-007)."""
    path = getattr(image, "filename", "")
    if not path or not has_index(image):
        return False
    with open(path, "rb") as file:  # noqa: PTH123
        source = Source(file)
        return any(_is_gain_map(source, place.start) for place in further_pictures(source))


def _is_gain_map(source: Source, start: int) -> bool:
    """Whether the JPEG at a position says that it is a gain map."""
    for segment in jpeg_segments(source, start):
        if segment.marker in {APP1, APP2}:
            content = source.between(segment.start, segment.end)
            if segment.marker == APP2 and content.startswith(_ISO_GAIN_MAP):
                return True
            if segment.marker == APP1 and xmp.names_gain_map(content.removeprefix(xmp.PREFIX)):
                return True
    return False


def _ends_with_video(file: IO[bytes]) -> bool:
    """Whether a phone has marked the end of the file as that of a motion photo."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 40))
    end = file.read()
    if _HUAWEI_VIDEO in end:
        return True
    if len(end) < 8 or not end.endswith(_SAMSUNG_TRAILER):
        return False
    # A directory of 12 bytes for each part, after a header of 12 bytes.
    length = struct.unpack_from("<I", end, len(end) - 8)[0]
    if not 12 <= length <= min(_MAX_TRAILER, size - 8):
        return False
    file.seek(size - 8 - length)
    directory = file.read(length)
    kinds = [struct.unpack_from("<H", directory, at)[0] for at in range(14, length - 1, 12)]
    return directory.startswith(b"SEFH") and _SAMSUNG_VIDEO in kinds

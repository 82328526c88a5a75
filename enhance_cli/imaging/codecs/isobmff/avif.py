"""Reading and writing AVIF.

libavif decodes the pixels; colors, crop and rotation stand in boxes that it leaves to its callers.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL.AvifImagePlugin import AvifImageFile

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.isobmff.lost_blocks import check_lost_blocks
from enhance_cli.imaging.codecs.isobmff.picture_boxes import (
    PictureBoxes,
    content_of,
    is_animated,
    pictures_in,
    read_picture_boxes,
)
from enhance_cli.imaging.codecs.levels import full_range
from enhance_cli.imaging.codecs.pillow_image import image_from_photo, save_image
from enhance_cli.imaging.codecs.stored_image import (
    SEVERAL_IMAGES,
    StoredImage,
    photo_from_stored,
    with_code_points,
)
from enhance_cli.imaging.containers.boxes import brands_of
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.metadata import xmp
from enhance_cli.imaging.metadata.embedded import credentials_in_boxes
from enhance_cli.imaging.metadata.exif import without_orientation
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.metadata.read import MAX_LENGTH, TOO_LONG
from enhance_cli.imaging.photo import Photo, refuse_too_many_pixels

_BRANDS, _GENERAL_BRANDS = {b"avif", b"avis"}, {b"mif1", b"msf1", b"miaf"}

_HIGH_BIT_DEPTH, _TWELVE_BIT = 0x40, 0x20
"""Bits of the third byte of a codec configuration (AV1 in ISOBMFF, 2.3.3)."""


def is_avif(signature: bytes) -> bool:
    """Whether the first bytes of a file are those of an AVIF."""
    major, *compatible = brands_of(signature) or (b"",)
    return major in _BRANDS or (major in _GENERAL_BRANDS and not _BRANDS.isdisjoint(compatible))


def read_avif(
    path: Path, long_edge: int | None, max_pixels: int, reserve: Callable[[int], None]
) -> Photo:
    """Read an AVIF with all its bits, cropped, rotated and mirrored as it says.

    Args:
        path: The file.
        long_edge: As in :func:`enhance_cli.imaging.codecs.decode.decode`.
        max_pixels: Largest number of pixels that a file may have.
        reserve: Called with the number of pixels before they are read into memory.
    """
    content = path.read_bytes()
    boxes, warnings = read_picture_boxes(content), []
    extent = boxes.property_of(b"ispe")
    if extent is None:
        raise ValueError("the size of the picture is missing")
    size = struct.unpack_from(">II", extent, 4)
    refuse_too_many_pixels(path, size, max_pixels)
    animated = is_animated(content)
    if animated:
        warnings.append(SEVERAL_IMAGES)
    check_lost_blocks(pictures_in(boxes, content), warnings)
    reserve(math.prod(size))
    levels = _first_frame(content) if animated else imagecodecs.avif_decode(content)
    bits = 8 if levels.dtype == np.uint8 else _bits_of(boxes)
    levels = _transformed(full_range(levels, bits), boxes)
    stored = _with_color(StoredImage.of(levels), boxes, warnings)
    return photo_from_stored(stored, _metadata_of(content, boxes), long_edge, warnings)


def write_avif(photo: Photo, path: Path, encoding: Encoding, metadata: Metadata) -> None:
    """Write a lossy AVIF file with 8 bits per channel."""
    options: dict[str, Any] = {
        "icc_profile": photo.icc_profile,
        "quality": encoding.quality,
        "subsampling": encoding.subsampling,
    }
    if metadata.exif_block:
        # Pillow would move the orientation out of the block, and rebuild the whole block for it.
        options["exif"] = without_orientation(metadata.exif_block)
    if metadata.xmp:
        options["xmp"] = metadata.xmp
    save_image(image_from_photo(photo), path, "AVIF", **options)


def _first_frame(content: bytes) -> NDArray[np.uint8]:
    """Decode the first picture of an animation, with 8 bits per channel.

    imagecodecs would decode all of them, or damage its memory when asked for one.
    """
    with AvifImageFile(BytesIO(content)) as image:
        return np.asarray(image)


def _bits_of(boxes: PictureBoxes) -> int:
    """Bits per channel, if they are more than 8."""
    codec = next((body for kind, body in boxes.all_properties if kind == b"av1C"), bytes(4))
    return 12 if codec[2] & _HIGH_BIT_DEPTH and codec[2] & _TWELVE_BIT else 10


def _transformed(levels: NDArray[Any], boxes: PictureBoxes) -> NDArray[Any]:
    """Crop, rotate and mirror a picture by its properties (ISO/IEC 23008-12, 6.5.9 to 6.5.12)."""
    for kind, body in boxes.properties:
        if kind == b"clap":
            levels = _cropped(levels, body)
        elif kind == b"irot":
            levels = np.rot90(levels, body[0] & 3)
        elif kind == b"imir":
            levels = np.fliplr(levels) if body[0] & 1 else np.flipud(levels)
    return np.ascontiguousarray(levels)


def _cropped(levels: NDArray[Any], aperture: bytes) -> NDArray[Any]:
    """Crop to a clean aperture, unless it is not inside the picture."""
    numbers = struct.unpack_from(">IIIIiIiI", aperture)
    if not all(numbers[1::2]):
        return levels
    wide, tall, across, down = (n / d for n, d in zip(numbers[::2], numbers[1::2], strict=True))
    height, width = levels.shape[:2]
    left, top = round(across + (width - wide) / 2), round(down + (height - tall) / 2)
    right, bottom = left + round(wide), top + round(tall)
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        return levels
    return levels[top:bottom, left:right]


def _with_color(image: StoredImage, boxes: PictureBoxes, warnings: list[str]) -> StoredImage:
    profile = boxes.property_of(b"colr", b"prof", b"rICC")
    if profile is not None:
        return StoredImage(image.channels, image.model, image.alpha, profile[4:])
    numbers = boxes.property_of(b"colr", b"nclx")
    if numbers is None:
        return image
    return with_code_points(image, *struct.unpack_from(">HH", numbers, 4), warnings)


def _metadata_of(content: bytes, boxes: PictureBoxes) -> Metadata:
    exif = packet = None
    too_long: dict[str, None] = {}
    for item in boxes.items:
        is_packet = item.kind == b"mime" and item.content_type == b"application/rdf+xml"
        if not (is_packet or item.kind == b"Exif"):
            continue
        if sum(length for _, length in item.parts) > MAX_LENGTH:
            too_long[TOO_LONG.format("XMP" if is_packet else "EXIF")] = None
            continue
        body = content_of(item, content)
        if is_packet:
            packet = packet or body or None
        elif len(body) > 4:
            exif = exif or body[4 + int.from_bytes(body[:4]) :] or None
    announced = xmp.announced(packet)
    return Metadata(
        exif=exif,
        xmp=packet,
        gain_map=announced.gain_map or boxes.has_gain_map,
        video=announced.video,
        credentials=announced.credentials or credentials_in_boxes(Source(content)),
        unreadable=tuple(too_long),
    )

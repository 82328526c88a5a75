"""Reading and writing JPEG.

simplejpeg decodes, since it tells of libjpeg's warnings, and imagecodecs encodes photos in color.
Both make fewer copies than Pillow. The library below is the same, libjpeg-turbo, and so are the
pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.damaged_jpeg import is_arithmetic, mend_jpeg
from enhance_cli.imaging.codecs.pillow_image import image_from_photo, save_image
from enhance_cli.imaging.containers.jpeg_segments import (
    APP1,
    APP13,
    COMMENT,
    LONGEST,
    build_segment,
    is_metadata,
    jpeg_segments,
)
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.gain_maps.gain_map import GainMap
from enhance_cli.imaging.gain_maps.multi_picture import join_pictures
from enhance_cli.imaging.gain_maps.write import announce, encode_gain_map
from enhance_cli.imaging.metadata import iptc
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.photo import Photo, convert_dtype
from enhance_cli.imaging.resize import Size

METADATA_LIMITS = {"exif": 65_533, "xmp": 65_504, "comment": 65_533}
"""Longest metadata of each kind, in bytes: what a segment of 65,535 bytes has room for.
Long IPTC is divided among segments."""

_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
"""Pillow's modes of JPEGs, and the names that TurboJPEG has for them."""


def read_jpeg(
    content: bytes, image: Image.Image, warnings: list[str], *, reduced: bool = False
) -> NDArray[np.uint8] | bytes:
    """Decode a JPEG, and complain of damaged pixel data.

    Args:
        content: The file.
        image: The same file, opened by Pillow.
        warnings: Gets a line if some of the picture is missing or wrong.
        reduced: Whether to decode at the size to which the image has been told to reduce.

    Returns:
        ``(H, W)``, ``(H, W, 3)`` or inks ``(H, W, 4)``, where 0 is no ink, not turned upright. The
        content, mended, if Pillow must decode it: colors may be sampled in ways that are rare.

    Raises:
        ValueError: More than the end is missing, or much of the picture is wrong.
    """
    size = Size(*image.size) if reduced else Size(0, 0)
    decode = partial(_decode, space=_SPACES[image.mode], size=size)
    said = ""
    if not is_arithmetic(content):
        try:
            return decode(content, strict=True)
        except ValueError as problem:
            said = str(problem)
    mended = mend_jpeg(content, said, warnings)
    try:
        return decode(mended, strict=False)
    except ValueError:
        return mended


def _decode(content: bytes, *, space: str, size: Size, strict: bool) -> NDArray[np.uint8]:
    """Decode a JPEG, at this size at least; 0 is the full size.

    Raises:
        ValueError: It cannot be decoded; if strict, libjpeg has a warning.
    """
    pixels = simplejpeg.decode_jpeg(
        content, space, min_width=size.width, min_height=size.height, strict=strict
    )
    if space == "CMYK":  # Adobe's programs store the paper that is left
        return np.invert(pixels, out=pixels)
    return pixels[..., 0] if space == "GRAY" else pixels


def write_jpeg(photo: Photo, path: Path, encoding: Encoding, metadata: Metadata) -> None:
    """Write a JPEG; transparent parts are blended with white."""
    if photo.gain_map is not None and photo.alpha is None:
        _write_with_gain_map(photo, photo.gain_map, path, encoding, metadata)
        return
    blocks = _blocks(photo, metadata)
    if photo.alpha is None and not photo.grey:
        with path.open("wb") as file:
            file.writelines(_encode(photo, encoding, blocks))
        return
    image = image_from_photo(photo)
    if photo.alpha is not None:
        image = _on_white(image)
    quality, subsampling = encoding.quality, encoding.subsampling
    save_image(image, path, "JPEG", quality=quality, subsampling=subsampling, **blocks)


def _write_with_gain_map(
    photo: Photo, gain_map: GainMap, path: Path, encoding: Encoding, metadata: Metadata
) -> None:
    """Write a JPEG with a gain map behind it.

    Readers of gain maps refuse JPEGs of one channel, so that one of a grey photo has three.
    """
    further = encode_gain_map(gain_map)
    said = announce(metadata.xmp, further, METADATA_LIMITS["xmp"])
    colored = replace(photo, grey=False)
    blocks = _blocks(colored, replace(metadata, xmp=said.xmp))
    blocks["extra"] += said.segment
    with path.open("wb") as file:
        file.writelines(join_pictures(list(_encode(colored, encoding, blocks)), further))


def _encode(
    photo: Photo, encoding: Encoding, blocks: dict[str, Any]
) -> Iterator[bytes | memoryview]:
    """Encode a photo in color.

    Args:
        photo: The photo, without opacity.
        encoding: Quality and chroma subsampling.
        blocks: Profile and metadata, as options of Pillow's ``save``.

    Yields:
        The parts of the file. They are not joined: a photo may take tens of megabytes.
    """
    pixels = np.asarray(convert_dtype(photo.pixels, np.dtype(np.uint8)), np.uint8)
    # Pillow writes the segments of the metadata, with an image of one pixel.
    header = BytesIO()
    Image.new("RGB", (1, 1)).save(header, "JPEG", **blocks)
    subsampling = encoding.subsampling.replace(":", "")
    # The encoder writes into this array, of which only what it uses takes up memory. Otherwise it
    # would copy the result; and so it does if the result takes more than the pixels.
    room: Any = np.empty(pixels.nbytes, np.uint8)
    quality = encoding.quality
    encoded = memoryview(
        imagecodecs.jpeg8_encode(pixels, level=quality, subsampling=subsampling, out=room)
    )
    own = sum(len(segment) for segment in _metadata_segments(encoded))
    yield encoded[:2]
    yield from _metadata_segments(header.getbuffer())
    yield encoded[2 + own :]


def _blocks(photo: Photo, metadata: Metadata) -> dict[str, Any]:
    """Profile and metadata as options of Pillow's ``save``."""
    blocks: dict[str, Any] = {"icc_profile": photo.icc_profile, "comment": metadata.comment}
    blocks["extra"] = b"".join(_extra_segments(metadata))
    if metadata.exif_block:
        blocks["exif"] = metadata.exif_block
    if metadata.xmp:
        blocks["xmp"] = metadata.xmp
    if metadata.dpi:
        blocks["dpi"] = metadata.dpi
    return blocks


def _extra_segments(metadata: Metadata) -> Iterator[bytes]:
    """The segments that Pillow does not write: extended XMP, IPTC, and all comments but the last.

    Raises:
        ValueError: The content of a segment is too long.
    """
    for part in metadata.long_xmp:
        yield build_segment(APP1, part)
    if metadata.iptc:
        resources = iptc.resource_with(metadata.iptc)
        room = LONGEST - len(iptc.PREFIX)
        for at in range(0, len(resources), room):
            yield build_segment(APP13, iptc.PREFIX + resources[at : at + room])
    for comment in metadata.earlier_comments:
        yield build_segment(COMMENT, comment)


def _metadata_segments(content: bytes | memoryview) -> Iterator[bytes]:
    """The segments of a JPEG with its profile, its metadata and comments."""
    for segment in jpeg_segments(Source(content)):
        if is_metadata(segment.marker):
            yield bytes(content[segment.at : segment.end])


def _on_white(image: Image.Image) -> Image.Image:
    opaque = image.mode.removesuffix("A")
    background = Image.new(opaque, image.size, "white")
    background.paste(image.convert(opaque), mask=image.getchannel("A"))
    return background

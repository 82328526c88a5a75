"""Reading HEIC and other HEIF files with more than 8 bits per channel, and writing HEIC."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.isobmff.lost_blocks import check_lost_blocks
from enhance_cli.imaging.codecs.isobmff.picture_boxes import pictures_in, read_picture_boxes
from enhance_cli.imaging.codecs.stored_image import stored_channels, wants_sixteen_bits
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.photo import Photo

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def read_heif(content: bytes) -> NDArray[Any]:
    """Read the first image of a file's content with all its bits.

    Returns:
        ``(H, W, C)``, uint16 over the full range, upright: HEIF's own rotation is applied.
    """
    return np.asarray(pillow_heif.open_heif(content, convert_hdr_to_8bit=False))


def check_heif(content: bytes, warnings: list[str]) -> None:
    """Look for lost data, of which libheif says nothing.

    Args:
        content: The file.
        warnings: Gets a line if little is lost.

    Raises:
        ValueError: Much is lost.
    """
    check_lost_blocks(pictures_in(read_picture_boxes(content), content), warnings)


def can_write_heif() -> bool:
    """Whether this build of pillow-heif has an encoder."""
    return bool(pillow_heif.libheif_info().get("HEIF"))


def write_heif(photo: Photo, path: Path, encoding: Encoding, metadata: Metadata) -> None:
    """Write a lossy HEIC with 8 bits per channel, or with 10 if 16 are wanted."""
    deep = wants_sixteen_bits(photo, encoding)
    channels = stored_channels(photo, np.dtype(np.uint16 if deep else np.uint8))
    count = 1 if channels.ndim == 2 else channels.shape[2]
    mode = _MODES[count] + (";16" if deep else "")
    image = pillow_heif.from_bytes(mode, photo.size, channels.tobytes())
    if photo.icc_profile:
        image.info["icc_profile"] = photo.icc_profile
        image.info["icc_profile_type"] = "prof"
    image.save(
        path,
        format="HEIF",
        quality=encoding.quality,
        chroma=encoding.subsampling.replace(":", ""),
        exif=metadata.exif_block,
        xmp=metadata.xmp,
    )

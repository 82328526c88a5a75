"""Reading 16 bits per channel, of which Pillow would drop the lower half."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.imaging.codecs.heif import read_heif
from enhance_cli.imaging.codecs.orientation import upright
from enhance_cli.imaging.codecs.png import read_png_levels
from enhance_cli.imaging.codecs.tiff import read_tiff

_GREY_AND_ALPHA = 2
"""Channels of a grey image with transparency."""


class SixteenBitImage(NamedTuple):
    """16 bits per channel, as they stand in the file.

    Attributes:
        pixels: ``(H, W, 3)`` uint16, upright.
        alpha: ``(H, W)`` uint16, or None.
        grey: Whether the file stores one channel.
    """

    pixels: NDArray[np.uint16]
    alpha: NDArray[np.uint16] | None
    grey: bool


def is_sixteen_bit(image: Image.Image) -> bool:
    """Whether an opened image has integers of 9 to 16 bits per channel."""
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        bits, photometric, formats = (tags.get(number) for number in (258, 262, 339))
        integers = formats is None or set(formats) == {1}
        return integers and photometric in {1, 2} and bits is not None and set(bits) == {16}
    if image.format == "PNG":
        return any("16" in str(tile[3]) for tile in image.tile)  # type: ignore[attr-defined]
    return image.format == "HEIF" and image.info.get("bit_depth", 8) > 8


def read_sixteen_bit(path: Path, image: Image.Image) -> SixteenBitImage:
    """Read all bits of an image for which :func:`is_sixteen_bit` holds.

    Args:
        path: The file.
        image: The same, opened.
    """
    if image.format == "TIFF":
        levels = upright(read_tiff(path), image)
    elif image.format == "PNG":
        levels = upright(read_png_levels(path), image)
    else:  # HEIF images are turned by the decoder
        levels = read_heif(path)
    if levels.dtype != np.uint16:
        raise ValueError(f"{levels.dtype} pixels where 16 bits were announced")
    channels = levels[..., None] if levels.ndim == 2 else levels
    count = channels.shape[2]
    grey = count <= _GREY_AND_ALPHA
    alpha = np.ascontiguousarray(channels[..., -1]) if count in {2, 4} else None
    color = np.repeat(channels[..., :1], 3, axis=2) if grey else channels[..., :3]
    return SixteenBitImage(np.ascontiguousarray(color), alpha, grey)

"""Reading images with 9 to 16 bits per channel, which Pillow would reduce to 8."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.imaging.codecs.heif import read_heif
from enhance_cli.imaging.codecs.pillow_image import upright
from enhance_cli.imaging.codecs.png import read_png_levels
from enhance_cli.imaging.codecs.tiff import read_tiff

_GREY_AND_ALPHA = 2
"""Channels of a grey image with transparency."""


class SixteenBitImage(NamedTuple):
    """An image with 16 bits per channel.

    Attributes:
        pixels: ``(H, W, 3)`` uint16, upright.
        alpha: Opacity, ``(H, W)`` uint16, or None.
        grey: Whether the file stores grey, and not RGB.
    """

    pixels: NDArray[np.uint16]
    alpha: NDArray[np.uint16] | None
    grey: bool


def is_sixteen_bit(image: Image.Image) -> bool:
    """Whether an opened image stores 9 to 16 bits per channel, as integers."""
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        bits, photometric, formats = (tags.get(number) for number in (258, 262, 339))
        integers = formats is None or set(formats) == {1}
        return integers and photometric in {1, 2} and bits is not None and set(bits) == {16}
    if image.format == "PNG":
        return any("16" in str(tile[3]) for tile in image.tile)  # type: ignore[attr-defined]
    return image.format == "HEIF" and image.info.get("bit_depth", 8) > 8


def read_sixteen_bit(path: Path, image: Image.Image) -> SixteenBitImage:
    """Read all bits of an image, if :func:`is_sixteen_bit` is true of it.

    Args:
        path: The file.
        image: The same file, opened by Pillow.

    Raises:
        ValueError: The file does not hold 16-bit pixels, although its header says so.
    """
    if image.format == "TIFF":
        levels = upright(read_tiff(path), image)
    elif image.format == "PNG":
        levels = upright(read_png_levels(path), image)
    else:  # the decoder of HEIF turns images upright
        levels = read_heif(path)
    if levels.dtype != np.uint16:
        raise ValueError(f"{levels.dtype} pixels where 16 bits were announced")
    channels = levels[..., None] if levels.ndim == 2 else levels
    count = channels.shape[2]
    grey = count <= _GREY_AND_ALPHA
    alpha = np.ascontiguousarray(channels[..., -1]) if count in {2, 4} else None
    color = np.repeat(channels[..., :1], 3, axis=2) if grey else channels[..., :3]
    return SixteenBitImage(np.ascontiguousarray(color), alpha, grey)

"""Pictures of 16 bits a channel, of which Pillow would drop the lower half."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pillow_heif
import tifffile
from numpy.typing import NDArray
from PIL import Image

GREY_AND_ALPHA = 2
"""Channels of a grey picture with transparency."""


@dataclass(frozen=True)
class DeepPicture:
    """16 bits a channel, as they stand in the file.

    Attributes:
        pixels: ``(H, W, 3)`` uint16, upright.
        alpha: ``(H, W)`` uint16, or None.
        grey: The file stores one channel.
    """

    pixels: NDArray[np.uint16]
    alpha: NDArray[np.uint16] | None
    grey: bool


def is_deep(image: Image.Image) -> bool:
    """Whether an opened picture has whole numbers of 9 to 16 bits."""
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        bits, photometric, formats = (tags.get(number) for number in (258, 262, 339))
        whole = formats is None or set(formats) == {1}
        return whole and photometric in {1, 2} and bits is not None and set(bits) == {16}
    if image.format == "PNG":
        return any("16" in str(tile[3]) for tile in image.tile)  # type: ignore[attr-defined]
    return image.format == "HEIF" and image.info.get("bit_depth", 8) > 8


def read_deep(path: Path, image: Image.Image) -> DeepPicture:
    """Read all bits of a picture for which :func:`is_deep` holds.

    Args:
        path: The file.
        image: The same, opened.
    """
    if image.format == "TIFF":
        deep = upright(_from_tiff(path), image)
    elif image.format == "PNG":
        deep = upright(imagecodecs.png_decode(path.read_bytes()), image)
    else:  # HEIF turns its pictures itself
        deep = np.asarray(pillow_heif.open_heif(path, convert_hdr_to_8bit=False))
    if deep.dtype != np.uint16:
        raise ValueError(f"{deep.dtype} pixels where 16 bits were announced")
    channels = deep[..., None] if deep.ndim == 2 else deep
    count = channels.shape[2]
    grey = count <= GREY_AND_ALPHA
    alpha = np.ascontiguousarray(channels[..., -1]) if count in {2, 4} else None
    colour = np.repeat(channels[..., :1], 3, axis=2) if grey else channels[..., :3]
    return DeepPicture(np.ascontiguousarray(colour), alpha, grey)


def _from_tiff(path: Path) -> NDArray[Any]:
    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages[0]
        deep = page.asarray()
        planes = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and deep.ndim > 2
    return np.moveaxis(deep, 0, -1) if planes else deep


def upright(pixels: NDArray[Any], image: Image.Image) -> NDArray[Any]:
    """Turn an array as the EXIF orientation of its opened picture asks for."""
    turn = _UPRIGHT.get(image.getexif().get(0x0112, 1))
    return np.ascontiguousarray(turn(pixels)) if turn else pixels


_UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""What each value of EXIF's Orientation asks for."""

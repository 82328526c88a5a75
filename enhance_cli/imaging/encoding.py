"""From pixels to a file, whole or not at all."""

from __future__ import annotations

import errno
import os
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from enhance_cli.errors import OutputError, PhotoError
from enhance_cli.files import written_whole
from enhance_cli.imaging.formats import AVIF, JPEG, PNG, TIFF, WEBP

_DATE = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)


def _srgb_profile() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Bytes 24 to 35 hold the time of creation (ICC.1:2022, 7.2.8): fixed, so that the same photo
    # gives the same file on any day.
    return profile[:24] + _DATE + profile[36:]


_SRGB = _srgb_profile()
_NO_WAY = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
"""Errors that every further photo would meet as well."""


def to_image(
    pixels: NDArray[np.float32], alpha: NDArray[np.float32] | None = None, grey: bool = False
) -> Image.Image:
    """Round to 8 bits.

    Args:
        pixels: ``(H, W, 3)``, sRGB; clamped to [0, 1] here.
        alpha: ``(H, W)`` in [0, 1], or None.
        grey: Give a picture without colour.
    """
    image = Image.fromarray(eight_bits(pixels))
    if grey:
        image = image.convert("L")
    if alpha is not None:
        image.putalpha(Image.fromarray(eight_bits(alpha)))
    return image


def encode(image: Image.Image, path: Path, quality: int = 95, exif: bytes | None = None) -> None:
    """Write an sRGB picture in the format that the suffix names.

    The file appears under its name only when it is complete. JPEG is written without colour
    subsampling.

    Args:
        image: 8 bits a channel. Transparency is laid on white where the format has none.
        path: Where to; folders are made.
        quality: Of JPEG, WebP and AVIF, 1 to 100.
        exif: Block to carry.

    Raises:
        OutputError: The disk is full or cannot be written at all.
        PhotoError: This one file cannot be written.
    """
    kind, options = _format(path.suffix.lower(), quality)
    if kind == "JPEG" and image.mode in {"RGBA", "LA"}:
        image = _on_white(image)
    if exif:
        options["exif"] = exif
    # A grey picture under an RGB profile would be refused by strict readers.
    if image.mode in {"RGB", "RGBA"}:
        options["icc_profile"] = _SRGB
    try:
        with written_whole(path) as unfinished, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on the EXIF block, which is whole
            image.save(unfinished, kind, **options)
    except (OSError, ValueError) as problem:
        if isinstance(problem, OSError) and problem.errno in _NO_WAY:
            raise OutputError(
                f"{path.parent}: {os.strerror(problem.errno or 0)}; make room there or choose "
                "another --out; the same command goes on, and what is done is kept"
            ) from problem
        raise PhotoError(f"{path}: cannot be written ({problem})") from problem


def _format(suffix: str, quality: int) -> tuple[str, dict[str, Any]]:
    if suffix in JPEG:
        return "JPEG", {"quality": quality, "subsampling": "4:4:4"}
    if suffix in PNG:
        return "PNG", {}
    if suffix in TIFF:
        return "TIFF", {}  # uncompressed: Pillow's compressed TIFFs lose the EXIF directory
    if suffix in WEBP:
        return "WEBP", {"quality": quality}
    if suffix in AVIF:
        return "AVIF", {"quality": quality, "subsampling": "4:4:4"}
    raise ValueError(f"no picture format is called {suffix}")


def _on_white(image: Image.Image) -> Image.Image:
    opaque = image.mode.removesuffix("A")
    ground = Image.new(opaque, image.size, "white")
    ground.paste(image.convert(opaque), mask=image.getchannel("A"))
    return ground


def eight_bits(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Clamp to [0, 1] and round to 8 bits."""
    return (values.clip(0, 1) * 255).round().astype(np.uint8)

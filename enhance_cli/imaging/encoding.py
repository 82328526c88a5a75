"""From pixels to a file, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from enhance_cli.config import Encoding
from enhance_cli.errors import OutputError, PhotoError
from enhance_cli.files import written_whole
from enhance_cli.imaging.containers import jpeg_segments, write_deep_png, write_tiff
from enhance_cli.imaging.exif import without_orientation
from enhance_cli.imaging.formats import AVIF, JPEG, PNG, TIFF, WEBP
from enhance_cli.imaging.jpeg import jpeg_bytes
from enhance_cli.imaging.metadata import NOTHING, PNG_XMP, Metadata
from enhance_cli.imaging.photo import Photo, in_kind

_DATE = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)


def _srgb_profile() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Bytes 24 to 35 hold the time of creation (ICC.1:2022, 7.2.8): fixed, so that the same photo
    # gives the same file on any day.
    return profile[:24] + _DATE + profile[36:]


SRGB_PROFILE = _srgb_profile()

BYTE, WHITE_8 = 8, 255

AS_IT_IS = Encoding()
_NO_WAY = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
"""Errors that every further photo would meet as well."""


def write_photo(
    photo: Photo,
    path: Path,
    encoding: Encoding = AS_IT_IS,
    metadata: Metadata = NOTHING,
) -> tuple[str, ...]:
    """Write a photo in the format that the suffix names, with the profile of its colours.

    The file appears under its name only when it is complete.

    Args:
        photo: Transparency is laid on white where the format has none.
        path: Where to; folders are made.
        encoding: How.
        metadata: To go with it.

    Returns:
        A line for each part of the metadata for which the format has no place.

    Raises:
        OutputError: The disk is full or cannot be written at all.
        PhotoError: This one file cannot be written.
    """
    metadata, notes = _fitting(metadata, path.suffix.lower())
    try:
        _write(photo, path, encoding, metadata)
    except PhotoError:
        if metadata == NOTHING:
            raise
        _write(photo, path, encoding, NOTHING)  # a photo never fails for its metadata
        return (*notes, "its metadata cannot be written and was left out")
    return notes


def _write(photo: Photo, path: Path, encoding: Encoding, metadata: Metadata) -> None:
    deep = photo.white > WHITE_8 if encoding.bits is None else encoding.bits > BYTE
    suffix = path.suffix.lower()
    if suffix in TIFF:
        kind = np.uint16 if deep else np.uint8
        with _told(path), written_whole(path) as unfinished:
            write_tiff(photo, unfinished, kind, _profile(photo), metadata)
    elif suffix in JPEG and photo.alpha is None and not photo.grey:
        options = _blocks(metadata, "JPEG") | {"icc_profile": _profile(photo)}
        pixels = np.asarray(in_kind(photo.pixels, np.dtype(np.uint8)), np.uint8)
        with _told(path), written_whole(path) as unfinished:
            encoded = jpeg_bytes(pixels, encoding.quality, encoding.subsampling, **options)
            unfinished.write_bytes(encoded)
    elif deep and suffix in PNG:
        with _told(path), written_whole(path) as unfinished:
            write_deep_png(photo, unfinished, _profile(photo), metadata)
    else:
        encode(to_image(photo), path, encoding, metadata)


def to_image(photo: Photo) -> Image.Image:
    """Round to 8 bits; a photo without colour gets one channel, and the profile goes along."""
    image = Image.fromarray(in_kind(photo.pixels, np.dtype(np.uint8)))
    if photo.grey:
        image = image.convert("L")
    if photo.alpha is not None:
        image.putalpha(Image.fromarray(in_kind(photo.alpha, np.dtype(np.uint8))))
    # A grey picture under an RGB profile would be refused by strict readers.
    if not photo.grey:
        image.info["icc_profile"] = _profile(photo)
    return image


def _profile(photo: Photo) -> bytes | None:
    return None if photo.grey else photo.colours.profile or SRGB_PROFILE


def encode(
    image: Image.Image,
    path: Path,
    encoding: Encoding = AS_IT_IS,
    metadata: Metadata = NOTHING,
) -> None:
    """Write a picture of 8 bits a channel in the format that the suffix names.

    The file appears under its name only when it is complete.

    Args:
        image: In colour it is sRGB where it names no other profile. Transparency is laid on white
            where the format has none.
        path: Where to; folders are made.
        encoding: How.
        metadata: To go with it, as far as the format has a place for it.

    Raises:
        OutputError: The disk is full or cannot be written at all.
        PhotoError: This one file cannot be written.
    """
    kind, options = _format(path.suffix.lower(), encoding)
    profile = image.info.get("icc_profile", SRGB_PROFILE)
    if kind == "JPEG" and image.mode in {"RGBA", "LA"}:
        image = _on_white(image)
    options |= _blocks(metadata, kind)
    options["icc_profile"] = profile if image.mode in {"RGB", "RGBA"} else None
    with _told(path), written_whole(path) as unfinished:
        image.save(unfinished, kind, **options)


def _blocks(metadata: Metadata, kind: str) -> dict[str, Any]:
    """Metadata as Pillow's options."""
    options: dict[str, Any] = {}
    if metadata.exif:
        # Pillow would write AVIF's orientation elsewhere, and the whole block anew.
        options["exif"] = without_orientation(metadata.exif) if kind == "AVIF" else metadata.exif
    if metadata.dots and kind in {"JPEG", "PNG"}:
        options["dpi"] = metadata.dots
    if metadata.xmp and kind in {"JPEG", "WEBP", "AVIF"}:
        options["xmp"] = metadata.xmp
    if kind == "JPEG":
        options["extra"] = b"".join(jpeg_segments(metadata))
        options["comment"] = metadata.comment
    if kind == "PNG":
        options["pnginfo"] = texts = PngInfo()
        if metadata.xmp:
            texts.add_itxt(PNG_XMP, metadata.xmp.decode("utf-8", "replace"))
        for key, value in metadata.texts:
            texts.add_itxt(key, value)
    return options


def _fitting(metadata: Metadata, suffix: str) -> tuple[Metadata, tuple[str, ...]]:
    """Leave out what the format has no place for, or too little."""
    notes: list[str] = []
    if suffix in JPEG:
        for name, limit in _JPEG_LIMITS.items():
            if len(getattr(metadata, name) or b"") > limit:
                metadata = replace(metadata, **{name: None})
                notes.append(f"its {name.upper()} is too long for a JPEG and was left out")
    elif metadata.iptc and suffix not in TIFF:
        metadata = replace(metadata, iptc=None)
        notes.append("its IPTC records have no place in this format and were left out")
    return metadata, tuple(notes)


_JPEG_LIMITS = {"exif": 65_533, "xmp": 65_504, "iptc": 65_500, "comment": 65_533}
"""What Pillow puts into a segment of 65,535 bytes, beside what stands before it."""


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what the system or a codec says into what the user needs to know."""
    try:
        yield
    # A codec may raise whatever it pleases over pixels or metadata that it cannot take.
    except Exception as problem:
        if isinstance(problem, OSError) and problem.errno in _NO_WAY:
            raise OutputError(
                f"{path.parent}: {os.strerror(problem.errno or 0)}; make room there or choose "
                "another --out; the same command goes on, and what is done is kept"
            ) from problem
        if isinstance(problem, MemoryError):
            raise PhotoError(f"{path}: too large for this machine's memory") from problem
        raise PhotoError(f"{path}: cannot be written ({problem})") from problem


def _format(suffix: str, encoding: Encoding) -> tuple[str, dict[str, Any]]:
    lossy = {"quality": encoding.quality, "subsampling": encoding.subsampling}
    if suffix in JPEG:
        return "JPEG", lossy
    if suffix in PNG:
        return "PNG", {}
    if suffix in WEBP:
        return "WEBP", {"quality": encoding.quality}
    if suffix in AVIF:
        return "AVIF", lossy
    raise ValueError(f"no picture format is called {suffix}")


def _on_white(image: Image.Image) -> Image.Image:
    opaque = image.mode.removesuffix("A")
    ground = Image.new(opaque, image.size, "white")
    ground.paste(image.convert(opaque), mask=image.getchannel("A"))
    return ground

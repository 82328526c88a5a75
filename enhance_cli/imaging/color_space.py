"""Color spaces: conversion between a photo's own and sRGB, in which the networks work."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

Floats = NDArray[np.float32]
"""Colors as floats; 0 is black and 1 is white."""

_SRGB_TOLERANCE = 0.5 / 255
"""Largest difference to sRGB at which a color space counts as sRGB."""

_UNUSABLE = "its colour profile cannot be used"

_DATA_SPACE = slice(16, 20)
"""Bytes of a profile's header that name the color space of its data (ICC.1:2022, 7.2.6)."""


class ProfileError(Exception):
    """An ICC profile cannot be used; the photo is then taken as sRGB."""


@dataclass(frozen=True)
class ColorSpace:
    """The color space of a photo's RGB values.

    Attributes:
        profile: ICC profile of an RGB color space; None is sRGB.

    Raises:
        ProfileError: The profile cannot be used.
    """

    profile: bytes | None = None

    def __post_init__(self) -> None:
        if self.profile is not None and not _is_usable(self.profile):
            raise ProfileError(_UNUSABLE)

    @property
    def is_srgb(self) -> bool:
        """Whether this is sRGB, to within half an 8-bit level."""
        return self.profile is None or _is_srgb(self.profile)

    def to_srgb(self, pixels: Floats) -> Floats:
        """Convert from this color space to sRGB, relative colorimetric.

        Args:
            pixels: ``(..., 3)`` in [0, 1].

        Returns:
            sRGB, of the same shape. Colors outside its gamut have values outside [0, 1].
        """
        if self.profile is None or self.is_srgb:
            return pixels
        return _transformed(pixels, self.profile, _srgb())

    def from_srgb(self, pixels: Floats) -> Floats:
        """Convert from sRGB to this color space; the inverse of :meth:`to_srgb`."""
        if self.profile is None or self.is_srgb:
            return pixels
        return _transformed(pixels, _srgb(), self.profile)


SRGB = ColorSpace()


def _srgb_icc() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # Bytes 24 to 35 hold the date of creation (ICC.1:2022, 7.2.8). It is fixed here, so that the
    # same photo gives the same file on any day.
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


SRGB_ICC = _srgb_icc()
"""ICC profile that is embedded in results in sRGB."""


@lru_cache(maxsize=1)
def adobe_rgb() -> bytes:
    """ICC profile of Adobe RGB (1998)."""
    return imagecodecs.cms_profile("adobergb")


def grey_to_srgb(levels: NDArray[Any], profile: bytes) -> NDArray[Any]:
    """Convert grey levels by their profile to those of sRGB.

    Args:
        levels: uint8 or uint16, of any shape.
        profile: ICC profile of grey, or of RGB: then its neutral axis counts.

    Returns:
        Levels of the same shape and dtype.

    Raises:
        ProfileError: The profile cannot be used.
    """
    white = np.iinfo(levels.dtype).max
    tones = (np.arange(white + 1, dtype=np.float32) / np.float32(white))[None]
    if profile[_DATA_SPACE] == b"RGB ":
        converted = _converted(np.repeat(tones[..., None], 3, axis=2), profile, "rgb")
    else:
        converted = _converted(tones, profile, "gray")
    table = (converted[0, :, 1].clip(0, 1) * white).round().astype(levels.dtype)
    return table[levels]


@lru_cache(maxsize=16)
def is_input_only(profile: bytes) -> bool:
    """Whether colors can be converted from an RGB color space, but not to it.

    Profiles of scanners and cameras often contain a table for one direction alone (ICC.1:2022,
    8.3).
    """
    if _is_usable(profile):
        return False
    try:
        return bool(np.isfinite(_converted(_cube(), profile, "rgb")).all())
    except ProfileError:
        return False


def to_adobe_rgb(levels: NDArray[Any], profile: bytes) -> Floats:
    """Convert RGB of an input-only profile to Adobe RGB, in which it can be stored.

    Args:
        levels: ``(..., 3)``, uint8 or uint16, or floats in [0, 1].
        profile: A profile for which :func:`is_input_only` holds.

    Returns:
        Adobe RGB, ``(..., 3)``. Colors outside its gamut have values outside [0, 1].
    """
    return _transformed(levels, profile, adobe_rgb())


def cmyk_to_srgb(inks: NDArray[Any], profile: bytes) -> Floats:
    """Convert inks by their profile.

    Args:
        inks: ``(..., 4)``, uint8 or uint16; 0 is no ink.
        profile: ICC profile of a CMYK color space.

    Returns:
        sRGB, ``(..., 3)``.

    Raises:
        ProfileError: The profile cannot be used.
    """
    return _converted(inks, profile, "cmyk")


def lab_to_srgb(lab: Floats) -> Floats:
    """Convert CIELab of white point D50, L from 0 to 100, to sRGB; both ``(..., 3)``."""
    return _converted(lab, _lab(), "lab")


def _converted(pixels: NDArray[Any], profile: bytes, model: str) -> Floats:
    try:
        return _transformed(pixels, profile, _srgb(), model)
    except (imagecodecs.CmsError, ValueError, TypeError) as problem:
        raise ProfileError(_UNUSABLE) from problem


def _transformed(pixels: NDArray[Any], source: bytes, target: bytes, model: str = "rgb") -> Floats:
    """Convert to floating point; LittleCMS does not clip there (a test confirms it)."""
    converted = imagecodecs.cms_transform(
        np.ascontiguousarray(pixels),
        source,
        target,
        colorspace=model,
        outcolorspace="rgb",
        outdtype="float32",
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
    )
    return np.asarray(converted, np.float32)


@lru_cache(maxsize=1)
def _srgb() -> bytes:
    return imagecodecs.cms_profile("srgb")


@lru_cache(maxsize=1)
def _lab() -> bytes:
    return imagecodecs.cms_profile("lab4")


@lru_cache(maxsize=16)
def _is_usable(profile: bytes) -> bool:
    """Whether colors can be converted to sRGB and back."""
    colors = _cube()
    try:
        back = _transformed(_transformed(colors, profile, _srgb()), _srgb(), profile)
    except (imagecodecs.CmsError, ValueError, TypeError):
        return False
    return bool(np.isfinite(back).all())


@lru_cache(maxsize=16)
def _is_srgb(profile: bytes) -> bool:
    colors = _cube()
    return bool(np.abs(_transformed(colors, profile, _srgb()) - colors).max() <= _SRGB_TOLERANCE)


def _cube() -> Floats:
    """A grid of colors over the whole RGB cube, ``(1, 729, 3)``."""
    steps = np.linspace(0, 1, 9, dtype=np.float32)
    return np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)

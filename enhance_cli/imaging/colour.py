"""Between a photo's own colours and sRGB, in which the networks see."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import imagecodecs
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SAME = 0.5 / 255
"""Colours that come out no further apart than this are those of sRGB."""


class ProfileError(Exception):
    """A profile that cannot be used; a photo never fails for it."""


@dataclass(frozen=True)
class ColorSpace:
    """The colours that a photo's numbers stand for.

    Attributes:
        profile: ICC profile of an RGB space; None is sRGB.
    """

    profile: bytes | None = None

    def __post_init__(self) -> None:
        if self.profile is not None and not _is_usable(self.profile):
            raise ProfileError("its colour profile cannot be used")

    @property
    def is_srgb(self) -> bool:
        """Whether the numbers are sRGB as they stand, to within half a level in 255."""
        return self.profile is None or _is_srgb(self.profile)

    def to_srgb(self, pixels: Floats) -> Floats:
        """Convert from this space, relative colorimetric.

        Args:
            pixels: ``(..., 3)`` in [0, 1].

        Returns:
            The same shape. Colours that sRGB does not hold lie outside [0, 1].
        """
        if self.profile is None or self.is_srgb:
            return pixels
        return _transformed(pixels, self.profile, _srgb())

    def from_srgb(self, pixels: Floats) -> Floats:
        """Convert to this space; the way back from :meth:`to_srgb`."""
        if self.profile is None or self.is_srgb:
            return pixels
        return _transformed(pixels, _srgb(), self.profile)


SRGB = ColorSpace()


def _transformed(pixels: Floats, source: bytes, target: bytes) -> Floats:
    """Convert in floating point, in which LittleCMS does not clip (tested: it does not)."""
    converted = imagecodecs.cms_transform(
        np.ascontiguousarray(pixels),
        source,
        target,
        colorspace="rgb",
        outcolorspace="rgb",
        outdtype="float32",
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
    )
    return np.asarray(converted, np.float32)


@lru_cache(maxsize=1)
def _srgb() -> bytes:
    return imagecodecs.cms_profile("srgb")


@lru_cache(maxsize=16)
def _is_usable(profile: bytes) -> bool:
    """Whether colours find the way to sRGB and back."""
    colours = _cube()
    try:
        back = _transformed(_transformed(colours, profile, _srgb()), _srgb(), profile)
    except (imagecodecs.CmsError, ValueError, TypeError):
        return False
    return bool(np.isfinite(back).all())


@lru_cache(maxsize=16)
def _is_srgb(profile: bytes) -> bool:
    colours = _cube()
    return bool(np.abs(_transformed(colours, profile, _srgb()) - colours).max() <= SAME)


def _cube() -> Floats:
    """Colours from all over the space, ``(1, 729, 3)``."""
    steps = np.linspace(0, 1, 9, dtype=np.float32)
    return np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)

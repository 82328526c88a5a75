"""When, with which camera and with which exposure a photo was taken, as its EXIF says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from piexif import ExifIFD, ImageIFD

from enhance_cli.imaging.metadata import exif

_SEE_BELOW = 65_535
"""ISO speed of photos whose true one does not fit; another tag has it (Exif 2.32, 4.6.5)."""


@dataclass(frozen=True)
class Shot:
    """How a photo was taken.

    Attributes:
        camera: Make, model and serial number; empty texts where EXIF has none.
        time: Seconds since 1970, in UTC if EXIF states the offset, else in the camera's time zone;
            None if it states no time.
        light: What the camera did to gather light, in stops; only differences mean anything. None
            if EXIF does not state the exposure time.
        stated: Whether aperture and ISO speed are part of ``light``.
    """

    camera: tuple[str, str, str] = ("", "", "")
    time: float | None = None
    light: float | None = None
    stated: tuple[bool, bool] = (False, False)

    def stops_beyond(self, other: Shot) -> float | None:
        """By how many stops more this photo was exposed than another one; None if unknown."""
        if self.light is None or other.light is None or self.stated != other.stated:
            return None
        return self.light - other.light


NO_SHOT = Shot()


def shot_of(found: bytes | exif.Tags | None) -> Shot:
    """Read how a photo was taken; what cannot be read counts as not stated.

    Args:
        found: EXIF block as stored in a file, or tags.
    """
    if not found:
        return NO_SHOT
    if isinstance(found, bytes):
        try:
            tags = exif.read_block(found)
        except exif.ExifError:
            return NO_SHOT
    else:
        tags = found
    first, exposure = tags.get("0th") or {}, tags.get("Exif") or {}
    camera = (
        _text(first.get(ImageIFD.Make)),
        _text(first.get(ImageIFD.Model)),
        _text(exposure.get(ExifIFD.BodySerialNumber) or first.get(ImageIFD.CameraSerialNumber)),
    )
    aperture, speed = _number(exposure.get(ExifIFD.FNumber)), _iso(exposure)
    light = _number(exposure.get(ExifIFD.ExposureTime))
    if light is not None:
        light = math.log2(light * (speed or 1)) - 2 * math.log2(aperture or 1)
    return Shot(camera, _time(exposure), light, (aperture is not None, speed is not None))


def _time(tags: Mapping[int, Any]) -> float | None:
    text = _text(tags.get(ExifIFD.DateTimeOriginal))
    offset = _text(tags.get(ExifIFD.OffsetTimeOriginal))
    try:
        moment = datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
        with suppress(ValueError):
            moment = moment.replace(tzinfo=datetime.strptime(offset, "%z").tzinfo)
        seconds = moment.timestamp()
    except (ValueError, OverflowError):
        return None
    fraction = _text(tags.get(ExifIFD.SubSecTimeOriginal))
    return seconds + (float(f"0.{fraction}") if fraction.isdecimal() and fraction.isascii() else 0)


def _iso(tags: Mapping[int, Any]) -> float | None:
    found = tags.get(ExifIFD.ISOSpeedRatings)
    speed = _number(found[0] if isinstance(found, tuple | list) and found else found)
    if speed is not None and speed < _SEE_BELOW:
        return speed
    keys = (ExifIFD.RecommendedExposureIndex, ExifIFD.StandardOutputSensitivity)
    return next((value for value in map(_number, map(tags.get, keys)) if value), speed)


def _number(value: Any) -> float | None:
    """A value above 0, of a number or a fraction."""
    try:
        number = value[0] / value[1] if isinstance(value, tuple | list) else float(value)
        return number if 0 < number < math.inf else None
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None


def _text(value: Any) -> str:
    return value.decode("latin-1").strip("\0 ") if isinstance(value, bytes) else ""

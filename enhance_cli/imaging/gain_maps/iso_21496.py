"""The binary description of a gain map (ISO 21496-1, annex C), in a segment of a JPEG."""

from __future__ import annotations

import struct
from fractions import Fraction

from enhance_cli.imaging.gain_maps.gain_map import GainMapError, GainMapParameters, Triple

PREFIX = b"urn:iso:std:iso:ts:21496:-1\x00"
"""Beginning of the segment (ISO 21496-1, annex D)."""

VERSION = PREFIX + bytes(4)
"""Content of the photo's own segment: the version alone, which says that a map follows."""

_CHANNELS_DIFFER, _SPACE_OF_PHOTO, _ONE_DENOMINATOR = 0x80, 0x40, 0x08
"""Flags; the last one is libultrahdr's."""

_LARGEST_DENOMINATOR = 10**7
_SIGNED, _UNSIGNED = "i", "I"
_KINDS = (_SIGNED, _SIGNED, _UNSIGNED, _SIGNED, _SIGNED)
"""Minimum, maximum, gamma and the two offsets."""


def read(content: bytes) -> GainMapParameters:
    """Read a description, with or without ``PREFIX``.

    Raises:
        GainMapError: It is damaged, or of a later version.
    """
    body = content.removeprefix(PREFIX)
    try:
        version, _, flags = struct.unpack_from(">HHB", body)
        if version != 0:
            raise GainMapError("a later version of the standard")
        numbers = _Numbers(body[5:], common=bool(flags & _ONE_DENOMINATOR))
        headrooms = numbers.next(_UNSIGNED), numbers.next(_UNSIGNED)
        count = 3 if flags & _CHANNELS_DIFFER else 1
        channels = [[numbers.next(kind) for kind in _KINDS] for _ in range(count)]
    except (struct.error, ZeroDivisionError) as problem:
        raise GainMapError("its description is damaged") from problem
    low, high, gamma, base, alternate = (_for_all(kind) for kind in zip(*channels, strict=True))
    own = not flags & _SPACE_OF_PHOTO
    return GainMapParameters(low, high, gamma, base, alternate, *headrooms, own_space=own)


def write(parameters: GainMapParameters) -> bytes:
    """Write a description, as the content of the map's segment."""
    count = 1 if parameters.same_for_all else 3
    flags = (_CHANNELS_DIFFER if count == 3 else 0) | (
        0 if parameters.own_space else _SPACE_OF_PHOTO
    )
    content = struct.pack(">HHB", 0, 0, flags)
    for headroom in (parameters.base_headroom, parameters.alternate_headroom):
        content += _fraction(headroom, _UNSIGNED)
    kinds = (
        parameters.minimum,
        parameters.maximum,
        parameters.gamma,
        parameters.base_offset,
        parameters.alternate_offset,
    )
    for channel in range(count):
        for values, kind in zip(kinds, _KINDS, strict=True):
            content += _fraction(values[channel], kind)
    return PREFIX + content


class _Numbers:
    """The fractions of a description, one after the other."""

    def __init__(self, content: bytes, *, common: bool) -> None:
        self._content, self._at = content, 0
        self._common = self._take(_UNSIGNED) if common else None

    def next(self, kind: str) -> float:
        numerator = self._take(kind)
        return numerator / (self._take(_UNSIGNED) if self._common is None else self._common)

    def _take(self, kind: str) -> int:
        number = struct.unpack_from(">" + kind, self._content, self._at)[0]
        self._at += 4
        return number


def _fraction(value: float, kind: str) -> bytes:
    fraction = Fraction(value).limit_denominator(_LARGEST_DENOMINATOR)
    return struct.pack(f">{kind}I", fraction.numerator, fraction.denominator)


def _for_all(values: tuple[float, ...]) -> Triple:
    red, green, blue = values if len(values) == 3 else values * 3
    return red, green, blue

"""Apple's gain maps, which say by how much to multiply, not by how many stops.

``alternate = base * (1 + (headroom - 1) * value)``, with the value made linear by the curve of
Rec. 709 (Apple, "Applying Apple HDR effect to your photos"). The headroom is stated by the map's
XMP, or by two numbers of the photo's MakerNote.
"""

from __future__ import annotations

import contextlib
import math
import struct

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.gain_maps.gain_map import GainMap, GainMapError, GainMapParameters
from enhance_cli.imaging.metadata import exif, xmp
from enhance_cli.imaging.metadata.xml_packet import Name

AUXILIARY_TYPE = "urn:com:apple:photo:2020:aux:hdrgainmap"

_TYPE = Name("http://ns.apple.com/pixeldatainfo/1.0/", "AuxiliaryImageType")
_HEADROOM = Name("http://ns.apple.com/HDRGainMap/1.0/", "HDRGainMapHeadroom")

_MAKER_NOTE = 37500
_SIGNATURE, _ENTRIES_AT = b"Apple iOS\x00", 14
_SIGNED_RATIONAL = 10
_HDR_HEADROOM, _HDR_GAIN = 33, 48
"""Tags of the MakerNote."""

_MAX_STOPS = 16

_MAX_ENTRIES = 512
_LEVELS = 255


def is_apple(packet: bytes) -> bool:
    """Whether a packet is that of a gain map of Apple's."""
    return xmp.value_in(packet, _TYPE) == AUXILIARY_TYPE


def states_headroom(packet: bytes) -> bool:
    """Whether a packet states the headroom of a gain map of Apple's."""
    return bool(xmp.value_in(packet, _HEADROOM))


def headroom_of(packet: bytes | None, block: bytes | None) -> float:
    """How many times brighter than white the HDR rendition may be.

    Args:
        packet: XMP of the map.
        block: EXIF of the photo.

    Raises:
        GainMapError: Neither says so, or no display could show it.
    """
    with contextlib.suppress(ValueError):
        return _checked(float(xmp.value_in(packet or b"", _HEADROOM)))
    numbers = _maker_note(block or b"")
    try:
        ceiling, gain = numbers[_HDR_HEADROOM], numbers[_HDR_GAIN]
    except KeyError as problem:
        raise GainMapError("its headroom is not stated") from problem
    if ceiling < 1:
        stops = 1.8 - 20 * gain if gain <= 0.01 else 1.601 - 0.101 * gain
    else:
        stops = 3 - 70 * gain if gain <= 0.01 else 2.303 - 0.303 * gain
    return _checked(2.0 ** min(stops, _MAX_STOPS))


def gain_map_of_apple(pixels: NDArray[np.uint8], headroom: float) -> GainMap:
    """The gain map that gives the same HDR rendition, in stops.

    Args:
        pixels: ``(H, W)``, as stored.
        headroom: From :func:`headroom_of`.
    """
    values = np.arange(_LEVELS + 1) / _LEVELS
    light = np.where(values < 0.081, values / 4.5, ((values + 0.099) / 1.099) ** (1 / 0.45))
    most = math.log2(headroom)
    levels = (np.log2(1 + (headroom - 1) * light) / most * _LEVELS).round().astype(np.uint8)
    none = (0.0, 0.0, 0.0)
    parameters = GainMapParameters(
        none,
        (most, most, most),
        base_offset=none,
        alternate_offset=none,
        alternate_headroom=most,
    )
    return GainMap(levels[pixels], parameters)


def _checked(headroom: float) -> float:
    if not 1 < headroom <= 2**_MAX_STOPS:
        raise GainMapError("its headroom is impossible, or there is none")
    return headroom


def _maker_note(block: bytes) -> dict[int, float]:
    """The rational numbers of Apple's MakerNote, by tag; none if it is another one, or damaged."""
    try:
        note = exif.read_block(block)["Exif"].get(_MAKER_NOTE, b"")
    except (exif.ExifError, KeyError):
        return {}
    numbers: dict[int, float] = {}
    if not isinstance(note, bytes) or not note.startswith(_SIGNATURE):
        return numbers
    with contextlib.suppress(struct.error, KeyError):
        order = {b"MM": ">", b"II": "<"}[note[_ENTRIES_AT - 2 : _ENTRIES_AT]]
        count = struct.unpack_from(order + "H", note, _ENTRIES_AT)[0]
        for entry in range(min(count, _MAX_ENTRIES)):
            at = _ENTRIES_AT + 2 + 12 * entry
            tag, kind, _, place = struct.unpack_from(order + "HHII", note, at)
            if kind == _SIGNED_RATIONAL:
                numerator, denominator = struct.unpack_from(order + "ii", note, place)
                if denominator:
                    numbers[tag] = numerator / denominator
    return numbers

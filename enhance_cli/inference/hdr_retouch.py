"""The gain map of a result: the same look for both renditions of a photo.

The networks' retouch ``f`` is a function of colors in the gamut, and so are its results. For the
HDR rendition, it is extended to brighter colors by exposure; the dials ``d`` need no extension,
since they are defined for any light. With colors ``h`` in linear light in which white is 1::

    F(h) = d(m * f(h / m)),    m = max(1, red, green, blue of h)

Up to white, this is the look of the photo, before it is clamped to the gamut. A brighter color
changes like the same color at the edge of the gamut: a retouch that leaves white as it is leaves
the light of lamps as it is, and one stop of exposure is one stop at any brightness, even where the
photo clips. Contrast, which the dials apply after the curve of sRGB, ends at white as well.

The gain map of the result leads from the result, ``r``, to ``F(h)``, where ``h`` is what the
photo's own gain map makes of the photo::

    stops = log2((F(h) + k) / (r + k)),    k = 1/64

A map of one channel stays one, and then holds the ratio of the luminances. To keep the old map
would be to say that the look multiplies the photo and its HDR rendition by the same factor, which
no look does that brightens shadows more than light.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.config.dials import Dials
from enhance_cli.imaging.cicp import decode_srgb, encode_srgb
from enhance_cli.imaging.color_space import ColorSpace
from enhance_cli.imaging.gain_maps.gain_map import OFFSET, GainMap, gain_map_of
from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.resize import resize_unrounded
from enhance_cli.inference.dials import to_linear_light, to_srgb_curve, turn_dials

Light = NDArray[np.floating[Any]]
"""``(H, W, 3)``, linear light; in the primaries of sRGB unless another color space is named. White
is 1, and colors outside the gamut have negative values."""

_LUMINANCE = np.array([0.2126390, 0.7151687, 0.0721923])
"""Weights of linear sRGB in luminance (IEC 61966-2-1)."""


def retouched_gain_map(
    photo: Photo,
    gain_map: GainMap,
    dials: Dials,
    retouch: Callable[[Photo], Photo],
    look: Callable[[Photo], Photo],
) -> GainMap:
    """Compute the gain map of a photo's result; see the module.

    Args:
        photo: The photo before the look.
        gain_map: Its gain map.
        dials: The dials of the look.
        retouch: Gives a photo in the color space of ``photo`` what the networks change.
        look: Gives such a photo the whole look, in the color space of the result.

    Returns:
        A map of the size of ``gain_map``, for the same displays or for brighter ones.
    """
    pixels = resize_unrounded(photo.pixels, gain_map.size)
    small = replace(photo, pixels=pixels, alpha=None, gain_map=None)
    hdr = _hdr_rendition(small, gain_map)
    edge = (hdr @ _into(photo.color_space)).max(axis=2, keepdims=True).clip(1)
    colors = photo.color_space.from_srgb(encode_srgb((hdr / edge).astype(np.float32)))
    after = edge * _light(retouch(replace(small, pixels=colors.clip(0, 1))))
    after = _turned(after, dials, photo.grey)
    result = look(small)
    brightest = float((after @ _into(result.color_space)).max())
    gains = _stops(after, _light(result), _per_channel(gain_map, result.color_space))
    return gain_map_of(gains, gain_map, float(np.log2(max(brightest, 1))))


def _turned(light: Light, dials: Dials, grey: bool) -> Light:
    """Light of any brightness after the dials."""
    colors = to_srgb_curve(np.asarray(light, np.float64)).astype(np.float32)
    return to_linear_light(turn_dials(colors, dials, grey).astype(np.float64))


def _hdr_rendition(photo: Photo, gain_map: GainMap) -> Light:
    """The HDR rendition of a photo of the size of its gain map."""
    numbers, space = gain_map.parameters, gain_map.color_space or photo.color_space
    base = _light(photo) @ _into(space)
    hdr = (base + numbers.base_offset) * 2.0 ** gain_map.stops() - numbers.alternate_offset
    return hdr @ np.linalg.inv(_into(space))


def _per_channel(gain_map: GainMap, target: ColorSpace) -> Light | None:
    """The matrix to the primaries that the map multiplies; None if it is the same for all."""
    if gain_map.pixels.ndim == 2 and gain_map.parameters.same_for_all:
        return None
    return _into(gain_map.color_space or target)


def _stops(after: Light, shown: Light, primaries: Light | None) -> Light:
    """The gain that leads from one rendition to the other: ``(H, W, 3)``, or ``(H, W, 1)``."""
    matrix = _LUMINANCE[:, None] if primaries is None else primaries
    hdr, sdr = ((light @ matrix).clip(0) for light in (after, shown))
    return np.log2((hdr + OFFSET) / (sdr + OFFSET))


def _light(photo: Photo) -> Light:
    return decode_srgb(photo.color_space.to_srgb(photo.as_floats())).astype(np.float64)


def _into(space: ColorSpace) -> Light:
    """The matrix from linear sRGB to the primaries of a color space, for rows of colors."""
    # A fourth color, since LittleCMS would take three by three numbers for planes.
    primaries = _light(Photo(np.eye(4, 3, dtype=np.float32)[None], space))[0, :3]
    return np.linalg.inv(primaries)

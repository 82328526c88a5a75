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

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.config.dials import NEUTRAL, Dials
from enhance_cli.imaging.cicp import decode_srgb, encode_srgb
from enhance_cli.imaging.color_space import ColorSpace, Floats
from enhance_cli.imaging.gain_maps.gain_map import OFFSET, GainMap, gain_map_of
from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.resize import Size, resize_pixels
from enhance_cli.inference.dials import to_linear_light, to_srgb_curve, turn_dials

Light = NDArray[np.floating[Any]]
"""``(H, W, 3)``, linear light; in the primaries of sRGB unless another color space is named. White
is 1, and colors outside the gamut have negative values."""

Look = Callable[[Photo, Dials, Floats, int, ColorSpace], Floats]
"""Gives rows of a photo's colors the look: the photo and the dials; the rows, ``(n, W, 3)`` in the
color space of the photo, which may be overwritten, and the number of the first; and the color space
of the result, which is not clamped."""

STRIP = 2**18
"""Number of pixels that are computed at a time: about 100 MB."""

_MAX_PIXELS = 2**22
"""Most pixels of a map that is computed. Beyond this, it would take more time than all the rest."""

_LUMINANCE = np.array([0.2126390, 0.7151687, 0.0721923])
"""Weights of linear sRGB in luminance (IEC 61966-2-1)."""


def retouched_gain_map(
    photo: Photo, gain_map: GainMap, target: ColorSpace, dials: Dials, look: Look
) -> GainMap:
    """Compute the gain map of a photo's result; see the module.

    Args:
        photo: The photo before the look.
        gain_map: Its gain map.
        target: Color space of the result.
        dials: The dials of the look.
        look: The look.

    Returns:
        A map of the size of ``gain_map``, or of 4 megapixels if it is larger; for the same displays
        or for brighter ones.
    """
    gain_map = gain_map.fit_within(_capped(gain_map.size))
    pixels = resize_pixels(photo.pixels, gain_map.size)
    small = replace(photo, pixels=pixels, alpha=None, gain_map=None)
    width, height = gain_map.size
    rows = max(1, STRIP // width)
    gains, brightest = [], 1.0
    for top in range(0, height, rows):
        before = small.as_floats(top, top + rows)
        part = replace(gain_map, pixels=gain_map.pixels[top : top + rows])
        hdr = _hdr_rendition(before, small.color_space, part)
        after = _extended(small, dials, hdr, top, look)
        shown = _light(look(small, dials, before, top, target).clip(0, 1), target)
        brightest = max(brightest, float((after @ _into(target)).max()))
        gains.append(_stops(after, shown, _per_channel(gain_map, target)))
    return gain_map_of(np.concatenate(gains), gain_map, math.log2(brightest))


def _extended(photo: Photo, dials: Dials, hdr: Light, top: int, look: Look) -> Light:
    """The look of rows of the HDR rendition, beginning at row ``top``."""
    space = photo.color_space
    edge = (hdr @ _into(space)).max(axis=2, keepdims=True).clip(1)
    within = space.from_srgb(encode_srgb((hdr / edge).astype(np.float32))).clip(0, 1)
    changed = look(photo, NEUTRAL, within, top, space).clip(0, 1)
    return _turned(edge * _light(changed, space), dials, photo.grey)


def _capped(size: Size) -> Size:
    """The size of a map, scaled down if it has too many pixels."""
    scale = min(1.0, (_MAX_PIXELS / (size.width * size.height)) ** 0.5)
    return Size(max(1, round(size.width * scale)), max(1, round(size.height * scale)))


def _turned(light: Light, dials: Dials, grey: bool) -> Light:
    """Light of any brightness after the dials."""
    colors = to_srgb_curve(np.asarray(light, np.float64)).astype(np.float32)
    return to_linear_light(turn_dials(colors, dials, grey).astype(np.float64))


def _hdr_rendition(colors: Floats, space: ColorSpace, gain_map: GainMap) -> Light:
    """The HDR rendition of colors in a color space, with a gain map of their size."""
    numbers, primaries = gain_map.parameters, _into(gain_map.color_space or space)
    base = _light(colors, space) @ primaries
    hdr = (base + numbers.base_offset) * 2.0 ** gain_map.stops() - numbers.alternate_offset
    return hdr @ np.linalg.inv(primaries)


def _per_channel(gain_map: GainMap, target: ColorSpace) -> Light | None:
    """The matrix to the primaries that the map multiplies; None if it is the same for all."""
    if gain_map.pixels.ndim == 2 and gain_map.parameters.same_for_all:
        return None
    return _into(gain_map.color_space or target)


def _stops(after: Light, shown: Light, primaries: Light | None) -> Light:
    """The gain that leads from one rendition to the other: ``(H, W, 3)``, or ``(H, W, 1)``."""
    matrix = _LUMINANCE[:, None] if primaries is None else primaries
    hdr, sdr = ((light @ matrix).clip(0) for light in (after, shown))
    return np.log2((hdr + OFFSET) / (sdr + OFFSET)).astype(np.float32)


def _light(colors: Floats, space: ColorSpace) -> Light:
    return decode_srgb(space.to_srgb(colors)).astype(np.float64)


def _into(space: ColorSpace) -> Light:
    """The matrix from linear sRGB to the primaries of a color space, for rows of colors."""
    # A fourth color, since LittleCMS would take three by three numbers for planes.
    primaries = _light(np.eye(4, 3, dtype=np.float32)[None], space)[0, :3]
    return np.linalg.inv(primaries)

"""Samples as files store them, converted to levels: uint8 or uint16 over the full range."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.photo import STRIP, quantize
from enhance_cli.imaging.resize import max_value

Levels = NDArray[Any]
"""uint8 or uint16, over the full range."""

_WHITE = 1.0
"""White in floating-point pixels."""

_NARROW_BLACK, _NARROW_WHITE, _NARROW_STEPS = 16, 235, 256
"""Black and white of the narrow range, and their scale, in 8 bits (ITU-T H.273, 8.3)."""


def full_range(samples: NDArray[Any], bits: int) -> Levels:
    """Convert samples to uint8, or to uint16 if they have more than 8 bits.

    Args:
        samples: Of any shape: booleans, integers of this many bits, or floats from 0 to 1.
        bits: Bits of a sample.

    Raises:
        ValueError: The samples are floats, and most of them are brighter than white.
    """
    if np.issubdtype(samples.dtype, np.floating):
        levels = np.nan_to_num(samples.astype(np.float32, copy=False))
        if np.median(levels) > _WHITE:
            raise ValueError("its numbers are larger than 1, which is white")
        return np.asarray(quantize(levels, np.dtype(np.uint16)), np.uint16)
    if samples.dtype == bool:
        return samples.astype(np.uint8) * np.uint8(255)
    if bits in {8, 16}:
        return samples
    if bits > 16:
        return (samples >> (bits - 16)).astype(np.uint16)
    dtype, white = np.dtype(np.uint8 if bits < 8 else np.uint16), 2**bits - 1
    table = (np.arange(white + 1) * (max_value(dtype) / white)).round().astype(dtype)
    return table[samples.clip(max=white)]


def from_narrow_range(levels: Levels) -> Levels:
    """Stretch colors of the narrow range, which is that of video, to the full range."""
    white = max_value(levels.dtype)
    scale = (white + 1) // _NARROW_STEPS
    black, span = _NARROW_BLACK * scale, (_NARROW_WHITE - _NARROW_BLACK) * scale
    stretched = (np.arange(white + 1, dtype=np.float32) - black) / np.float32(span)
    return np.asarray(quantize(stretched, levels.dtype), levels.dtype)[levels]


def divided(levels: Levels, alpha: Levels) -> Levels:
    """Undo the multiplication of colors by their opacity, strip by strip to save memory."""
    divided = np.empty_like(levels)
    rows = max(1, STRIP // levels.shape[1])
    for top in range(0, len(levels), rows):
        strip = np.s_[top : top + rows]
        opacity = alpha[strip].clip(min=1).astype(np.float32)
        colors = levels[strip] / (opacity if levels.ndim == 2 else opacity[..., None])
        divided[strip] = quantize(colors, levels.dtype)
    return divided

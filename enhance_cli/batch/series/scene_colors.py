"""How alike two photos are in color, and by how many stops one of them is brighter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_PER_STOP = 6
"""Bins of luminance per stop; cameras step by thirds and halves of a stop."""

_DARKEST, _BINS = -11, 72
"""Luminance of the first bin in stops below white, and number of bins."""

_HUES, _PER_RATIO = 8, 2
"""Bins of red and of blue relative to green, and how many of them make a factor of two."""

_DARK, _BRIGHT = 0.01, 0.98
"""Colors with a channel beyond these say nothing of the scene: they are noise, or clipped."""

_BLACK = 0.002
"""Added to linear values, so that the ratios of dark ones are not noise."""

_LUMA_BT709 = np.array([0.2126, 0.7152, 0.0722], np.float32)

_SMOOTHED = (
    (0, np.array([1, 2, 3, 2, 1]) / 9),
    (1, np.array([1, 6, 1]) / 8),
    (2, np.array([1, 6, 1]) / 8),
)
"""For each axis, the weights of neighboring bins."""

_TOLERANCE, _SHARE = 1 / 3, 0.35
"""Difference in brightness, in stops and as a share, that a camera's tone curve may add to that in
exposure."""

_CLEARLY = 0.03
"""By how much more two photos must have in common for a difference that is not expected."""

MOST_STOPS = 6
"""Largest difference in brightness that is looked for, in stops."""


def scene_colors(view: Floats) -> Floats:
    """Count the colors of a photo by luminance, and by red and blue relative to green.

    Args:
        view: ``(H, W, 3)``, sRGB in [0, 1].

    Returns:
        Shares, ``(72, 8, 8)``, whose sum is 1; zeros if all colors are black or clipped.
    """
    colors = view.reshape(-1, 3)
    colors = colors[(colors.max(1) < _BRIGHT) & (colors.min(1) > _DARK)]
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    luminance = np.log2(linear @ _LUMA_BT709)
    ratios = np.log2((linear[:, [0, 2]] + _BLACK) / (linear[:, [1]] + _BLACK))
    bins = np.column_stack(
        [
            np.clip((luminance - _DARKEST) * _PER_STOP, 0, _BINS - 1),
            np.clip((ratios * _PER_RATIO) + _HUES / 2, 0, _HUES - 1),
        ]
    ).astype(np.int64)
    shape = (_BINS, _HUES, _HUES)
    flat = np.ravel_multi_index(tuple(bins.T), shape)
    counts = np.bincount(flat, minlength=_BINS * _HUES * _HUES).reshape(shape).astype(np.float32)
    for axis, weights in _SMOOTHED:
        counts = _smoothed(counts, axis, weights)
    return counts / max(float(counts.sum()), 1)


def brightened(colors: Floats, stops: float) -> Floats:
    """The colors of the same scene, exposed by a number of stops more."""
    bins = round(stops * _PER_STOP)
    moved = np.zeros_like(colors)
    if abs(bins) >= _BINS:
        return moved
    moved[max(0, bins) : _BINS + min(0, bins)] = colors[max(0, -bins) : _BINS - max(0, bins)]
    return moved


def likeness(colors: Floats, other: Floats, stops: float | None) -> tuple[float, float]:
    """How alike the colors of two photos are, apart from a difference in exposure.

    Args:
        colors: The colors of a photo, see :func:`scene_colors`.
        other: Those of another one.
        stops: By how many stops more the first one was exposed; None if that is not known.

    Returns:
        The share that they have in common, and by how many stops the first one is brighter.
    """
    reach = MOST_STOPS if stops is None else _TOLERANCE + _SHARE * abs(stops)
    expected, most = round((stops or 0) * _PER_STOP), round(reach * _PER_STOP)
    shares = {
        bins: float(np.minimum(brightened(colors, -bins / _PER_STOP), other).sum())
        for bins in range(expected - most - 1, expected + most + 2)
    }
    best = max(list(shares)[1:-1], key=lambda bins: shares[bins])
    if shares[best] < shares[expected] + _CLEARLY:  # other parts of a scene differ by chance
        return shares[expected], expected / _PER_STOP
    return shares[best], (best + _peak(*(shares[best + step] for step in (-1, 0, 1)))) / _PER_STOP


def _peak(before: float, highest: float, after: float) -> float:
    """Where a parabola through three values has its peak: from -0.5 to 0.5 about the middle."""
    bend = before - 2 * highest + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0


def _smoothed(counts: Floats, axis: int, weights: NDArray[np.float64]) -> Floats:
    half = len(weights) // 2
    moved = (np.roll(counts, number - half, axis) for number in range(len(weights)))
    return sum(
        (np.float32(weight) * one for weight, one in zip(weights, moved, strict=True)),
        np.zeros_like(counts),
    )

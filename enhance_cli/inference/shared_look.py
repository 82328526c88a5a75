"""One function of color for several photos of a scene, at the exposure of each.

In the encoding of sRGB, a change of exposure by ``d`` stops is ``p + c -> k (p + c)`` with
``c = 0.055`` and ``k = 2 ** (d / 2.4)``, except in the darkest tones, where sRGB is linear. So it
takes a polynomial of color to another one of the same degree, and functions are brought to another
exposure, averaged and brought back without loss.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from enhance_cli.imaging.color_loop import ColorCoefficients, as_polynomial, color_exponents
from enhance_cli.imaging.color_space import Floats

Doubles = NDArray[np.float64]

_OFFSET, _GAMMA = 0.055, 2.4
"""Of sRGB's curve (IEC 61966-2-1)."""

_PRIOR = 0.02
"""Weight of the whole color cube beside a photo's own colors."""

_PER_STOP = 1 / 10
"""Weight of a photo one stop from the common exposure: it has lost highlights or shadows."""

_NEAR = 0.02
"""Distance from the shared function, in [0, 1], up to which a photo's own counts in full."""

_ROUNDS = 8
"""Rounds of reweighting; then the weights stand still."""


@dataclass(frozen=True, eq=False)
class OwnLook:
    """The function of color that the networks predict for one photo, and where it counts.

    Attributes:
        terms: Coefficients of the monomials of ``2 p - 1``, ``(T, 3)``: T is 35, or 4 for a linear
            function. Without protection of white and black.
        colors: Mean products of the monomials over the photo's colors, ``(T, T)``.
    """

    terms: Doubles
    colors: Doubles


@dataclass(frozen=True, eq=False)
class SharedLook:
    """The function of color of a group, at its common exposure.

    Attributes:
        terms: As in :class:`OwnLook`.
        distances: How far the function of each photo is from it on the photo's colors: the root of
            the mean square over R, G and B, in [0, 1].
    """

    terms: Doubles
    distances: Doubles


def own_look(view: Floats, function: ColorCoefficients) -> OwnLook:
    """Describe the function of a photo.

    Args:
        view: A small copy of the photo, ``(H, W, 3)``, sRGB in [0, 1].
        function: What the networks predict for it.
    """
    terms = as_polynomial(function)
    monomials = _monomials(2 * view.reshape(-1, 3).astype(np.float64) - 1, _degree(terms))
    return OwnLook(terms, monomials @ monomials.T / monomials.shape[1])


def share_look(looks: Sequence[OwnLook], stops: Sequence[float]) -> SharedLook:
    """Average functions of color, each counting most for the colors of its photo.

    It is a robust mean: the farther a function is from it, the less it counts. So do photos far
    from the common exposure, which have lost highlights or shadows.

    Args:
        looks: One for each photo, at least one, all of them linear or none.
        stops: Exposure of each photo beyond the common one, in stops.
    """
    moved = [_at_common_exposure(look, stop) for look, stop in zip(looks, stops, strict=True)]
    base = _PER_STOP ** np.abs(np.asarray(stops, np.float64))
    shares, terms, distances = base, moved[0][0].terms, base
    for _ in range(_ROUNDS):
        terms = _mean(moved, shares)
        distances = np.array([_distance(look.terms - terms, look.colors) for look, _ in moved])
        shares = base * np.minimum(1, _NEAR / np.maximum(distances, _NEAR))
    return SharedLook(terms, distances)


def look_at_exposure(
    shared: SharedLook, stops: float, protection: ColorCoefficients
) -> ColorCoefficients:
    """The shared function for a photo, whose difference in exposure stays.

    Args:
        shared: The function of the group.
        stops: Exposure of the photo beyond the common one, in stops.
        protection: A function whose protection of white and black is taken over.
    """
    factor = _factor(stops)
    terms = factor * _substitution(1 / factor, _degree(shared.terms)).T @ shared.terms
    terms[0] += (factor - 1) * _OFFSET
    return ColorCoefficients.of_polynomial(
        terms.astype(np.float32), protection.white_from, protection.toe
    )


def _at_common_exposure(look: OwnLook, stops: float) -> tuple[OwnLook, Doubles]:
    """A function of the colors at the common exposure, and its weights."""
    factor, degree = _factor(stops), _degree(look.terms)
    to_common = _substitution(1 / factor, degree)
    terms = _substitution(factor, degree).T @ look.terms
    weights = to_common @ (look.colors + _PRIOR * _cube(degree)) @ to_common.T
    return OwnLook(terms, to_common @ look.colors @ to_common.T), weights


def _mean(moved: Sequence[tuple[OwnLook, Doubles]], shares: Doubles) -> Doubles:
    # Differences to one of them, so that equal functions have exactly this mean.
    first = moved[0][0].terms
    total, moments = np.zeros_like(moved[0][1]), np.zeros_like(first)
    for share, (look, weights) in zip(shares, moved, strict=True):
        total += share * weights
        moments += share * weights @ (look.terms - first)
    return first + np.linalg.solve(total, moments)


def _distance(difference: Doubles, colors: Doubles) -> float:
    squares = np.einsum("ic,ij,jc->", difference, colors, difference)
    return math.sqrt(max(0.0, float(squares)) / 3)


def _factor(stops: float) -> float:
    return 2 ** (stops / _GAMMA)


def _degree(terms: Doubles) -> int:
    return {4: 1, 35: 4}[len(terms)]


def _monomials(centered: Doubles, degree: int) -> Doubles:
    """The monomials at colors ``(N, 3)`` in [-1, 1]: ``(T, N)``."""
    powers = [np.ones_like(centered)]
    for _ in range(degree):
        powers.append(powers[-1] * centered)
    return np.stack(
        [powers[r][:, 0] * powers[g][:, 1] * powers[b][:, 2] for r, g, b in color_exponents(degree)]
    )


def _substitution(factor: float, degree: int) -> Doubles:
    """The monomials of ``p + c -> factor (p + c)`` in terms of those of ``p``: ``(T, T)``."""
    shift = (1 + 2 * _OFFSET) * (factor - 1)
    one = np.zeros((degree + 1, degree + 1))
    for n in range(degree + 1):
        for m in range(n + 1):
            one[n, m] = math.comb(n, m) * factor**m * shift ** (n - m)
    exponents = np.array(color_exponents(degree))
    channels = [one[np.ix_(exponents[:, i], exponents[:, i])] for i in range(3)]
    return channels[0] * channels[1] * channels[2]


@lru_cache(maxsize=2)
def _cube(degree: int) -> Doubles:
    """Mean products of the monomials over all colors."""
    mean = [0 if n % 2 else 1 / (n + 1) for n in range(2 * degree + 1)]
    exponents = np.array(color_exponents(degree))
    sums = exponents[:, None] + exponents[None]
    return np.array(mean)[sums].prod(axis=-1)

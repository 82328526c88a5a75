"""Scores of a model on pairs, and comparison pictures; training uses both as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enhance_cli.data.pair_cache import PairCache
from enhance_cli.data.pairs import Pair
from enhance_cli.imaging.contact_sheet import contact_sheet
from enhance_cli.imaging.metrics import Score, mean, score
from enhance_cli.imaging.photo import Photo

if TYPE_CHECKING:
    from enhance_cli.inference.enhancer import Enhancer

Pixels = NDArray[np.float32]


def score_pairs(enhancer: Enhancer, pairs: list[Pair], cache: PairCache) -> Score:
    """Score a model on pairs, and average over them.

    Args:
        enhancer: The model.
        pairs: The pairs; at least one.
        cache: The cache that holds the pairs at the size at which they are scored.

    Raises:
        EnhanceError: A pair cannot be read.
    """
    scores = []
    for pair in pairs:
        original, expert = pair_pixels(pair, cache)
        scores.append(score(enhance_pixels(enhancer, original), expert))
    return mean(scores)


def comparison(
    pair: Pair, cache: PairCache, enhancers: Mapping[str, Enhancer]
) -> NDArray[np.uint8]:
    """Draw figure 3 for one pair: the original, each model's result, the expert's version.

    Args:
        pair: The pair.
        cache: The cache that holds it.
        enhancers: The models, by the labels of their results.

    Returns:
        A labelled contact sheet, ``(H, W, 3)``.
    """
    original, expert = pair_pixels(pair, cache)
    results = [(name, enhance_pixels(model, original)) for name, model in enhancers.items()]
    return contact_sheet([("original", original), *results, ("expert", expert)])


def enhance_pixels(enhancer: Enhancer, pixels: Pixels, coarse_only: bool = False) -> Pixels:
    """Enhance a photo with the code that ``enhance apply`` uses.

    Args:
        enhancer: The model.
        pixels: ``(H, W, 3)``, float32, sRGB in [0, 1].
        coarse_only: Use CENet alone, without PRNet.

    Returns:
        ``(H, W, 3)``, float32, clamped to [0, 1].

    Raises:
        RetouchError: The networks' result is not finite, or memory runs out.
    """
    photo = Photo(pixels)
    return enhancer.apply(photo, enhancer.predict(photo, coarse_only)).as_floats()


def pair_pixels(pair: Pair, cache: PairCache) -> list[Pixels]:
    """Read original and expert as ``(H, W, 3)``, float32, sRGB in [0, 1].

    Args:
        pair: The pair.
        cache: The cache that holds it.

    Raises:
        EnhanceError: The pair cannot be read.
    """
    both = cache.load(pair).permute(0, 2, 3, 1).numpy()
    return [photo.astype(np.float32) / np.float32(255) for photo in both]

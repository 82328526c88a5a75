"""Random augmentation of training pairs."""

from __future__ import annotations

import random

from torch import Tensor

TILES = (2, 4, 8)
"""Possible numbers of tiles along a side."""


def shuffle_tiles(square: Tensor, draw: random.Random) -> Tensor:
    """Cut a square into tiles and reassemble them in random order (jigsaw augmentation).

    The right retouch depends mostly on which colors a photo has, and little on where they are.
    Samples that are reassembled differently each time are harder to memorise.

    Args:
        square: ``(..., S, S)``; all leading axes are shuffled alike.
        draw: Source of randomness for the order of the tiles, and for their number: 2 x 2, 4 x 4
            or 8 x 8.

    Returns:
        The same shape. The square is returned unchanged if S cannot be divided by the number of
        tiles along a side.
    """
    count = draw.choice(TILES)
    side, rest = divmod(square.shape[-1], count)
    if rest:
        return square
    order = draw.sample(range(count**2), count**2)
    tiles = square.unflatten(-1, (count, side)).unflatten(-3, (count, side)).transpose(-3, -2)
    shuffled = tiles.flatten(-4, -3)[..., order, :, :].unflatten(-3, (count, count))
    return shuffled.transpose(-3, -2).flatten(-4, -3).flatten(-2)

"""Random augmentation of training pairs."""

from __future__ import annotations

import random

from torch import Tensor

TILES = (2, 4, 8)
"""Numbers of tiles along a side into which a sample may be cut."""


def shuffle_tiles(square: Tensor, draw: random.Random) -> Tensor:
    """Cut a square into tiles and reassemble them in random order.

    The right retouch depends mostly on which colors a photo has, and not on where they are. A
    sample that never comes back in the same order is not memorised as easily.

    Args:
        square: ``(..., S, S)``; all leading axes are cut in the same way.
        draw: Source of randomness for the order, and for the number of tiles: 2 x 2, 4 x 4 or
            8 x 8.

    Returns:
        The same shape. If S is not a multiple of the number of tiles, nothing changes.
    """
    count = draw.choice(TILES)
    side, rest = divmod(square.shape[-1], count)
    if rest:
        return square
    order = draw.sample(range(count**2), count**2)
    tiles = square.unflatten(-1, (count, side)).unflatten(-3, (count, side)).transpose(-3, -2)
    shuffled = tiles.flatten(-4, -3)[..., order, :, :].unflatten(-3, (count, count))
    return shuffled.transpose(-3, -2).flatten(-4, -3).flatten(-2)

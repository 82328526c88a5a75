"""What is changed about a pair at random, so that it is not so soon known by heart."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

EXPOSURE_FOLLOWS = 0.45
"""Share of a change of exposure that is still there after retouching: 0.38 to 0.57, measured, like
the next, between versions of 814 photos retouched by two published systems."""

BALANCE_FOLLOWS = 1.2
"""The same for a cast, 1.2 to 1.3: colours are made stronger, casts among them."""

TILES = (2, 4, 8)
"""To a side, of a square that is put together in another order."""


def _unchanged(photo: Tensor) -> Tensor:
    return photo


class Change(NamedTuple):
    """What is done to a pair at random, photo by photo, ``(3, H, W)``, sRGB in [0, 1].

    Made once they are cut to size, since it costs as much as all the rest.
    """

    original: Callable[[Tensor], Tensor] = _unchanged
    expert: Callable[[Tensor], Tensor] = _unchanged


def draw_jitter(stops: float, draw: random.Random) -> Change:
    """Draw a small change of a pair's exposure and colour balance.

    Who retouches a darker photo of the same scene hands in a darker result, though not by as much,
    and keeps its cast; so the expert's version follows.

    Args:
        stops: Largest change: of the exponent that all channels share, in powers of two, and, a
            third as much, of the gain of each. Black stays black, and white about white.
        draw: Source of the random choices.
    """
    exposure = draw.uniform(-stops, stops)
    balance = torch.tensor([draw.uniform(-stops, stops) / 3 for _ in range(3)])
    balance = (balance - balance.mean())[:, None, None]

    def changed(photo: Tensor, exposure: float, balance: Tensor) -> Tensor:
        return (photo ** (2**-exposure) * 2**balance).clamp(0, 1)

    return Change(
        lambda photo: changed(photo, exposure, balance),
        lambda photo: changed(photo, EXPOSURE_FOLLOWS * exposure, BALANCE_FOLLOWS * balance),
    )


def shuffled(square: Tensor, draw: random.Random) -> Tensor:
    """Cut a square into tiles and put them together in another order.

    What is to be made of a photo is mostly a matter of which colours there are, and not of where
    they are. One that never comes back in the same order is not so soon known by heart.

    Args:
        square: ``(..., S, S)``; all that is before the last two axes is cut alike.
        draw: Source of the random choices: the order, and whether there are 2 x 2, 4 x 4 or
            8 x 8 tiles.

    Returns:
        The same shape. Where S is no multiple of the number of tiles, nothing is changed.
    """
    count = draw.choice(TILES)
    side, rest = divmod(square.shape[-1], count)
    if rest:
        return square
    order = draw.sample(range(count**2), count**2)
    tiles = square.unflatten(-1, (count, side)).unflatten(-3, (count, side)).transpose(-3, -2)
    again = tiles.flatten(-4, -3)[..., order, :, :].unflatten(-3, (count, count))
    return again.transpose(-3, -2).flatten(-4, -3).flatten(-2)

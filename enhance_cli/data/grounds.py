"""Plain and grainy grounds: where there is nothing to be retouched, nothing may change."""

from __future__ import annotations

import random

import torch
from torch import Tensor

GRAINY = 0.5
"""Share of the grounds that are not plain after all."""


def matted(photo: Tensor, draw: random.Random) -> Tensor:
    """Leave a part of a finished photo, and make the rest plain or noisy.

    A studio's ground, a white sky or a black one shall stay as plain as it is, and grain may not
    bring a cast; among finished photos there are too few of them to learn that from.

    Args:
        photo: ``(3, H, W)``, sRGB in [0, 1].
        draw: Source of the random choices. Half of the grounds are white.
    """
    height, width = photo.shape[-2:]
    white = draw.random() < 0.5
    ground = _grainy(torch.ones_like(photo), draw) if white else plain(photo, draw)
    tall, wide = (round(side * draw.random()) for side in (height, width))
    top, left = draw.randint(0, height - tall), draw.randint(0, width - wide)
    window = slice(top, top + tall), slice(left, left + wide)
    ground[:, *window] = photo[:, *window]
    return ground


def plain(photo: Tensor, draw: random.Random) -> Tensor:
    """A frame of one colour or of grain, of the size of ``photo``: nothing to be retouched.

    Args:
        photo: ``(3, H, W)``.
        draw: Source of the random choices. A third of the frames are of a colour that is in the
            photo, for of all colours few are as dull and dark as soil and leaves are; a third are
            of any colour, dark ones more often; a sixth grey, the others white or black. Every
            other one has grain of any strength and size.
    """
    height, width = photo.shape[-2:]
    own = photo[:, draw.randrange(height), draw.randrange(width)].tolist()
    grey, light = [draw.random()] * 3, draw.random()
    colour = [light * draw.random() for _ in range(3)]
    end = [float(draw.random() < 0.5)] * 3
    chosen = draw.choice([own, own, colour, colour, grey, end])
    return _grainy(photo.new_tensor(chosen)[:, None, None].expand_as(photo).clone(), draw)


def _grainy(ground: Tensor, draw: random.Random) -> Tensor:
    if draw.random() >= GRAINY:
        return ground
    height, width = ground.shape[-2:]
    return ground.lerp(_grain(height, width, draw), draw.random())


def _grain(height: int, width: int, draw: random.Random) -> Tensor:
    """Squares of 1 to 4 pixels, each of a colour of its own."""
    side = draw.randint(1, 4)
    source = torch.Generator().manual_seed(draw.getrandbits(32))
    colours = torch.rand(3, -(-height // side), -(-width // side), generator=source)
    squares = colours.repeat_interleave(side, 1).repeat_interleave(side, 2)
    return squares[:, :height, :width]

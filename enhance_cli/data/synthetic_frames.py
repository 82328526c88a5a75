"""Synthetic frames, plain or noisy, from which the networks learn to change nothing."""

from __future__ import annotations

import random

import torch
from torch import Tensor

NOISE_SHARE = 0.5
"""Share of the frames that have noise."""


def on_plain_background(photo: Tensor, draw: random.Random) -> Tensor:
    """Keep a part of a finished photo, and replace the rest by a plain or noisy background.

    Studio backgrounds, white skies and black ones are to stay plain, and noise is not to cause a
    cast. Finished photos show too few of them to learn that.

    Args:
        photo: ``(3, H, W)``, sRGB in [0, 1].
        draw: Source of randomness. Half of the backgrounds are white.
    """
    height, width = photo.shape[-2:]
    white = draw.random() < 0.5
    frame = torch.ones_like(photo)
    frame = _with_noise(frame, draw) if white else flat_or_noise_frame(photo, draw)
    tall, wide = (round(side * draw.random()) for side in (height, width))
    top, left = draw.randint(0, height - tall), draw.randint(0, width - wide)
    window = slice(top, top + tall), slice(left, left + wide)
    frame[:, *window] = photo[:, *window]
    return frame


def flat_or_noise_frame(photo: Tensor, draw: random.Random) -> Tensor:
    """A frame of one color, plain or noisy, of the size of ``photo``: nothing to retouch.

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
    return _with_noise(photo.new_tensor(chosen)[:, None, None].expand_as(photo).clone(), draw)


def _with_noise(ground: Tensor, draw: random.Random) -> Tensor:
    if draw.random() >= NOISE_SHARE:
        return ground
    height, width = ground.shape[-2:]
    return ground.lerp(_noise(height, width, draw), draw.random())


def _noise(height: int, width: int, draw: random.Random) -> Tensor:
    """Squares of 1 to 4 pixels, each of a colour of its own."""
    side = draw.randint(1, 4)
    source = torch.Generator().manual_seed(draw.getrandbits(32))
    colours = torch.rand(3, -(-height // side), -(-width // side), generator=source)
    squares = colours.repeat_interleave(side, 1).repeat_interleave(side, 2)
    return squares[:, :height, :width]

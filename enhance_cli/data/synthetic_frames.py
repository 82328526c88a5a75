"""Synthetic training frames, flat or noisy, that the networks learn to leave unchanged."""

from __future__ import annotations

import random

import torch
from torch import Tensor

NOISE_SHARE = 0.5
"""Share of frames and backgrounds that are noisy."""


def on_plain_background(photo: Tensor, draw: random.Random) -> Tensor:
    """Keep a part of a finished photo and replace the rest by a plain or noisy background.

    Studio backgrounds and clipped skies must stay plain, and noise must not cause a color cast.
    Finished photos contain too few of either for the networks to learn that.

    Args:
        photo: ``(3, H, W)``, float, sRGB in [0, 1].
        draw: Source of randomness. Half of the backgrounds are white; the others are drawn by
            :func:`flat_or_noise_frame`.

    Returns:
        The same shape and range. The part that is kept stays where it is.
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
    """Draw a frame of one color, flat or noisy, of the size of ``photo``.

    Args:
        photo: ``(3, H, W)``, float, sRGB in [0, 1].
        draw: Source of randomness. A third of the frames have a color of the photo, since few
            random colors are as dull and dark as soil and leaves. A third have a random color,
            more often a dark one. A sixth are grey, and a sixth white or black. ``NOISE_SHARE`` of
            all frames have noise of random strength and grain size.

    Returns:
        The same shape and range.
    """
    height, width = photo.shape[-2:]
    own = photo[:, draw.randrange(height), draw.randrange(width)].tolist()
    grey, light = [draw.random()] * 3, draw.random()
    color = [light * draw.random() for _ in range(3)]
    white_or_black = [float(draw.random() < 0.5)] * 3
    chosen = draw.choice([own, own, color, color, grey, white_or_black])
    return _with_noise(photo.new_tensor(chosen)[:, None, None].expand_as(photo).clone(), draw)


def _with_noise(frame: Tensor, draw: random.Random) -> Tensor:
    if draw.random() >= NOISE_SHARE:
        return frame
    height, width = frame.shape[-2:]
    return frame.lerp(_noise(height, width, draw), draw.random())


def _noise(height: int, width: int, draw: random.Random) -> Tensor:
    """Noise whose grains are squares of 1 to 4 pixels, each with a random color."""
    side = draw.randint(1, 4)
    generator = torch.Generator().manual_seed(draw.getrandbits(32))
    colors = torch.rand(3, -(-height // side), -(-width // side), generator=generator)
    grains = colors.repeat_interleave(side, 1).repeat_interleave(side, 2)
    return grains[:, :height, :width]

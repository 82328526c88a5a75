"""Distort a finished photo at random, so that the way back can be learned.

This is the distort-and-recover recipe of Park et al. 2018, the paper's [16]: no pair is needed,
only photos that are good as they are. What is drawn here spoils exposure, white balance, tone,
contrast, saturation and colour, as much as an unretouched photo may need it, and no more than can
be undone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from enhance_cli.imaging.metrics import l2_lab
from enhance_cli.models.luma_bt709 import luma_bt709

IDENTITY_SHARE = 0.1
"""Share of the finished photos that are not distorted: a good photo is to be left alone."""

DELTA_E_RANGE = (4.0, 28.0)
"""Range of the mean CIELab change. Originals of FiveK differ from expert C's versions by 16 on
average."""

MAX_TRIES = 8
"""Draws until one falls into that range."""

_PIVOT = 0.45
"""Level that a change of contrast leaves where it is."""


@dataclass(frozen=True)
class Distortion:
    """One way to spoil a photo; every pixel is changed by itself.

    Attributes:
        gains: Exposure and white balance: factors of linear red, green and blue.
        gamma: Exponent of tone on sRGB values.
        contrast: Slope about a middle level.
        black: Level that black is lifted to.
        white: Level that white is pulled down to.
        saturation: Factor of the distance from grey.
        color: 3 x 3, its rows summing to one, so that grey stays grey.
    """

    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    contrast: float = 1.0
    black: float = 0.0
    white: float = 1.0
    saturation: float = 1.0
    color: tuple[tuple[float, ...], ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

    def __call__(self, photo: Tensor) -> Tensor:
        """Spoil a photo.

        Args:
            photo: ``(3, H, W)``, sRGB in [0, 1].

        Returns:
            The same, clamped to [0, 1] as a file would be.
        """
        grey = luma_bt709(photo)
        photo = grey + self.saturation * (photo - grey)
        photo = torch.einsum("ij,jhw->ihw", photo.new_tensor(self.color), photo)
        photo = (_PIVOT + self.contrast * (photo - _PIVOT)).clamp(0, 1)
        photo = _to_linear(photo.pow(self.gamma)) * photo.new_tensor(self.gains)[:, None, None]
        photo = _to_srgb(photo.clamp(0, 1))
        return self.black + (self.white - self.black) * photo


def draw_distortion(photo: Tensor, draw: random.Random) -> Distortion:
    """Draw a distortion whose mean CIELab change of ``photo`` lies in ``DELTA_E_RANGE``.

    Args:
        photo: ``(3, H, W)``, sRGB in [0, 1]; some of its pixels are tried.
        draw: Source of the random choices.
    """
    step = max(1, max(photo.shape[1:]) // 32)
    few = photo[:, ::step, ::step]
    before = _pixels(few)
    distortion = Distortion()
    for _ in range(MAX_TRIES):
        distortion = _any_distortion(draw)
        if DELTA_E_RANGE[0] <= l2_lab(_pixels(distortion(few)), before) <= DELTA_E_RANGE[1]:
            break
    return distortion


def _any_distortion(draw: random.Random) -> Distortion:
    """Each part is spoilt in most photos; darker, flatter and paler more often than the reverse."""

    def sometimes(low: float, high: float, share: float = 0.7) -> float:
        return draw.uniform(low, high) if draw.random() < share else 0.0

    stops = draw.gauss(-0.6, 0.8) if draw.random() < 0.9 else 0.0
    warmth, tint = sometimes(-0.45, 0.45), sometimes(-0.15, 0.15)
    exposure = min(max(stops, -2.5), 1.2)
    return Distortion(
        gains=(2 ** (exposure + warmth), 2 ** (exposure + tint), 2 ** (exposure - warmth)),
        gamma=2 ** sometimes(-0.35, 0.35),
        contrast=2 ** sometimes(-0.8, 0.25),
        black=sometimes(0, 0.08, 0.4),
        white=1 - sometimes(0, 0.15, 0.4),
        saturation=2 ** sometimes(-1.0, 0.3),
        color=_color_mix(draw) if draw.random() < 0.5 else Distortion.color,
    )


def _color_mix(draw: random.Random) -> tuple[tuple[float, ...], ...]:
    rows = []
    for channel in range(3):
        row = [draw.gauss(0, 0.04) for _ in range(3)]
        row[channel] = 1 - sum(row) + row[channel]
        rows.append(tuple(row))
    return tuple(rows)


def _to_linear(photo: Tensor) -> Tensor:
    return torch.where(photo <= 0.04045, photo / 12.92, ((photo + 0.055) / 1.055).pow(2.4))


def _to_srgb(linear: Tensor) -> Tensor:
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.pow(1 / 2.4) - 0.055)


def _pixels(photo: Tensor) -> np.ndarray:
    return photo.permute(1, 2, 0).numpy()

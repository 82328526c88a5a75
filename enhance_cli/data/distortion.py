"""Random distortion of finished photos, which the networks learn to undo.

This is the distort-and-recover method of Park et al. 2018, the paper's [16]. It needs no pairs,
only photos that are good as they are. A distortion changes exposure, white balance, tone, contrast,
saturation and color about as much as unretouched photos deviate, and no more than can be undone.
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
"""Share of samples that are not distorted. They teach the networks to leave good photos alone."""

DELTA_E_RANGE = (4.0, 28.0)
"""Allowed mean CIELab distance between a photo and its distorted version. Originals of FiveK differ
from expert C's versions by 16 on average."""

MAX_TRIES = 8
"""Number of draws after which a distortion outside that range is accepted."""

_PIVOT = 0.45
"""sRGB level that a change of contrast does not move."""


@dataclass(frozen=True)
class Distortion:
    """A distortion that maps each pixel independently of all others.

    Attributes:
        gains: Factors of linear red, green and blue: exposure and white balance.
        gamma: Exponent applied to sRGB values.
        contrast: Slope of the tone curve around a middle level.
        black: sRGB level to which black is raised.
        white: sRGB level to which white is lowered.
        saturation: Factor of every pixel's distance from grey.
        color: 3 x 3 matrix applied to sRGB values. Its rows sum to 1, so that grey stays grey.
    """

    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    contrast: float = 1.0
    black: float = 0.0
    white: float = 1.0
    saturation: float = 1.0
    color: tuple[tuple[float, ...], ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

    def __call__(self, photo: Tensor) -> Tensor:
        """Distort a photo.

        Args:
            photo: ``(3, H, W)``, float, sRGB in [0, 1].

        Returns:
            The same shape, clamped to [0, 1] as a file would be.
        """
        grey = luma_bt709(photo)
        photo = grey + self.saturation * (photo - grey)
        photo = torch.einsum("ij,jhw->ihw", photo.new_tensor(self.color), photo)
        photo = (_PIVOT + self.contrast * (photo - _PIVOT)).clamp(0, 1)
        photo = _to_linear(photo.pow(self.gamma)) * photo.new_tensor(self.gains)[:, None, None]
        photo = _to_srgb(photo.clamp(0, 1))
        return self.black + (self.white - self.black) * photo


def draw_distortion(photo: Tensor, draw: random.Random) -> Distortion:
    """Draw a distortion that changes a photo by a CIELab distance within ``DELTA_E_RANGE``.

    Args:
        photo: ``(3, H, W)``, float, sRGB in [0, 1]. The distance is estimated on some of its
            pixels.
        draw: Source of randomness.
    """
    step = max(1, max(photo.shape[1:]) // 32)
    sampled = photo[:, ::step, ::step]
    before = _pixels(sampled)
    distortion = Distortion()
    for _ in range(MAX_TRIES):
        distortion = _any_distortion(draw)
        if DELTA_E_RANGE[0] <= l2_lab(_pixels(distortion(sampled)), before) <= DELTA_E_RANGE[1]:
            break
    return distortion


def _any_distortion(draw: random.Random) -> Distortion:
    """Draw the parameters. Darker, flatter and paler results are more likely than the reverse."""

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

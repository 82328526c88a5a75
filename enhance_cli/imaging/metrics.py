"""PSNR, L2 Lab and SSIM (section 3.4).

All three compare two float arrays of the same shape, ``(H, W, 3)``, sRGB in [0, 1]. Only
:func:`score` clamps its arguments to [0, 1], as writing a file does. scikit-image is imported when
the first photo is scored: it takes half a second, also where folders or options are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SSIM_SETTINGS = "Gaussian window, sigma 1.5, per channel"
"""Printed with every SSIM: the figure depends on it."""


@dataclass(frozen=True)
class Score:
    """The three figures of table 1, for one photo or averaged over photos.

    Attributes:
        psnr: Peak signal-to-noise ratio in dB, peak 1; infinite for equal photos.
        l2_lab: Mean Euclidean distance in CIELab (D65).
        ssim: Structural similarity, at most 1.
    """

    psnr: float
    l2_lab: float
    ssim: float


def score(photo: NDArray[np.float32], expert: NDArray[np.float32]) -> Score:
    """Measure how close a photo is to the expert's version.

    Raises:
        ValueError: The two differ in size, or are smaller than SSIM's 11 x 11 window.
    """
    photo, expert = photo.clip(0, 1), expert.clip(0, 1)
    return Score(psnr(photo, expert), l2_lab(photo, expert), ssim(photo, expert))


def psnr(photo: NDArray[np.float32], expert: NDArray[np.float32]) -> float:
    """Peak signal-to-noise ratio over all RGB values, in dB, peak 1."""
    from skimage.metrics import peak_signal_noise_ratio

    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(expert, photo, data_range=1))


def l2_lab(photo: NDArray[np.float32], expert: NDArray[np.float32]) -> float:
    """Mean over pixels of the Euclidean distance in CIELab (D65, 2 degree observer)."""
    from skimage.color import rgb2lab

    return float(np.linalg.norm(rgb2lab(photo) - rgb2lab(expert), axis=-1).mean())


def ssim(photo: NDArray[np.float32], expert: NDArray[np.float32]) -> float:
    """Structural similarity (Wang et al. 2004), mean over pixels and channels."""
    from skimage.metrics import structural_similarity

    similarity: Any = structural_similarity(
        expert,
        photo,
        data_range=1,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return float(similarity)


def mean(scores: list[Score]) -> Score:
    """Mean of each figure over photos, as the paper's tables give it."""
    return Score(
        psnr=float(np.mean([score.psnr for score in scores])),
        l2_lab=float(np.mean([score.l2_lab for score in scores])),
        ssim=float(np.mean([score.ssim for score in scores])),
    )


def standard_error(scores: list[Score]) -> Score | None:
    """Standard error of each mean over photos; None for a single photo, which has none.

    It says how far the mean over other photos of the same kind may be. The difference between two
    methods on the same photos is usually known better than that.
    """
    if len(scores) < 2:
        return None
    figures = np.array([(one.psnr, one.l2_lab, one.ssim) for one in scores])
    with np.errstate(invalid="ignore"):  # the PSNR of equal photos is infinite
        errors = figures.std(axis=0, ddof=1) / np.sqrt(len(scores))
    return Score(*map(float, errors))

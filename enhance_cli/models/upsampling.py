"""PRNet's residual at any size: looked at small, carried up along the edges of the large photo."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

RADIUS = 4
"""Of the windows in which the residual is taken for an affine function of colour, in pixels."""

REGULARIZATION = 1e-3
"""Variance of colour below which a window counts as flat (the guided filter's epsilon)."""

SHARPENING = 0.03
"""Share of a detail's energy at which what enlarging takes from it is no longer given back."""

LOBES = 3
"""Of Lanczos' filter, with which photos are made small."""


@dataclass(frozen=True)
class LocalAffine:
    """A residual as an affine function of colour that changes slowly over the photo.

    The guided filter (He et al. 2013), fitted at the small size and evaluated at the large one: in
    a window around each pixel, ``residual = A coarse + b``. ``A`` and ``b`` are smooth, and may be
    enlarged as they are; the large photo's own edges then give the result its edges. What the fit
    leaves of the residual is small and smooth, and is enlarged by itself, sharpened beforehand by what
    enlarging will blur: made small again, the large result is to be the small one.

    Attributes:
        coefficients: ``(3, 4, h, w)``: for each channel of the residual what R, G, B and 1 count.
        rest: ``(3, h, w)``: what the fit leaves.
    """

    coefficients: Tensor
    rest: Tensor

    @classmethod
    def fit(cls, coarse: Tensor, residual: Tensor, size: tuple[int, int]) -> LocalAffine:
        """Fit the residual of one photo.

        Args:
            coarse: What PRNet saw, ``(3, h, w)``, sRGB around [0, 1].
            residual: What it answered, ``(3, h, w)``.
            size: Height and width of the large photo.
        """
        mean, mean_residual = _window_mean(coarse), _window_mean(residual)
        spread = _window_mean(_products(coarse, coarse)) - _products(mean, mean)
        common = _window_mean(_products(coarse, residual)) - _products(mean, mean_residual)
        eye = REGULARIZATION * torch.eye(3, device=coarse.device)
        slopes = torch.linalg.solve(spread.permute(2, 3, 0, 1) + eye, common.permute(2, 3, 0, 1))
        slopes = slopes.permute(3, 2, 0, 1)
        offsets = mean_residual - (slopes * mean).sum(1)
        raw = torch.cat([slopes, offsets[:, None]], dim=1)
        coefficients = _window_mean(raw.flatten(0, 1)).unflatten(0, (3, 4))
        rest = residual - _evaluate(coefficients, coarse)
        return cls(coefficients, _sharpened(rest, size))

    def rows(self, coarse: Tensor, top: int, height: int) -> Tensor:
        """The residual for a strip of the large photo.

        Args:
            coarse: Rows ``top`` to ``top + n`` of the large coarse photo, ``(3, n, W)``.
            top: First row.
            height: Of the large photo.

        Returns:
            ``(3, n, W)``.
        """
        n, width = coarse.shape[-2:]
        slowly = torch.cat([self.coefficients.flatten(0, 1), self.rest])
        enlarged = _enlarged_rows(slowly, top, n, height, width)
        return _evaluate(enlarged[:12].unflatten(0, (3, 4)), coarse) + enlarged[12:]

    def to(self, device: torch.device) -> LocalAffine:
        """The same on another device."""
        return LocalAffine(self.coefficients.to(device), self.rest.to(device))


def _evaluate(coefficients: Tensor, coarse: Tensor) -> Tensor:
    return (coefficients[:, :3] * coarse).sum(1) + coefficients[:, 3]


def _products(one: Tensor, other: Tensor) -> Tensor:
    """Every channel of one with every channel of the other: ``(3, 3, h, w)``."""
    return one[:, None] * other[None]


def _window_mean(values: Tensor) -> Tensor:
    """Mean over the window around each pixel, or what of it lies in the photo: ``(..., h, w)``."""
    means = values.reshape(1, -1, *values.shape[-2:])
    side = 2 * RADIUS + 1
    for window, margin in (((1, side), (0, RADIUS)), ((side, 1), (RADIUS, 0))):
        means = F.avg_pool2d(means, window, 1, margin, count_include_pad=False)
    return means.reshape(values.shape)


def _sharpened(values: Tensor, size: tuple[int, int]) -> Tensor:
    """What comes close to ``values``, ``(C, h, w)``, when enlarged to ``size`` and made small."""
    down, across = (
        _undoing(small, large, values) for small, large in zip(values.shape[1:], size, strict=True)
    )
    return down @ values @ across.T


def _undoing(small: int, large: int, like: Tensor) -> Tensor:
    """Undo, along one axis, bilinear enlarging and making small by Lanczos: ``(small, small)``.

    With ``M`` for the two, minimises ``|M x - v|^2 + SHARPENING |x - v|^2``.
    """
    eye = torch.eye(small, device=like.device, dtype=like.dtype)
    if small == large:
        return eye
    enlarging = F.interpolate(eye[None], large, mode="linear", align_corners=False)[0].T
    both = _shrinking(small, large, like) @ enlarging
    return torch.linalg.solve(both.T @ both + SHARPENING * eye, both.T + SHARPENING * eye)


def _shrinking(small: int, large: int, like: Tensor) -> Tensor:
    """Lanczos' filter along one axis, as a matrix: ``(small, large)``."""
    centres = torch.arange(small, device=like.device, dtype=like.dtype) + 0.5
    places = (torch.arange(large, device=like.device, dtype=like.dtype) + 0.5) * (small / large)
    distance = places - centres[:, None]
    window = torch.where(distance.abs() < LOBES, torch.sinc(distance / LOBES), 0.0)
    taps = torch.sinc(distance) * window
    return taps / taps.sum(1, keepdim=True)


def _enlarged_rows(values: Tensor, top: int, n: int, height: int, width: int) -> Tensor:
    """Rows of what ``F.interpolate(values, (height, width), mode="bilinear")`` gives.

    Args:
        values: ``(C, h, w)``.
        top: First row.
        n: Number of rows.
        height: Of the whole enlarged picture.
        width: The same.
    """
    small = values.shape[1]
    rows = torch.arange(top, top + n, device=values.device)
    at = ((rows + 0.5) * (small / height) - 0.5).clamp(min=0)
    above = at.long().clamp(max=small - 1)
    below = (above + 1).clamp(max=small - 1)
    share = (at - above)[:, None]
    lines = values[:, above] * (1 - share) + values[:, below] * share
    size = (n, width)
    return F.interpolate(lines[None], size, mode="bilinear", align_corners=False)[0]

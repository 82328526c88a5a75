"""An enhancement at any size: looked at small, carried up along the edges of the large photo."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from enhance_cli.models.cascade import Enhancement

RADIUS = 4
"""Of the windows in which the residual is taken for an affine function of colour, in pixels."""

REGULARIZATION = 1e-3
"""Variance of colour below which a window counts as flat (the guided filter's epsilon)."""

SHARPENING = 0.03
"""Share of a detail's energy at which what enlarging takes from it is no longer given back."""

LOBES = 3
"""Of Lanczos' filter, with which photos are made small."""


def affine_field(seen: Enhancement, size: tuple[int, int]) -> Tensor:
    """What the cascade made of a photo, as an affine map of colour at every place.

    CENet's map is one such map for all places. PRNet's residual adds to its offsets where the photo
    has the size at which it was seen. For another size, the residual becomes a local affine
    function of the coarse colour: the guided filter (He et al. 2013), fitted at the small size. In
    a window around each pixel, ``residual = A coarse + b``; ``A`` and ``b`` are smooth, and may be
    enlarged as they are; the large photo's own edges then give the result its edges. What the fit
    leaves of the residual is enlarged by itself, sharpened beforehand by what enlarging will blur:
    made small again, the large result is to be the small one.

    Args:
        seen: Of one photo; its coarse result and residual are ``(1, 3, h, w)``.
        size: Height and width of the photo that is to be enhanced.

    Returns:
        ``(h, w, 3, 4)``, or ``(1, 1, 3, 4)`` without a residual: for red, green and blue of the
        result, what the photo's red, green, blue, and 1 count. To be enlarged bilinearly.
    """
    coarse = _coarse_map(seen)
    if seen.residual is None:
        return coarse[None, None]
    residual = seen.residual[0]
    if residual.shape[1:] == size:
        field = coarse.expand(*size, 3, 4).clone()
        field[..., 3] += residual.permute(1, 2, 0)
        return field
    slopes, offsets = _local_affine(seen.coarse[0], residual)
    rest = residual - (slopes * seen.coarse[0]).sum(1) - offsets
    local = torch.cat([slopes, (offsets + _sharpened(rest, size))[:, None]], dim=1)
    local = local.permute(2, 3, 0, 1)
    # r = A c + b and e = c + r, where c is the coarse colour.
    field = coarse + local[..., :3] @ coarse
    field[..., 3] += local[..., 3]
    return field


def _coarse_map(seen: Enhancement) -> Tensor:
    """``coarse = (1 + W_s) p + b_s`` (eq. 1 and 3): ``(3, 4)``."""
    plain = torch.eye(3, 4, device=seen.coarse.device)
    if seen.mapping is None:
        return plain
    return plain + torch.cat([seen.mapping.matrix[0], seen.mapping.offset[0, :, None]], dim=1)


def _local_affine(coarse: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
    """Fit ``residual = A coarse + b`` around each pixel: ``(3, 3, h, w)`` and ``(3, h, w)``."""
    products = _products(coarse, coarse), _products(residual, coarse)
    together = [coarse, residual, *(part.flatten(0, 1) for part in products)]
    mean, mean_residual, *means = _window_mean(torch.cat(together)).split([3, 3, 9, 9])
    spread = means[0].unflatten(0, (3, 3)) - _products(mean, mean)
    common = means[1].unflatten(0, (3, 3)) - _products(mean_residual, mean)
    spread.diagonal().add_(REGULARIZATION)
    slopes = (common[:, :, None] * _inverse(spread)[None]).sum(1)
    offsets = mean_residual - (slopes * mean).sum(1)
    slopes, offsets = _window_mean(torch.cat([slopes.flatten(0, 1), offsets])).split([9, 3])
    return slopes.unflatten(0, (3, 3)), offsets


def _inverse(matrices: Tensor) -> Tensor:
    """Of symmetric matrices, ``(3, 3, h, w)``, by their cofactors: LAPACK takes them one by one."""
    (a, b, c), (_, d, e), (_, _, f) = matrices.unbind()
    cofactors = torch.stack([
        torch.stack([d * f - e * e, c * e - b * f, b * e - c * d]),
        torch.stack([c * e - b * f, a * f - c * c, b * c - a * e]),
        torch.stack([b * e - c * d, b * c - a * e, a * d - b * b]),
    ])  # fmt: skip
    return cofactors / (matrices[0] * cofactors[0]).sum(0)


def _products(one: Tensor, other: Tensor) -> Tensor:
    """Every channel of one with every channel of the other: ``(3, 3, h, w)``."""
    return one[:, None] * other[None]


def _window_mean(values: Tensor) -> Tensor:
    """Mean over the window around each pixel, or what of it lies in the photo: ``(C, h, w)``."""
    means = values[None].contiguous(memory_format=torch.channels_last)  # much faster on CPUs
    side = 2 * RADIUS + 1
    for window, margin in (((1, side), (0, RADIUS)), ((side, 1), (RADIUS, 0))):
        means = F.avg_pool2d(means, window, 1, margin, count_include_pad=False)
    return means[0].contiguous()


def _sharpened(values: Tensor, size: tuple[int, int]) -> Tensor:
    """What comes close to ``values``, ``(C, h, w)``, when enlarged to ``size`` and made small."""
    down, across = (
        _undoing(small, large).to(values.device)
        for small, large in zip(values.shape[1:], size, strict=True)
    )
    return down @ values @ across.T


@lru_cache(maxsize=8)  # photos of one camera share their size; half a megabyte each
def _undoing(small: int, large: int) -> Tensor:
    """Undo, along one axis, bilinear enlarging and making small by Lanczos: ``(small, small)``.

    With ``M`` for the two, minimises ``|M x - v|^2 + SHARPENING |x - v|^2``.
    """
    eye = torch.eye(small)
    if small == large:
        return eye
    enlarging = F.interpolate(eye[None], large, mode="linear", align_corners=False)[0].T
    both = _shrinking(small, large) @ enlarging
    return torch.linalg.solve(both.T @ both + SHARPENING * eye, both.T + SHARPENING * eye)


def _shrinking(small: int, large: int) -> Tensor:
    """Lanczos' filter along one axis, as a matrix: ``(small, large)``."""
    centres = torch.arange(small) + 0.5
    places = (torch.arange(large) + 0.5) * (small / large)
    distance = places - centres[:, None]
    window = torch.where(distance.abs() < LOBES, torch.sinc(distance / LOBES), 0.0)
    taps = torch.sinc(distance) * window
    return taps / taps.sum(1, keepdim=True)

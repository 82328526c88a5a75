"""Guided upsampling: carry the enhancement of a downscaled photo to the full-size one."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from enhance_cli.models.cascade import Enhancement
from enhance_cli.models.prnet import Shape

RADIUS = 4
"""Radius, in pixels, of the windows in which an affine function of color is fitted."""

REGULARIZATION = 1e-3
"""Variance of color below which a window counts as flat (the guided filter's epsilon)."""

SHARPENING = 0.03
"""Regularisation of the sharpening that makes up for the blur of bilinear enlargement."""

LOBES = 3
"""Lobes of the Lanczos filter with which photos are downscaled."""


def guided_affine_grid(small: Enhancement, shape: Shape) -> Tensor:
    """Describe the enhancement of a photo by an affine color map at every place.

    CENet's map is the same at all places. If the photo has the size at which the networks saw it,
    PRNet's residual is added to the offsets. Otherwise, the residual is fitted by a local affine
    function of the coarse color, as in the guided filter (He et al. 2013), at the small size. In a
    window around each pixel, ``residual = A coarse + b``; ``A`` and ``b`` are smooth and can be
    enlarged bilinearly, and the large photo's own edges become those of the result. The remainder
    of the fit is enlarged separately, sharpened beforehand so that the large result, downscaled,
    equals the small one.

    Args:
        small: Enhancement of one downscaled photo; coarse result and residual are
            ``(1, 3, h, w)``.
        shape: Height and width of the photo that is to be enhanced.

    Returns:
        ``(h, w, 3, 4)``, or ``(1, 1, 3, 4)`` without a residual: the coefficients of the photo's
        red, green, blue and of 1 for red, green and blue of the result.
    """
    coarse = _coarse_map(small)
    if small.residual is None:
        return coarse[None, None]
    residual = small.residual[0]
    if residual.shape[1:] == shape:
        grid = coarse.expand(*shape, 3, 4).clone()
        grid[..., 3] += residual.permute(1, 2, 0)
        return grid
    slopes, offsets = _local_affine(small.coarse[0], residual)
    rest = residual - (slopes * small.coarse[0]).sum(1) - offsets
    local = torch.cat([slopes, (offsets + _sharpened(rest, shape))[:, None]], dim=1)
    local = local.permute(2, 3, 0, 1)
    # r = A c + b and e = c + r, where c is the coarse color.
    grid = coarse + local[..., :3] @ coarse
    grid[..., 3] += local[..., 3]
    return grid


def _coarse_map(small: Enhancement) -> Tensor:
    """``coarse = (1 + W_s) p + b_s`` (eq. 1 and 3): ``(3, 4)``."""
    identity = torch.eye(3, 4, device=small.coarse.device)
    if small.mapping is None:
        return identity
    return identity + torch.cat([small.mapping.matrix[0], small.mapping.offset[0, :, None]], dim=1)


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
    """Invert symmetric matrices, ``(3, 3, h, w)``, by cofactors; LAPACK takes them one by one."""
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


def _sharpened(values: Tensor, shape: Shape) -> Tensor:
    """``(C, h, w)`` that comes close to ``values`` if enlarged to ``shape`` and downscaled."""
    down, across = (
        _sharpening(small, large).to(values.device)
        for small, large in zip(values.shape[1:], shape, strict=True)
    )
    return down @ values @ across.T


@lru_cache(maxsize=8)  # photos of one camera share their size; half a megabyte each
def _sharpening(small: int, large: int) -> Tensor:
    """Invert bilinear enlargement and Lanczos downscaling along one axis: ``(small, small)``.

    With ``M`` for the two, minimises ``|M x - v|^2 + SHARPENING |x - v|^2``.
    """
    eye = torch.eye(small)
    if small == large:
        return eye
    enlargement = F.interpolate(eye[None], large, mode="linear", align_corners=False)[0].T
    both = _downscaling(small, large) @ enlargement
    return torch.linalg.solve(both.T @ both + SHARPENING * eye, both.T + SHARPENING * eye)


def _downscaling(small: int, large: int) -> Tensor:
    """The Lanczos filter along one axis, as a matrix: ``(small, large)``."""
    centres = torch.arange(small) + 0.5
    places = (torch.arange(large) + 0.5) * (small / large)
    distance = places - centres[:, None]
    window = torch.where(distance.abs() < LOBES, torch.sinc(distance / LOBES), 0.0)
    taps = torch.sinc(distance) * window
    return taps / taps.sum(1, keepdim=True)

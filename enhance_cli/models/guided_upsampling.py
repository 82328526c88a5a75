"""Guided upsampling: carries a per-pixel residual of a downscaled photo to the full-size one."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from enhance_cli.config.input_size import Shape
from enhance_cli.models.typed_torch import solve, split, unflatten

RADIUS = 4
"""Radius, in pixels, of the windows in which an affine function of color is fitted."""

REGULARIZATION = 1e-3
"""Color variance below which a window counts as flat (the guided filter's epsilon)."""

SHARPENING = 0.03
"""Regularisation of the sharpening that compensates for the blur of bilinear upsampling."""

LOBES = 3
"""Number of lobes of the Lanczos filter with which photos are downscaled."""


def guided_affine_grid(coarse: Tensor, residual: Tensor, matrix: Tensor, shape: Shape) -> Tensor:
    """Describe the enhancement of a photo by a grid of affine color maps (not in the paper).

    It is for the paper's PRNet, whose residual differs from place to place. CENet's map is the same
    everywhere. If the networks saw the photo at its own size, the residual is added to the offsets.
    Otherwise, the residual is fitted, at the small size, by a local affine function of the coarse
    color, as in the guided filter (He et al. 2013): in a window around each pixel,
    ``residual = A coarse + b``. ``A`` and ``b`` are smooth and can be upsampled bilinearly, and the
    result takes its edges from the large photo. The remainder of the fit is upsampled separately.
    It is sharpened beforehand, so that the large result, downscaled, equals the small one.

    Args:
        coarse: The coarse result for a downscaled photo, ``(3, h, w)``.
        residual: PRNet's residual, ``(3, h, w)``.
        matrix: The map that gave the coarse result, ``(3, 4)``: row ``i`` gives channel ``i`` from
            R, G, B and 1.
        shape: Height and width of the full-size photo.

    Returns:
        ``(h, w, 3, 4)``. Row ``i`` of each 3 x 4 matrix gives channel ``i`` of the result from the
        photo's red, green, blue and 1, sRGB in [0, 1].
    """
    if residual.shape[1:] == shape:
        grid = matrix.expand(*shape, 3, 4).clone()
        grid[..., 3] += residual.permute(1, 2, 0)
        return grid
    slopes, offsets = _local_affine(coarse, residual)
    remainder = residual - (slopes * coarse).sum(1) - offsets
    local = torch.cat([slopes, (offsets + _sharpened(remainder, shape))[:, None]], dim=1)
    local = local.permute(2, 3, 0, 1)
    # r = A c + b and e = c + r, where c is the coarse color.
    grid = matrix + local[..., :3] @ matrix
    grid[..., 3] += local[..., 3]
    return grid


def _local_affine(coarse: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
    """Fit ``residual = A coarse + b`` around each pixel: ``(3, 3, h, w)`` and ``(3, h, w)``."""
    products = _products(coarse, coarse), _products(residual, coarse)
    stacked = torch.cat([coarse, residual, *(part.flatten(0, 1) for part in products)])
    mean, mean_residual, *means = split(_window_mean(stacked), [3, 3, 9, 9])
    variance = unflatten(means[0], 0, (3, 3)) - _products(mean, mean)
    covariance = unflatten(means[1], 0, (3, 3)) - _products(mean_residual, mean)
    variance.diagonal().add_(REGULARIZATION)
    slopes = (covariance[:, :, None] * _inverse(variance)[None]).sum(1)
    offsets = mean_residual - (slopes * mean).sum(1)
    slopes, offsets = split(_window_mean(torch.cat([slopes.flatten(0, 1), offsets])), [9, 3])
    return unflatten(slopes, 0, (3, 3)), offsets


def _inverse(matrices: Tensor) -> Tensor:
    """Invert symmetric matrices, ``(3, 3, h, w)``, by cofactors; LAPACK would loop over them."""
    (a, b, c), (_, d, e), (_, _, f) = matrices.unbind()
    cofactors = torch.stack([
        torch.stack([d * f - e * e, c * e - b * f, b * e - c * d]),
        torch.stack([c * e - b * f, a * f - c * c, b * c - a * e]),
        torch.stack([b * e - c * d, b * c - a * e, a * d - b * b]),
    ])  # fmt: skip
    return cofactors / (matrices[0] * cofactors[0]).sum(0)


def _products(left: Tensor, right: Tensor) -> Tensor:
    """Multiply each channel of ``left`` by each of ``right``, ``(3, h, w)``: ``(3, 3, h, w)``."""
    return left[:, None] * right[None]


def _window_mean(values: Tensor) -> Tensor:
    """Average over the part of each pixel's window that lies in the photo: ``(C, h, w)``."""
    means = values[None].contiguous(memory_format=torch.channels_last)  # much faster on CPUs
    side = 2 * RADIUS + 1
    for window, padding in (((1, side), (0, RADIUS)), ((side, 1), (RADIUS, 0))):
        means = F.avg_pool2d(means, window, 1, padding, count_include_pad=False)
    return means[0].contiguous()


def _sharpened(values: Tensor, shape: Shape) -> Tensor:
    """Sharpen ``(C, h, w)`` values, so that upsampling to ``shape`` and downscaling keeps them."""
    down, across = (
        _sharpening(small, large).to(values.device)
        for small, large in zip(values.shape[1:], shape, strict=True)
    )
    return down @ values @ across.T


@lru_cache(maxsize=8)  # the photos of a camera share their size; an entry takes half a megabyte
@torch.inference_mode(False)  # kept, so that it must serve training as well
def _sharpening(small: int, large: int) -> Tensor:
    """Invert bilinear upsampling and Lanczos downscaling along one axis: ``(small, small)``.

    Applied to values ``v``, the matrix gives the ``x`` that minimises
    ``|M x - v|^2 + SHARPENING |x - v|^2``, where ``M`` upsamples to ``large`` and downscales.
    """
    eye = torch.eye(small)
    if small == large:
        return eye
    upsampling = F.interpolate(eye[None], large, mode="linear", align_corners=False)[0].T
    both = _downscaling(small, large) @ upsampling
    return solve(both.T @ both + SHARPENING * eye, both.T + SHARPENING * eye)


def _downscaling(small: int, large: int) -> Tensor:
    """Return the matrix of Lanczos downscaling along one axis: ``(small, large)``."""
    centers = torch.arange(small) + 0.5
    positions = (torch.arange(large) + 0.5) * (small / large)
    distance = positions - centers[:, None]
    window = torch.where(distance.abs() < LOBES, torch.sinc(distance / LOBES), 0.0)
    taps = torch.sinc(distance) * window
    return taps / taps.sum(1, keepdim=True)

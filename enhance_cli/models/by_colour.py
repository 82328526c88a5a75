"""What of a residual is a matter of colour, whatever the place."""

from __future__ import annotations

import torch
from torch import Tensor

DEGREE = 4
"""Of the polynomials; in three variables there are 35 terms."""

_RIDGE = 1e-4
"""Keeps colours that hardly occur, and frames of one colour, from being fitted wildly."""

_EXPONENTS = tuple(
    (red, green, blue)
    for red in range(DEGREE + 1)
    for green in range(DEGREE + 1 - red)
    for blue in range(DEGREE + 1 - red - green)
)


def by_colour(
    residual: Tensor, photo: Tensor, mask: Tensor | None = None, at: Tensor | None = None
) -> Tensor:
    """The smooth function of the photo's colours that comes closest to a residual.

    A polynomial of degree 4 in red, green and blue, by least squares over the pixels of each photo.
    What a network gets wrong here and there averages out, and gradients pass.

    Args:
        residual: ``(B, 3, H, W)``.
        photo: ``(B, 3, H, W)``, sRGB in [0, 1].
        mask: ``(B, 1, H, W)``, 0 where there is padding; None where there is none.
        at: ``(B, 3, H', W')``, the same photos at another size, for whose pixels the function is
            wanted; None is ``photo``.

    Returns:
        ``(B, 3, H', W')``: what the polynomial makes of each pixel's colour.
    """
    with torch.autocast(photo.device.type, enabled=False):
        terms = _terms(photo)
        counted = terms if mask is None else terms * mask.flatten(2)
        pixels = terms.shape[-1] if mask is None else mask.sum((1, 2, 3))[:, None, None]
        gram = (counted @ terms.mT / pixels).double()
        gram += _RIDGE * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        moments = (counted @ residual.float().flatten(2).mT / pixels).double()
        factors = torch.linalg.solve(gram, moments).float()  # (B, 35, 3)
        wanted = photo if at is None else at
        values = factors.mT @ (terms if at is None else _terms(at))
        return values.unflatten(2, wanted.shape[2:])


def _terms(photo: Tensor) -> Tensor:
    """Products of Legendre's polynomials, which are nearly orthogonal: ``(B, 35, H W)``."""
    around = 2 * photo.float().clamp(0, 1).flatten(2) - 1
    powers = [torch.ones_like(around), around]
    for n in range(1, DEGREE):
        powers.append(((2 * n + 1) * around * powers[n] - n * powers[n - 1]) / (n + 1))
    products = [
        powers[red][:, 0] * powers[green][:, 1] * powers[blue][:, 2]
        for red, green, blue in _EXPONENTS
    ]
    return torch.stack(products, 1)

"""Projection of a residual onto polynomials of color, the same at every place of a photo."""

from __future__ import annotations

import torch
from torch import Tensor

from enhance_cli.models.typed_torch import solve, unflatten

DEGREE = 4
"""Degree of the polynomials. In three variables they have 35 terms."""

_RIDGE = 1e-4
"""Ridge penalty; without it, the fit is unstable for rare colors and for frames of one color."""

_EXPONENTS = tuple(
    (red, green, blue)
    for red in range(DEGREE + 1)
    for green in range(DEGREE + 1 - red)
    for blue in range(DEGREE + 1 - red - green)
)


def project_to_color_polynomial(
    residual: Tensor, photo: Tensor, mask: Tensor | None = None, at: Tensor | None = None
) -> Tensor:
    """Replace a residual by the closest polynomial in the photo's colors.

    The polynomial has degree 4 in red, green and blue, and is fitted by least squares over the
    pixels of each photo. Errors that vary from place to place average out. It is differentiable
    with respect to ``residual``. Not in the paper.

    Args:
        residual: ``(B, 3, H, W)``, float.
        photo: ``(B, 3, H, W)``, sRGB in [0, 1]; values outside are clamped.
        mask: ``(B, 1, H, W)``, 1 at pixels of the photo and 0 in its padding; None if there is no
            padding.
        at: ``(B, 3, H', W')``, the same photos at another size, at whose pixels the polynomial is
            evaluated; None evaluates it at ``photo``.

    Returns:
        ``(B, 3, H', W')``, float32: the value of the polynomial at each pixel's color.
    """
    with torch.autocast(photo.device.type, enabled=False):
        terms = _terms(photo)
        weighted = terms if mask is None else terms * mask.flatten(2)
        pixels = terms.shape[-1] if mask is None else mask.sum((1, 2, 3))[:, None, None]
        gram = (weighted @ terms.mT / pixels).double()
        gram += _RIDGE * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        moments = (weighted @ residual.float().flatten(2).mT / pixels).double()
        coefficients = solve(gram, moments).float()  # (B, 35, 3)
        target = photo if at is None else at
        values = coefficients.mT @ (terms if at is None else _terms(at))
        return unflatten(values, 2, target.shape[2:])


def _terms(photo: Tensor) -> Tensor:
    """Return products of Legendre polynomials, which are nearly orthogonal: ``(B, 35, H * W)``."""
    centered = 2 * photo.float().clamp(0, 1).flatten(2) - 1
    powers = [torch.ones_like(centered), centered]
    for n in range(1, DEGREE):
        powers.append(((2 * n + 1) * centered * powers[n] - n * powers[n - 1]) / (n + 1))
    products = [
        powers[red][:, 0] * powers[green][:, 1] * powers[blue][:, 2]
        for red, green, blue in _EXPONENTS
    ]
    return torch.stack(products, 1)

"""Polynomials of color: a residual that is the same function of color at every place of a photo."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from enhance_cli.models.typed_torch import solve, unflatten

DEGREE = 4
"""Degree of the polynomials."""

TERMS = math.comb(DEGREE + 3, 3)
"""Number of terms of a polynomial in three variables: 35."""

_RIDGE = 1e-4
"""Ridge penalty; without it, the fit is unstable for rare colors and for frames of one color."""

EXPONENTS = tuple(
    (red, green, blue)
    for red in range(DEGREE + 1)
    for green in range(DEGREE + 1 - red)
    for blue in range(DEGREE + 1 - red - green)
)
"""Exponents of R, G and B in each term."""


def fit_color_polynomial(residual: Tensor, photo: Tensor, mask: Tensor | None = None) -> Tensor:
    """Find the polynomial of color that is closest to a residual.

    It has degree 4 in red, green and blue, and is fitted by least squares over the pixels of each
    photo. Errors that vary from place to place average out. It is differentiable with respect to
    ``residual``. Not in the paper.

    Args:
        residual: ``(B, 3, H, W)``, float.
        photo: ``(B, 3, H, W)``, sRGB in [0, 1]; values outside are clamped.
        mask: ``(B, 1, H, W)``, 1 at pixels of the photo and 0 in its padding, or the weight of each
            pixel; None weights all alike.

    Returns:
        Coefficients, ``(B, 35, 3)``, float32: column ``i`` gives channel ``i`` of the residual from
        the monomials of degree 0 to 4 in ``2 p - 1``. The exponents of R, G and B are in
        lexicographic order: (0, 0, 0), (0, 0, 1), ..., (0, 1, 0), ..., (4, 0, 0).
    """
    with torch.autocast(photo.device.type, enabled=False):
        basis = legendre_terms().to(photo.device)
        gram, moments = normal_equations(residual, photo, mask)
        fitted = basis.mT.to(gram) @ solve(gram, moments)
        return fitted.float().to(photo.device)


def normal_equations(
    residual: Tensor, photo: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The equations of the fit, in :func:`legendre_terms`, for which the ridge penalty is right.

    Args:
        residual: As in :func:`fit_color_polynomial`.
        photo: As in :func:`fit_color_polynomial`.
        mask: As in :func:`fit_color_polynomial`.

    Returns:
        ``A``, ``(B, 35, 35)``, and ``b``, ``(B, 35, 3)``, float64, of the equations ``A x = b``.
    """
    terms = legendre_terms().to(photo.device) @ color_monomials(photo)
    weighted = terms if mask is None else terms * mask.flatten(2)
    pixels = terms.shape[-1] if mask is None else mask.sum((1, 2, 3))[:, None, None]
    # Apple's GPUs have no double precision; the matrices are small.
    exact = torch.device("cpu") if photo.device.type == "mps" else photo.device
    gram = (weighted @ terms.mT / pixels).to(exact).double()
    gram = gram + _RIDGE * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    moments = (weighted @ residual.float().flatten(2).mT / pixels).to(exact).double()
    return gram, moments


def evaluate_color_polynomial(coefficients: Tensor, photo: Tensor) -> Tensor:
    """Evaluate a polynomial at the color of every pixel.

    Args:
        coefficients: ``(B, 35, 3)``, as :func:`fit_color_polynomial` returns them.
        photo: ``(B, 3, H, W)``, sRGB in [0, 1]; values outside are clamped.

    Returns:
        ``(B, 3, H, W)``, float32.
    """
    with torch.autocast(photo.device.type, enabled=False):
        values = coefficients.mT @ color_monomials(photo)
        return unflatten(values, 2, photo.shape[2:])


def color_monomials(photo: Tensor) -> Tensor:
    """Return the monomials ``r^i g^j b^k`` of ``2 p - 1`` at every pixel: ``(B, 35, H * W)``."""
    centered = 2 * photo.float().clamp(0, 1).flatten(2) - 1
    powers = [torch.ones_like(centered), centered]
    for _ in range(1, DEGREE):
        powers.append(powers[-1] * centered)
    products = [
        powers[red][:, 0] * powers[green][:, 1] * powers[blue][:, 2]
        for red, green, blue in EXPONENTS
    ]
    return torch.stack(products, 1)


def legendre_terms() -> Tensor:
    """Products of Legendre polynomials of R, G and B in terms of the monomials: ``(35, 35)``.

    They are nearly orthogonal, so that a ridge penalty treats them alike.
    """
    return torch.tensor(_LEGENDRE)


def _products_of_legendre_polynomials() -> list[list[float]]:
    one = [[0.0] * (DEGREE + 1) for _ in range(DEGREE + 1)]  # row n: the polynomial of degree n
    for n in range(DEGREE + 1):
        for m in range(n // 2 + 1):
            one[n][n - 2 * m] = (-1) ** m * math.comb(n, m) * math.comb(2 * n - 2 * m, n) / 2**n
    return [[one[r][i] * one[g][j] * one[b][k] for i, j, k in EXPONENTS] for r, g, b in EXPONENTS]


_LEGENDRE = _products_of_legendre_polynomials()

"""A photographer's style: a correction of the networks' result, fitted to a few edited photos.

The correction is a polynomial of the color of the result. It may depend on a few features of the
photo: on how bright, colorful and contrasty it is. It is not in the paper.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from enhance_cli.models.color_function import ColorFunction
from enhance_cli.models.color_polynomial import (
    TERMS,
    evaluate_color_polynomial,
    fit_color_polynomial,
)
from enhance_cli.models.luma_bt709 import luma_bt709
from enhance_cli.models.prnet import downscaled

FEATURES = 9
"""Number of features of a photo on which a style may depend."""

EDGE = 64
"""Longer edge, in pixels, at which the features are computed and the correction is projected."""

_MAX_DEVIATION = 2.5
"""Largest deviation of a feature from the mean of the edited photos, in standard deviations. A
photo unlike all of them gets the correction of the most similar one."""

_GRID, _GRID_SHARE = 9, 0.03
"""Levels of each channel in a grid of colors, and the weight of all its colors together relative to
that of the photo. The correction is then sensible for colors that the small photo lacks."""

_WHITE = 0.96
"""Level of the darkest channel of corrected white from which a style counts as keeping white."""

_CUBE = torch.cartesian_prod(*[torch.linspace(0, 1, _GRID)] * 3).T[None, :, None]


class Style(nn.Module):
    """A correction of the result: ``g(c) = c + (constant + sum_k features_k slopes_k) terms(c)``.

    An unfitted style changes nothing.

    Attributes:
        mean: Mean of each feature over the edited photos, ``(9,)``.
        deviation: Standard deviation of each feature, ``(9,)``.
        constant: Coefficients for a photo of average features, ``(35, 3)``, in the order of
            :func:`fit_color_polynomial`.
        slopes: Their change with each feature, ``(9, 35, 3)``.
    """

    mean: Tensor
    deviation: Tensor
    constant: Tensor
    slopes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("deviation", torch.ones(FEATURES))
        self.register_buffer("constant", torch.zeros(TERMS, 3))
        self.register_buffer("slopes", torch.zeros(FEATURES, TERMS, 3))

    def forward(self, function: ColorFunction, photo: Tensor) -> ColorFunction:
        """Correct the networks' function of color, and project it onto such functions again.

        Args:
            function: The networks' function for a batch of photos.
            photo: The batch, ``(B, 3, H, W)``, sRGB in [0, 1].

        Returns:
            The corrected function.
        """
        if not (self.constant.any() or self.slopes.any()):
            return function
        small = downscaled(photo, EDGE)
        coefficients = self.coefficients(style_features(function, small))
        cube = _CUBE.to(photo).expand(len(photo), -1, -1, -1)
        colors = torch.cat([small.flatten(2)[:, :, None], cube], dim=-1)
        pixels = small.shape[-2] * small.shape[-1]
        weights = torch.ones_like(colors[:, :1])
        weights[..., pixels:] = _GRID_SHARE * pixels / cube.shape[-1]
        before = function(colors).clamp(0, 1)
        corrected = before + evaluate_color_polynomial(coefficients, before)
        highlights = function.highlights and self.keeps_white
        base = before if highlights else function._replace(highlights=False, shadows=False)(colors)
        change = fit_color_polynomial(corrected - base, colors, weights)
        whole = change if function.polynomial is None else function.polynomial + change
        return function._replace(polynomial=whole, highlights=highlights)

    def coefficients(self, features: Tensor) -> Tensor:
        """Coefficients of the correction, ``(B, 35, 3)``, for features ``(B, 9)``."""
        return self.constant + torch.einsum("bk,ktc->btc", self.standardised(features), self.slopes)

    def standardised(self, features: Tensor) -> Tensor:
        """Deviation of features, ``(B, 9)``, from their means, in standard deviations."""
        return ((features - self.mean) / self.deviation).clamp(-_MAX_DEVIATION, _MAX_DEVIATION)

    @property
    def keeps_white(self) -> bool:
        """Whether white stays about white, so that highlights can be protected."""
        white = torch.ones(1, 3, 1, 1, device=self.constant.device)
        change = evaluate_color_polynomial(self.constant[None], white)
        return bool((white + change).min() >= _WHITE)


def style_features(function: ColorFunction, photo: Tensor) -> Tensor:
    """Describe photos by numbers on which a style may depend.

    Args:
        function: The networks' function for the photos.
        photo: ``(B, 3, H, W)``, sRGB in [0, 1], with a longer edge of at most ``EDGE`` pixels.

    Returns:
        ``(B, 9)``: mean luma of photo and result; of the result, also the 5th, 50th and 95th
        percentile and the standard deviation of luma, the mean color differences of red and blue,
        and the mean chroma.
    """
    result = function(photo).clamp(0, 1)
    luma = luma_bt709(result)
    color = result - luma
    levels = luma.flatten(1)
    percentiles = torch.quantile(levels, levels.new_tensor([0.05, 0.5, 0.95]), dim=1)
    columns = [
        luma_bt709(photo).flatten(1).mean(1),
        levels.mean(1),
        *percentiles,
        levels.std(1, correction=0),
        color[:, 0].flatten(1).mean(1),
        color[:, 2].flatten(1).mean(1),
        color.square().sum(1).sqrt().flatten(1).mean(1),
    ]
    return torch.stack(columns, 1)

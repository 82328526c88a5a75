"""The whole enhancement of a photo as one function of color."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from enhance_cli.config.model import TOE, TOE_SLOPE, WHITE_FROM
from enhance_cli.models.cenet import ColorMapping
from enhance_cli.models.color_polynomial import evaluate_color_polynomial
from enhance_cli.models.luma_bt709 import luma_bt709


class ColorFunction(NamedTuple):
    """What the cascade does to the color of every pixel of a photo, wherever the pixel lies.

    ``f(p) = p + r_c(p) + r_p(p)`` (eq. 1). ``r_c = W_s p + b_s`` is CENet's linear map (eq. 3), and
    ``r_p`` is PRNet's residual, projected onto polynomials of color (not in the paper). The
    function is valid for the photo at any size. The paper's own PRNet, whose residual depends on
    the place as well, is no such function.

    Attributes:
        mapping: CENet's map; None if the variant has no CENet.
        polynomial: Coefficients of PRNet's residual, ``(B, 35, 3)``, see
            :func:`fit_color_polynomial`; None without PRNet.
        highlights: Whether what is white in the photo is protected from darkening.
        shadows: Whether channels that were not black are kept from becoming black.
    """

    mapping: ColorMapping | None
    polynomial: Tensor | None = None
    highlights: bool = False
    shadows: bool = False

    def coarse(self, photo: Tensor) -> Tensor:
        """CENet's result ``p + r_c(p)``.

        Args:
            photo: ``(B, 3, H, W)``, sRGB in [0, 1].

        Returns:
            ``(B, 3, H, W)``, not clamped.
        """
        return photo if self.mapping is None else photo + self.mapping.residual(photo)

    def matrix(self) -> Tensor:
        """The map of :meth:`coarse` for one photo, ``(3, 4)``: from R, G, B and 1."""
        if self.mapping is None:
            return torch.eye(3, 4)
        matrix, offset = self.mapping.matrix[0], self.mapping.offset[0, :, None]
        return torch.eye(3, 4, device=matrix.device) + torch.cat([matrix, offset], dim=1)

    def __call__(self, photo: Tensor) -> Tensor:
        """Take every pixel through the function: ``(B, 3, H, W)`` to the same, not clamped."""
        result = self.coarse(photo)
        if self.polynomial is not None:
            result = result + evaluate_color_polynomial(self.polynomial, photo)
        return self.protect(result, photo)

    def protect(self, enhanced: Tensor, photo: Tensor) -> Tensor:
        """Protect the highlights and shadows of a result, as far as the function does so."""
        if self.highlights:
            enhanced = protect_highlights(enhanced, photo)
        return protect_shadows(enhanced, photo) if self.shadows else enhanced


def protect_highlights(enhanced: Tensor, photo: Tensor) -> Tensor:
    """Keep the retouch from darkening what is white in the photo.

    Neither network can tell a bright tone that may be darkened from a clipped one, where nothing
    can be recovered. White skies would turn grey.

    Args:
        enhanced: The result, ``(B, 3, H, W)``.
        photo: The photo, ``(B, 3, H, W)``, sRGB in [0, 1].

    Returns:
        The result, raised towards the photo where the photo is white.
    """
    white = ((luma_bt709(photo) - WHITE_FROM) / (1 - WHITE_FROM)).clamp(0, 1)
    return enhanced + white * (photo - enhanced).clamp(min=0)


def protect_shadows(enhanced: Tensor, photo: Tensor) -> Tensor:
    """Keep the retouch from making black what was separate from black in the photo.

    The least level of a channel rises with its level in the photo, so that what differed in the
    dark still differs, and levels off at ``TOE``.

    Args:
        enhanced: The result, ``(B, 3, H, W)``.
        photo: The photo, ``(B, 3, H, W)``, sRGB in [0, 1].

    Returns:
        The result, raised where a channel would be darker than its least level.
    """
    scaled = TOE_SLOPE * photo
    return torch.maximum(enhanced, scaled * TOE / (scaled + TOE))

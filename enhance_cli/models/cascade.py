"""The coarse-to-fine cascade (eq. 1, figure 2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.config.input_size import Shape
from enhance_cli.config.model import ModelConfig
from enhance_cli.models.cenet import CENet, ColorMapping
from enhance_cli.models.color_function import ColorFunction
from enhance_cli.models.color_polynomial import fit_color_polynomial
from enhance_cli.models.prnet import PRNet, downscaled, resized
from enhance_cli.models.style import Style


@dataclass(frozen=True)
class Enhancement:
    """The cascade's output for a batch; its parts are computed when they are asked for.

    Attributes:
        photo: The batch, ``(B, 3, H, W)``, sRGB in [0, 1].
        function: The whole enhancement as one function of color. If PRNet's residual differs from
            place to place, it is CENet's part alone, with the protection of the whole.
        per_pixel: PRNet's residual ``r_p``, ``(B, 3, H, W)``, if it differs from place to place;
            else None.
        refined: Whether PRNet has taken part.
    """

    photo: Tensor
    function: ColorFunction
    per_pixel: Tensor | None = None
    refined: bool = False

    @property
    def mapping(self) -> ColorMapping | None:
        """CENet's color map; None if the variant has no CENet."""
        return self.function.mapping

    @cached_property
    def coarse(self) -> Tensor:
        """The coarse result ``I_i + r_c``, ``(B, 3, H, W)``; without CENet, the input itself."""
        return self.function.coarse(self.photo)

    @cached_property
    def enhanced(self) -> Tensor:
        """The result ``I_r = coarse + residual``, ``(B, 3, H, W)``, not clamped."""
        if self.per_pixel is None:
            return self.function(self.photo)
        return self.function.protect(self.coarse + self.per_pixel, self.photo)

    @property
    def residual(self) -> Tensor | None:
        """PRNet's residual with highlights and shadows protected; None if it took no part."""
        return self.enhanced - self.coarse if self.refined else None


class Cascade(nn.Module):
    """``I_r = I_i + r_c + r_p`` (eq. 1), for each of the five variants of section 3.3.

    An untrained cascade returns its input.

    Args:
        config: Architecture and input geometry; None is the paper's CE+PRNL.
    """

    def __init__(self, config: ModelConfig | None = None) -> None:
        super().__init__()
        self.config = config or ModelConfig()
        self.cenet = CENet(self.config.photo_statistics) if self.config.has_cenet else None
        self.prnet = (
            PRNet(
                self.config.residual_blocks,
                self.config.non_local,
                self.config.nonlocal_pool,
                self.config.photo_statistics,
            )
            if self.config.has_prnet
            else None
        )
        self.style = Style() if self.config.style else None

    def forward(self, photo: Tensor, coarse_only: bool = False) -> Enhancement:
        """Enhance a batch of photos.

        Args:
            photo: ``(B, 3, H, W)``, float, sRGB in [0, 1]. With the fit ``"pad"``, H and W are at
                most ``input_side``.
            coarse_only: Skip PRNet and style.

        Returns:
            All parts of the result, at the size of ``photo``.

        Raises:
            ValueError: The fit is ``"pad"`` and the photos are larger than the square.
        """
        enhancement = self.unstyled(photo, coarse_only)
        if self.style is None or coarse_only:
            return enhancement
        return replace(enhancement, function=self.style(enhancement.function, photo))

    def unstyled(self, photo: Tensor, coarse_only: bool = False) -> Enhancement:
        """Enhance a batch of photos as :meth:`forward` does, without the style."""
        seen = pad_to_square(photo, self.config.input_side) if self.config.fit == "pad" else photo
        mapping = None if self.cenet is None else self.cenet(self._square(seen))
        function = ColorFunction(mapping)
        if self.prnet is None or coarse_only:
            return Enhancement(photo, function)
        function = function._replace(
            highlights=self.config.protect_highlights, shadows=self.config.protect_shadows
        )
        if self.config.is_global:
            polynomial = self._polynomial(self.prnet, function, photo, seen)
            return Enhancement(photo, function._replace(polynomial=polynomial), refined=True)
        residual = _cropped(self.prnet(function.coarse(seen), seen).float(), photo)
        return Enhancement(photo, function, residual, refined=True)

    def _polynomial(
        self, prnet: PRNet, function: ColorFunction, photo: Tensor, seen: Tensor
    ) -> Tensor:
        """Predict ``r_p`` and project it onto polynomials of color: ``(B, 35, 3)``.

        With the fit ``"pad"``, PRNet sees the padded photo ``seen``, else a downscaled one.
        """
        if self.config.fit == "pad":
            residual = _cropped(prnet(function.coarse(seen), seen), photo)
            return fit_color_polynomial(residual, photo)
        small = downscaled(photo, self.config.prnet_input_edge)
        return fit_color_polynomial(prnet(function.coarse(small), small), small)

    def _square(self, photo: Tensor) -> Tensor:
        """Return CENet's input: ``(B, 3, S, S)``."""
        side = self.config.input_side
        return photo if self.config.fit == "pad" else resized(photo, Shape(side, side))


def _cropped(padded: Tensor, photo: Tensor) -> Tensor:
    """Remove the padding, as far as there is any."""
    height, width = photo.shape[-2:]
    return padded[..., :height, :width]


def pad_to_square(photo: Tensor, side: int) -> Tensor:
    """Pad with black at the right and at the bottom to ``side`` x ``side`` (section 3.2).

    Args:
        photo: ``(..., H, W)``, H and W at most ``side``.
        side: Side of the square in pixels.

    Raises:
        ValueError: The photo is larger than the square.
    """
    height, width = photo.shape[-2:]
    if max(height, width) > side:
        raise ValueError(f"a {width} x {height} photo does not fit into {side} x {side} pixels")
    return F.pad(photo, (0, side - width, 0, side - height))

"""The coarse-to-fine cascade (eq. 1, figure 2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.config.model import ModelConfig
from enhance_cli.models.cenet import CENet, ColorMapping
from enhance_cli.models.color_polynomial import project_to_color_polynomial
from enhance_cli.models.luma_bt709 import luma_bt709
from enhance_cli.models.prnet import PRNet, Shape, input_shape

WHITE_FROM = 0.9
"""BT.709 luma from which a pixel counts as partly white; at 1, it counts as fully white. In a hazy
sky with clipped red and green, luma is a little below 1."""

TOE = 4 / 255
"""Level below which a retouch may push no channel, if shadows are protected and the channel was far
above it. A channel that was dark itself may fall further, but not to black: see TOE_SLOPE."""

TOE_SLOPE = 0.75
"""Least share of its value that remains of a channel near black, if shadows are protected."""


class Enhancement(NamedTuple):
    """All parts of the cascade's output for a batch; nothing is clamped.

    Attributes:
        enhanced: The result ``I_r = coarse + residual``, ``(B, 3, H, W)``.
        coarse: The coarse result ``I_i + r_c``, ``(B, 3, H, W)``; the input itself if the variant
            has no CENet.
        residual: PRNet's residual ``r_p``, ``(B, 3, H, W)``, projected and with highlights and
            shadows protected if the config says so; None without PRNet.
        mapping: CENet's color map; None if the variant has no CENet.
    """

    enhanced: Tensor
    coarse: Tensor
    residual: Tensor | None
    mapping: ColorMapping | None


class Cascade(nn.Module):
    """``I_r = I_i + r_c + r_p`` (eq. 1), for each of the five variants of section 3.3.

    An untrained cascade returns its input.

    Args:
        config: Architecture and input geometry; None is the paper's CE+PRNL.
    """

    def __init__(self, config: ModelConfig | None = None) -> None:
        super().__init__()
        self.config = config or ModelConfig()
        self.cenet = CENet() if self.config.has_cenet else None
        self.prnet = (
            PRNet(self.config.residual_blocks, self.config.non_local, self.config.nonlocal_pool)
            if self.config.has_prnet
            else None
        )

    def forward(self, photo: Tensor, coarse_only: bool = False) -> Enhancement:
        """Enhance a batch of photos.

        Args:
            photo: ``(B, 3, H, W)``, float, sRGB in [0, 1]. With the fit ``"pad"``, H and W are at
                most ``input_side``.
            coarse_only: Skip PRNet.

        Returns:
            All parts of the result, at the size of ``photo``.

        Raises:
            ValueError: The fit is ``"pad"`` and the photos are larger than the square.
        """
        height, width = photo.shape[-2:]
        if self.config.fit == "pad":
            photo = pad_to_square(photo, self.config.input_side)
        coarse, mapping, residual = photo, None, None
        if self.cenet is not None:
            mapping = self.cenet(self._square(photo))
            coarse = photo + mapping.residual(photo)
        if self.prnet is not None and not coarse_only:
            residual = self._residual(self.prnet, coarse, photo, Shape(height, width))
        photo, coarse = photo[..., :height, :width], coarse[..., :height, :width]
        if residual is not None and self.config.protect_highlights:
            residual = _protect_highlights(residual, coarse, photo)
        if residual is not None and self.config.protect_shadows:
            residual = _protect_shadows(residual, coarse, photo)
        enhanced = coarse if residual is None else coarse + residual
        return Enhancement(enhanced, coarse, residual, mapping)

    def _residual(self, prnet: PRNet, coarse: Tensor, photo: Tensor, shape: Shape) -> Tensor:
        """Predict ``r_p``, ``(B, 3, *shape)``; with the fit ``"pad"``, the photos are padded."""
        photo_only = (..., slice(shape.height), slice(shape.width))
        if not self.config.is_global:
            return prnet(coarse).float()[photo_only]
        if self.config.fit == "pad":
            residual = prnet(coarse).float()[photo_only]
            return project_to_color_polynomial(residual, photo[photo_only])
        edge = self.config.prnet_input_edge
        small, small_photo = _downscaled(coarse, edge), _downscaled(photo, edge)
        return project_to_color_polynomial(prnet(small).float(), small_photo, at=photo)

    def _square(self, photo: Tensor) -> Tensor:
        """Return CENet's input: ``(B, 3, S, S)``."""
        side = self.config.input_side
        return photo if self.config.fit == "pad" else _resized(photo, Shape(side, side))


def _downscaled(photo: Tensor, edge: int) -> Tensor:
    """Downscale ``(B, 3, H, W)`` photos to a longer edge of at most ``edge`` pixels."""
    return _resized(photo, input_shape(Shape(*photo.shape[-2:]), edge))


def _resized(photo: Tensor, shape: Shape) -> Tensor:
    if photo.shape[-2:] == shape:
        return photo
    return F.interpolate(photo, shape, mode="bilinear", align_corners=False, antialias=True)


def _protect_highlights(residual: Tensor, coarse: Tensor, photo: Tensor) -> Tensor:
    """Keep the retouch from darkening what is white in the photo.

    Neither network can tell a bright tone that may be darkened from a clipped one, where nothing
    can be recovered. White skies would turn grey.
    """
    white = ((luma_bt709(photo) - WHITE_FROM) / (1 - WHITE_FROM)).clamp(0, 1)
    return residual + white * (photo - coarse - residual).clamp(min=0)


def _protect_shadows(residual: Tensor, coarse: Tensor, photo: Tensor) -> Tensor:
    """Keep the retouch from making black what was separate from black in the photo.

    The least level of a channel rises with its level in the photo, so that what differed in the
    dark still differs, and soon levels off at ``TOE``.
    """
    least = TOE * (1 - (-TOE_SLOPE / TOE * photo).exp())
    return torch.maximum(residual, least - coarse)


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

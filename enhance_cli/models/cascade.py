"""The coarse-to-fine cascade (eq. 1, figure 2)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from enhance_cli.config import ModelConfig
from enhance_cli.models.by_colour import by_colour
from enhance_cli.models.cenet import CENet, ColorMapping
from enhance_cli.models.luma import luma
from enhance_cli.models.prnet import PRNet, size_to_look_at

WHITE_FROM = 0.9
"""Luma from which a pixel counts as white more and more, up to 1. A hazy sky whose red and green
are clipped is nearly white."""


class Enhancement(NamedTuple):
    """What the cascade makes of a batch; nothing is clamped.

    Attributes:
        enhanced: ``coarse + residual``, ``(B, 3, H, W)``.
        coarse: ``I_i + r_c``; the input itself where the variant has no CENet.
        residual: ``r_p``, by colour and with white held where the model's geometry says so; None
            where PRNet is left out.
        mapping: CENet's map; None where the variant has no CENet.
    """

    enhanced: Tensor
    coarse: Tensor
    residual: Tensor | None
    mapping: ColorMapping | None


class Cascade(nn.Module):
    """``I_r = I_i + r_c + r_p`` (eq. 1), for each of the five variants of section 3.3.

    Untrained, it returns its input.

    Args:
        config: Variant and geometry.
    """

    def __init__(self, config: ModelConfig | None = None) -> None:
        super().__init__()
        self.config = config or ModelConfig()
        self.cenet = CENet() if self.config.has_cenet else None
        self.prnet = (
            PRNet(self.config.residual_blocks, self.config.non_local, self.config.pooling)
            if self.config.has_prnet
            else None
        )

    def forward(self, photo: Tensor, coarse_only: bool = False) -> Enhancement:
        """Enhance a batch of photos.

        Args:
            photo: ``(B, 3, H, W)``, float, sRGB in [0, 1]. Where the geometry is ``"pad"``, H and
                W are at most the canvas.
            coarse_only: Leave PRNet out.

        Returns:
            All parts of the result, of the size of ``photo``.

        Raises:
            ValueError: A photo is larger than the canvas that it must be padded to.
        """
        height, width = photo.shape[-2:]
        if self.config.fit == "pad":
            photo = pad_to_canvas(photo, self.config.canvas)
        coarse, mapping, residual = photo, None, None
        if self.cenet is not None:
            mapping = self.cenet(self._view(photo))
            coarse = photo + mapping.residual(photo)
        if self.prnet is not None and not coarse_only:
            residual = self._residual(self.prnet, coarse, photo, (height, width))
        photo, coarse = photo[..., :height, :width], coarse[..., :height, :width]
        if residual is not None and self.config.hold_white:
            residual = _white_held(residual, coarse, photo)
        enhanced = coarse if residual is None else coarse + residual
        return Enhancement(enhanced, coarse, residual, mapping)

    def _residual(
        self, prnet: PRNet, coarse: Tensor, photo: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """``r_p`` of photos of ``size``, which may lie in the corner of a canvas."""
        whole = (..., slice(size[0]), slice(size[1]))
        if not self.config.by_colour:
            return prnet(coarse).float()[whole]
        if self.config.fit == "pad":
            return by_colour(prnet(coarse).float()[whole], photo[whole])
        small, small_photo = (_no_larger(one, self.config.by_colour) for one in (coarse, photo))
        return by_colour(prnet(small).float(), small_photo, at=photo)

    def _view(self, photo: Tensor) -> Tensor:
        """The square that CENet looks at: ``(B, 3, S, S)``."""
        side = self.config.canvas
        return photo if self.config.fit == "pad" else _resized(photo, (side, side))


def _no_larger(photo: Tensor, edge: int) -> Tensor:
    """Photos as PRNet looks at them with a longer edge of ``edge`` at most."""
    height, width = photo.shape[-2:]
    return _resized(photo, size_to_look_at((height, width), edge))


def _resized(photo: Tensor, size: tuple[int, int]) -> Tensor:
    if photo.shape[-2:] == size:
        return photo
    return F.interpolate(photo, size, mode="bilinear", align_corners=False, antialias=True)


def _white_held(residual: Tensor, coarse: Tensor, photo: Tensor) -> Tensor:
    """Let nothing darken what is white in the photo, other than CENet's map.

    PRNet sees the coarse result alone, and cannot know a bright tone that may be toned down from
    one that was clipped, where nothing is to be recovered: white skies would come out grey.
    """
    white = ((luma(photo) - WHITE_FROM) / (1 - WHITE_FROM)).clamp(0, 1)
    least = (1 - coarse).clamp(max=0)  # beyond white, down to white
    return residual + white * (least - residual).clamp(min=0)


def pad_to_canvas(photo: Tensor, side: int) -> Tensor:
    """Pad with black at the right and below, to ``side`` x ``side`` (section 3.2).

    Args:
        photo: ``(..., H, W)``, H and W at most ``side``.
        side: In pixels.

    Raises:
        ValueError: The photo is larger than the canvas.
    """
    height, width = photo.shape[-2:]
    if max(height, width) > side:
        raise ValueError(f"a {width} x {height} photo does not fit a canvas of {side} pixels")
    return F.pad(photo, (0, side - width, 0, side - height))

"""Settings of the model: which of the paper's methods, and the sizes of its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from enhance_cli.config.settings import setting

Variant = Literal["ce", "pr", "prnl", "ce+pr", "ce+prnl"]
Fit = Literal["pad", "squash"]
PRNetOutput = Literal["per-pixel", "global"]

VARIANTS: tuple[Variant, ...] = get_args(Variant)
"""The five methods of section 3.3."""

LONG_EDGE = 500
"""Longer edge, in pixels, at which the paper works (section 3.1)."""

WHITE_FROM = 0.9
"""BT.709 luma from which a pixel counts as partly white; at 1, it counts as fully white. In a hazy
sky with clipped red and green, luma is a little below 1."""

TOE = 2 / 255
"""Level to which the retouch may darken a channel that was far above it, if shadows are
protected."""

TOE_SLOPE = 0.75
"""Least share of its value that remains of a channel near black, if shadows are protected."""


@dataclass(frozen=True)
class ModelConfig:
    """Architecture and input geometry. It is stored in every weights file.

    Attributes:
        variant: One of the five methods of section 3.3.
        input_side: Side, in pixels, of the square that ``fit`` makes of a photo.
        fit: How a photo is brought into the square. ``"pad"`` is the paper's way (section 3.2):
            both networks see the photo in the top left corner of a black ``input_side`` x
            ``input_side`` square. ``"squash"`` resizes the photo to the square, aspect ratio
            ignored, for CENet alone; PRNet then sees the photo unpadded. A global color map does
            not need the aspect ratio, and no pixel of the square is wasted.
        max_input_edge: Longer edge, in pixels, to which larger photos are downscaled before the
            networks see them. PRNet's residual is carried to the full size afterwards. A network
            does best at the size at which it was trained.
        nonlocal_pool: Side, in positions, of the squares that the non-local block averages before
            attending to them. 1 attends to every position, as the paper does; 2 takes a quarter
            of the time.
        prnet: ``"per-pixel"`` is the paper's PRNet. ``"global"`` (not in the paper) replaces its
            residual by the closest polynomial in the photo's colors, so that errors which vary
            from place to place average out, and halos and blotches with them. The whole result is
            then one function of color, which is evaluated at every pixel of the full-size photo.
        prnet_input_edge: Longer edge, in pixels, at which a global PRNet sees an unpadded photo.
        protect_highlights: Do not darken what is white in the photo (not in the paper). Clipped
            skies would come out grey otherwise; the losses do not prevent it.
        protect_shadows: Let no channel become black that was not (not in the paper). Experts clip
            deep shadows, and so do networks that follow them; what is clipped is lost.
        photo_statistics: Let both networks see statistics of the whole photo: the histogram of its
            colors, and mean, deviation and maximum of small features (not in the paper). CENet's
            fully connected layers see them beside the features of ResNet50. PRNet adds to its
            residual a polynomial of color that is predicted from them. How a photo should be
            retouched depends mostly on which colors it has, not on where they are.
        style: Correct the result by a style that was fitted to edited photos (not in the paper).
            Only ``enhance train --style-from`` sets it, for models whose result is one function of
            color.
    """

    variant: Variant = "ce+prnl"
    input_side: int = setting(LONG_EDGE, low=32)
    fit: Fit = "pad"
    max_input_edge: int = setting(LONG_EDGE, low=32)
    nonlocal_pool: int = setting(1, low=1)
    prnet: PRNetOutput = "per-pixel"
    prnet_input_edge: int = setting(128, low=1)
    protect_highlights: bool = False
    protect_shadows: bool = False
    photo_statistics: bool = False
    style: bool = False

    @property
    def long_edge(self) -> int:
        """Longer edge, in pixels, at which photos are trained on and scored."""
        return min(LONG_EDGE, self.input_side) if self.fit == "pad" else LONG_EDGE

    @property
    def input_edge(self) -> int:
        """Longer edge, in pixels, at which the networks see a photo."""
        if not self.sees_thumbnail:
            return min(self.max_input_edge, self.long_edge)
        # The square of CENet should not have more pixels a side than the shorter edge.
        return max(2 * self.input_side * self.has_cenet, self.prnet_input_edge * self.has_prnet)

    @property
    def has_cenet(self) -> bool:
        """Whether the model includes channel-wise enhancement (section 2.1)."""
        return self.variant.startswith("ce")

    @property
    def has_prnet(self) -> bool:
        """Whether the model includes pixel-wise refinement (section 2.2)."""
        return self.variant != "ce"

    @property
    def is_global(self) -> bool:
        """Whether PRNet's residual is projected onto polynomials of color."""
        return self.has_prnet and self.prnet == "global"

    @property
    def is_color_function(self) -> bool:
        """Whether the whole result is one function of color, the same at every place."""
        return not self.has_prnet or self.is_global

    @property
    def sees_thumbnail(self) -> bool:
        """Whether the networks see a small copy of the photo that serves for nothing else."""
        return self.fit == "squash" and self.is_color_function

    @property
    def non_local(self) -> bool:
        """Whether PRNet includes the non-local block."""
        return self.variant.endswith("prnl")

    @property
    def residual_blocks(self) -> int:
        """Number of residual blocks in PRNet: 18 for the paper's PR, 3 for all others."""
        return 18 if self.variant == "pr" else 3

"""BT.709 luma: brightness from gamma-encoded sRGB values."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LUMA_BT709 = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue (ITU-R BT.709)."""


def luma_bt709(photo: Tensor) -> Tensor:
    """Compute the luma of every pixel.

    Args:
        photo: ``(..., 3, H, W)``, sRGB around [0, 1].

    Returns:
        ``(..., 1, H, W)``, in the same range.
    """
    return (photo * photo.new_tensor(LUMA_BT709)[:, None, None]).sum(-3, keepdim=True)

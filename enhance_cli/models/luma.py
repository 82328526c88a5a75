"""How bright a colour is, told from sRGB as it is stored."""

from __future__ import annotations

from torch import Tensor

LUMA = (0.2126, 0.7152, 0.0722)
"""Shares of red, green and blue (BT.709)."""


def luma(photo: Tensor) -> Tensor:
    """Weigh the channels together.

    Args:
        photo: ``(..., 3, H, W)``, sRGB around [0, 1].

    Returns:
        ``(..., 1, H, W)``, in the same range.
    """
    return (photo * photo.new_tensor(LUMA)[:, None, None]).sum(-3, keepdim=True)

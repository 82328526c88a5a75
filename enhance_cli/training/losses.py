"""Training losses, averaged over unpadded pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from enhance_cli.config.training import Loss

_RGB_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
WHITE = 0.995
"""An expert's values above this, and below 1 - WHITE, count as clipped."""

_WHITE_D65 = (0.95047, 1.0, 1.08883)


def photo_losses(kind: Loss, predicted: Tensor, expert: Tensor, mask: Tensor) -> Tensor:
    """Compute the loss of each photo of a batch.

    Args:
        kind: Loss function, see :class:`enhance_cli.config.training.StageConfig`; ``"mse"`` is
            eq. 4.
        predicted: ``(B, 3, H, W)``, float, sRGB, not clamped.
        expert: ``(B, 3, H, W)``, float, sRGB in [0, 1].
        mask: ``(B, 1, H, W)``, 1 on the photo and 0 on the padding.

    Returns:
        ``(B,)``: means over each photo's unpadded pixels.
    """
    if kind == "mse":
        return _mean_over_photo((predicted - expert).square(), mask)
    predicted = _clipped_like_expert(predicted, expert)
    absolute = _mean_over_photo((predicted - expert).abs(), mask)
    if kind == "l1":
        return absolute
    difference = rgb_to_lab(predicted) - rgb_to_lab(expert)
    # 0.01 keeps the root's gradient finite where the prediction equals the expert's version.
    distance = (difference.square().sum(1, keepdim=True) + 0.01).sqrt()
    return absolute + _mean_over_photo(distance, mask) / 100


def rgb_to_lab(photo: Tensor) -> Tensor:
    """Convert sRGB to CIELab (D65, 2 degree observer), differentiably.

    Args:
        photo: ``(B, 3, H, W)``, float, sRGB. The curve continues beyond [0, 1], so that gradients
            pull values back from there.

    Returns:
        ``(B, 3, H, W)``: L in [0, 100], a and b in about [-128, 127].
    """
    bright = photo > 0.04045
    # Unused values are replaced before the power: where() would pass on their NaN gradients.
    power = ((torch.where(bright, photo, 1.0) + 0.055) / 1.055).pow(2.4)
    linear = torch.where(bright, power, photo / 12.92)
    matrix = photo.new_tensor(_RGB_TO_XYZ) / photo.new_tensor(_WHITE_D65)[:, None]
    xyz = torch.einsum("ij,bjhw->bihw", matrix, linear)
    large = xyz > 0.008856
    root = torch.where(large, xyz, 1.0).pow(1 / 3)
    x, y, z = torch.where(large, root, 7.787 * xyz + 16 / 116).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def _clipped_like_expert(predicted: Tensor, expert: Tensor) -> Tensor:
    """Clamp predictions where the expert's version is clipped, since any value beyond is right.

    Otherwise, a map that clips a highlight as the expert did would be penalised, and white skies
    would turn grey.
    """
    predicted = torch.where(expert > WHITE, predicted.clamp(max=1), predicted)
    return torch.where(expert < 1 - WHITE, predicted.clamp(min=0), predicted)


def _mean_over_photo(values: Tensor, mask: Tensor) -> Tensor:
    """Average ``(B, C, H, W)`` to ``(B,)`` over each photo's unpadded pixels."""
    return (values * mask).sum((1, 2, 3)) / (mask.sum((1, 2, 3)) * values.shape[1])

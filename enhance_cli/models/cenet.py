"""Channel-wise enhancement: CENet and its global linear map (section 2.1)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from enhance_cli.models.photo_statistics import STATISTICS, PhotoStatistics
from enhance_cli.models.resnet import FEATURES, ResNet

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of red, green and blue with which ImageNet weights are trained."""


class ColorMapping(NamedTuple):
    """CENet's output, 12 numbers for each photo: ``(W_s, b_s)`` of eq. 3.

    Attributes:
        matrix: ``W_s``, ``(B, 3, 3)``; row ``i`` gives output channel ``i`` from input R, G, B.
        offset: ``b_s``, ``(B, 3)``.
    """

    matrix: Tensor
    offset: Tensor

    def residual(self, photo: Tensor) -> Tensor:
        """``r_c = W_s p + b_s`` at every pixel (eq. 3).

        Args:
            photo: ``(B, 3, H, W)``, sRGB in [0, 1].

        Returns:
            ``(B, 3, H, W)``, to be added to ``photo``.
        """
        mapped = torch.einsum("bij,bjhw->bihw", self.matrix, photo)
        return mapped + self.offset[:, :, None, None]


class CENet(nn.Module):
    """ResNet50 without its classifier, then three fully connected layers (section 2.1).

    The last layer is initialised to zero, so that an untrained CENet leaves photos unchanged.

    Args:
        statistics: Whether the fully connected layers also see statistics of the photo (not in the
            paper).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, statistics: bool = False) -> None:
        super().__init__()
        self.statistics = PhotoStatistics() if statistics else None
        self.backbone = ResNet()
        self.head = nn.Sequential(
            nn.Linear(FEATURES + STATISTICS * statistics, 512),
            nn.ReLU(inplace=True),
            nn.Linear(512, 128),
            nn.ReLU(inplace=True),
            nn.Linear(128, 12),
        )
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)

    def load_pretrained(self) -> None:
        """Load torchvision's ImageNet weights; they are downloaded once and checked by hash.

        Raises:
            OSError: They cannot be downloaded.
        """
        # Imported late, because it takes a second; torchvision has no type stubs.
        from torchvision.models import ResNet50_Weights  # pyright: ignore[reportMissingTypeStubs]

        state = ResNet50_Weights.IMAGENET1K_V2.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
        without_classifier = {k: v for k, v in state.items() if not k.startswith("fc.")}
        self.backbone.load_state_dict(without_classifier)

    def forward(self, photo: Tensor) -> ColorMapping:
        """Predict the global color map of each photo.

        Args:
            photo: ``(B, 3, S, S)``, the photo padded or squashed to a square, sRGB in [0, 1].

        Returns:
            The map of each photo, in float32; it is valid for the photo at any size.
        """
        features = self.backbone((photo - self.mean) / self.std)
        if self.statistics is not None:
            features = torch.cat([features.float(), self.statistics(photo)], dim=1)
        numbers = self.head(features).float()
        return ColorMapping(numbers[:, :9].reshape(-1, 3, 3), numbers[:, 9:])

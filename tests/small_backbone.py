"""A network in the place of ResNet50, for tests of the training loop."""

from torch import nn

from enhance_cli.models.resnet import FEATURES


class SmallBackbone(nn.Sequential):
    """Two convolutions and as many features as ResNet50 has."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 16, 7, stride=4, padding=3, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, FEATURES),
        )

"""Learned color enhancement of photographs, coarse to fine.

>>> from enhance_cli import Enhancer
>>> enhancer = Enhancer.load()
>>> result = enhancer.enhance(photo)  # a Pillow image, an array or a tensor
"""

from typing import TYPE_CHECKING, Any

from enhance_cli.errors import (
    DeviceError,
    EnhanceError,
    OutputError,
    PairsError,
    PhotoError,
    PlaceTakenError,
    RetouchError,
    TrainingError,
    UsageError,
    WeightsError,
)

if TYPE_CHECKING:
    from enhance_cli.inference.enhancer import Enhancer

__all__ = [
    "DeviceError",
    "EnhanceError",
    "Enhancer",
    "OutputError",
    "PairsError",
    "PhotoError",
    "PlaceTakenError",
    "RetouchError",
    "TrainingError",
    "UsageError",
    "WeightsError",
    "__version__",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Imported late, so that the command's --help does not import torch.
    if name == "Enhancer":
        from enhance_cli.inference.enhancer import Enhancer

        return Enhancer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

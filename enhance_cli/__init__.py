"""Learned colour enhancement of photographs, coarse to fine.

>>> from enhance_cli import Enhancer
>>> enhancer = Enhancer.load()
>>> result = enhancer.enhance(photo)  # a Pillow image, an array or a tensor
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from enhance_cli.engine.enhancer import Enhancer

__all__ = ["Enhancer", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Late: the command's --help needs no torch.
    if name == "Enhancer":
        from enhance_cli.engine.enhancer import Enhancer

        return Enhancer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

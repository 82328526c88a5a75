"""What every way of running the networks has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from enhance_cli.config.input_size import Shape
from enhance_cli.config.model import TOE, TOE_SLOPE, WHITE_FROM, ModelConfig
from enhance_cli.imaging.affine_grid import AffineGrid
from enhance_cli.imaging.color_loop import ColorCoefficients
from enhance_cli.imaging.color_space import Floats


@dataclass(frozen=True)
class Prediction:
    """What the networks predict for one photo.

    Attributes:
        function: The whole change as a function of color; CENet's map alone, if there is a grid.
        grid: The whole change as an affine color map at each point of a grid over the photo,
            float32, ``(h, w, 3, 4)``, if PRNet's residual differs from place to place; else None.
        warnings: A line for everything that had to be given up while the networks ran.
    """

    function: ColorCoefficients
    grid: AffineGrid | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_finite(self) -> bool:
        """Whether all numbers are finite."""
        parts = (self.function.matrix, self.function.polynomial, self.grid)
        return all(part is None or bool(np.isfinite(part).all()) for part in parts)


class Networks(Protocol):
    """A model on a device; several threads may share it.

    Attributes:
        config: Architecture and input geometry of the model.
        warnings: What happened to the model, such as the fallback to the CPU; each message is also
            in the prediction for the photo at which it happened.
    """

    config: ModelConfig
    warnings: list[str]

    @property
    def device(self) -> str:
        """The device that the networks run on now, by its name in PyTorch."""
        ...

    def predict(self, view: Floats, shape: Shape, coarse_only: bool) -> Prediction:
        """Run the networks on a photo.

        Args:
            view: The photo as the networks see it, ``(H, W, 3)``, float32, sRGB in [0, 1].
            shape: Height and width of the photo itself.
            coarse_only: Use CENet alone, without PRNet.

        Raises:
            MemoryError: Memory runs out.
        """
        ...


def color_coefficients(
    matrix: NDArray[np.float32],
    polynomial: NDArray[np.float32] | None,
    highlights: bool,
    shadows: bool,
) -> ColorCoefficients:
    """The function of color of a prediction.

    Args:
        matrix: CENet's result ``p + r_c(p)``, ``(3, 4)``: from R, G, B and 1.
        polynomial: Coefficients of PRNet's residual, ``(3, 35)``, or None.
        highlights: Whether what is white is protected from darkening.
        shadows: Whether channels that were not black are kept from becoming black.
    """
    white_from = WHITE_FROM if highlights else None
    return ColorCoefficients(matrix, polynomial, white_from, (TOE, TOE_SLOPE) if shadows else None)

"""Networks with a photographer's style on top."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from enhance_cli.config.input_size import Shape
from enhance_cli.imaging.color_space import Floats
from enhance_cli.inference.networks.networks import Networks, Prediction, color_coefficients
from enhance_cli.inference.networks.torch_networks import batch_of
from enhance_cli.inference.weights_file import mismatch_error
from enhance_cli.models.cenet import ColorMapping
from enhance_cli.models.color_function import ColorFunction
from enhance_cli.models.style import Style


class StyledNetworks:
    """Networks on a CPU, and a style that PyTorch applies to their function of color.

    Args:
        networks: The networks, whose result is one function of color.
        style: The style.

    Attributes:
        config: Architecture and input geometry of the model.
        device: The device, ``cpu``.
        warnings: What happened to the networks.
    """

    device = "cpu"

    def __init__(self, networks: Networks, style: Style) -> None:
        self.config = networks.config
        self.warnings = networks.warnings
        self._networks = networks
        self._style = style

    @torch.inference_mode()
    def predict(self, view: Floats, shape: Shape, coarse_only: bool) -> Prediction:
        """Run the networks on a photo, see :meth:`Networks.predict`."""
        found = self._networks.predict(view, shape, coarse_only)
        if coarse_only:
            return found
        styled = self._style(_torch_function(found), batch_of(view))
        assert styled.polynomial is not None
        polynomial = styled.polynomial[0].mT.numpy()
        function = color_coefficients(
            found.function.matrix, polynomial, styled.highlights, styled.shadows
        )
        return replace(found, function=function)


def take_style(tensors: dict[str, NDArray[Any]], weights: Path) -> Style:
    """Take the style out of the tensors of a weights file.

    Raises:
        WeightsError: The description of the file is wrong.
    """
    names = [name for name in tensors if name.startswith("style.")]
    state = {name.removeprefix("style."): torch.from_numpy(tensors.pop(name)) for name in names}
    style = Style()
    try:
        style.load_state_dict(state)
    except RuntimeError as problem:
        raise mismatch_error(weights) from problem
    return style.eval()


def _torch_function(prediction: Prediction) -> ColorFunction:
    """The function of color of a prediction, as the model core has it."""
    matrix, polynomial, white_from, toe = prediction.function
    assert polynomial is not None
    linear = torch.from_numpy(matrix - np.eye(3, 4, dtype=np.float32))[None]
    terms = torch.from_numpy(np.ascontiguousarray(polynomial.T))[None]
    mapping = ColorMapping(linear[..., :3], linear[..., 3])
    return ColorFunction(mapping, terms, white_from is not None, toe is not None)

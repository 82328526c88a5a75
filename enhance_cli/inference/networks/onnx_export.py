"""Export the networks to ONNX, without their weights: one graph for each architecture.

``python -m enhance_cli.inference.networks.onnx_export`` writes the graphs that come with the
package. It has to be run again when an architecture in ``enhance_cli/models/`` changes; a test
tells. It needs the package onnxscript.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from enhance_cli.config.model import ModelConfig
from enhance_cli.inference.networks.onnx_graph import INPUTS, OUTPUTS, graph_path
from enhance_cli.models.cascade import Cascade
from enhance_cli.models.color_function import ColorFunction
from enhance_cli.models.color_polynomial import legendre_terms, normal_equations

ARCHITECTURES = (
    ModelConfig(fit="squash", prnet="global", nonlocal_pool=4),
    ModelConfig(fit="squash", prnet="global", nonlocal_pool=4, photo_statistics=True),
)
"""Those of the recipes ``small`` and ``large``."""


class ExportedNetworks(nn.Module):
    """What a graph computes: both networks, up to the equations of PRNet's polynomial of color.

    ONNX has no operator that solves equations.

    Args:
        cascade: A cascade whose result is one function of color.
    """

    inverse: Tensor

    def __init__(self, cascade: Cascade) -> None:
        super().__init__()
        assert cascade.cenet is not None and cascade.prnet is not None
        self.cenet, self.prnet = cascade.cenet, cascade.prnet
        self.register_buffer("inverse", torch.linalg.inv(legendre_terms().double()), False)

    def forward(self, square: Tensor, photo: Tensor) -> tuple[Tensor, ...]:
        """Run the networks on one photo.

        Args:
            square: The photo as CENet sees it, ``(1, 3, S, S)``, sRGB in [0, 1].
            photo: The photo as PRNet sees it, ``(1, 3, H, W)``, sRGB in [0, 1].

        Returns:
            CENet's map, ``(1, 3, 3)`` and ``(1, 3)``; ``A``, ``(1, 35, 35)``, and ``b``,
            ``(1, 35, 3)``, float64. The solution of ``A x = b`` are the coefficients of
            :func:`enhance_cli.models.color_polynomial.fit_color_polynomial`.
        """
        mapping = self.cenet(square)
        residual = self.prnet(ColorFunction(mapping).coarse(photo), photo)
        gram, moments = normal_equations(residual, photo)
        # From Legendre polynomials to monomials.
        return *mapping, self.inverse @ gram @ self.inverse.mT, self.inverse @ moments


def export(config: ModelConfig, path: Path) -> None:
    """Write the graph of an architecture.

    Its parameters have the names of the tensors in a weights file. They have no values.

    Args:
        config: The architecture.
        path: The file.
    """
    import onnx_ir as ir
    from onnxscript.optimizer import fold_constants, remove_unused_nodes

    networks = ExportedNetworks(Cascade(config)).eval()
    side, height, width = map(torch.export.Dim, ("side", "height", "width"))
    program: Any = torch.onnx.export(
        networks,
        (torch.rand(1, 3, 64, 64), torch.rand(1, 3, 40, 60)),
        dynamo=True,
        verbose=False,
        # The exporter's own optimizer makes of two limits of one value an invalid graph.
        optimize=False,
        input_names=INPUTS,
        output_names=OUTPUTS,
        dynamic_shapes={"square": {2: side, 3: side}, "photo": {2: height, 3: width}},
    )
    graph = program.model.graph
    names = [name for name in networks.state_dict() if name in graph.initializers]
    parameters = [graph.initializers.pop(name) for name in names]
    graph.inputs.extend(parameters)  # so that their values are not folded
    fold_constants(program.model)
    remove_unused_nodes(program.model)
    for value in parameters:
        graph.inputs.remove(value)
        value.const_value = ir.ExternalTensor(
            "weights", None, None, value.dtype, shape=value.shape, name=value.name
        )
        graph.initializers[value.name] = value
    _drop_descriptions(graph)
    ir.save(program.model, path)


def _drop_descriptions(graph: Any) -> None:
    """Drop what takes most of the file: where in the source each node comes from, and shapes."""
    for node in graph:
        node.metadata_props.clear()
        for value in set(node.outputs) - set(graph.outputs):
            value.metadata_props.clear()
            value.shape = value.type = None


if __name__ == "__main__":
    for architecture in ARCHITECTURES:
        export(architecture, graph_path(architecture))

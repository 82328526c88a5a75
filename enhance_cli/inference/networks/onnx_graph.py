"""The graphs that come with the package: what ONNX Runtime computes, without the weights.

There is one for each architecture of the recipes ``small`` and ``large``. They take photos of any
size; PRNet's input should be small.
"""

from __future__ import annotations

from pathlib import Path

from enhance_cli.config.model import LONG_EDGE, ModelConfig

INPUTS = ("square", "photo")
"""A photo as CENet sees it, ``(1, 3, S, S)``, and as PRNet sees it, ``(1, 3, H, W)``."""

COARSE_OUTPUTS = ("matrix", "offset")
"""CENet's map, ``(1, 3, 3)`` and ``(1, 3)``."""

OUTPUTS = (*COARSE_OUTPUTS, "gram", "moments")
"""CENet's map; and the equations of PRNet's polynomial, ``(1, 35, 35)`` and ``(1, 35, 3)``."""

_FOLDER = Path(__file__).parent


def graph_path(config: ModelConfig) -> Path:
    """The file of the graph of an architecture, whether it is there or not."""
    statistics = "-statistics" * config.photo_statistics
    return _FOLDER / f"{config.variant}-pool-{config.nonlocal_pool}{statistics}.onnx"


def find_graph(config: ModelConfig) -> Path | None:
    """The graph of a model; None if the package has none for it."""
    one_color_function = config.sees_thumbnail and config.has_cenet and config.is_global
    # The graph builds the matrix of attention, which grows with the fourth power of the edge.
    small = config.prnet_input_edge <= LONG_EDGE
    path = graph_path(config)
    return path if one_color_function and small and path.is_file() else None

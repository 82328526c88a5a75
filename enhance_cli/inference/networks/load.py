"""Choose what runs the networks of a weights file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from enhance_cli.inference.device import unloadable_torch_reported
from enhance_cli.inference.memory_errors import memory_errors_reported
from enhance_cli.inference.networks.networks import Networks
from enhance_cli.inference.networks.onnx_graph import find_graph
from enhance_cli.inference.weights_file import WeightsFile, describe_weights, memory_error
from enhance_cli.inference.weights_tensors import read_tensors


def load_networks(path: Path, device: str, cpu_fallback: bool = False) -> Networks:
    """Load a weights file: into ONNX Runtime on a CPU, if there is a graph; else into PyTorch.

    If ONNX Runtime cannot be loaded, PyTorch does the same, more slowly.

    Args:
        path: The weights file.
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        cpu_fallback: Whether a GPU that runs out of memory is given up for the CPU.

    Raises:
        WeightsError: The file cannot be used, or memory runs out.
        EnhanceError: Neither library can be loaded.
    """
    weights = describe_weights(path)
    graph = find_graph(weights.config) if device == "cpu" else None
    with memory_errors_reported(memory_error(path)):
        if graph is not None and _has_onnx_runtime():
            return _onnx_networks(weights, graph)
        with unloadable_torch_reported():
            from enhance_cli.inference.networks.torch_networks import TorchNetworks
        return TorchNetworks.load(path, device, cpu_fallback)


def _has_onnx_runtime() -> bool:
    """Whether ONNX Runtime can be loaded: on Windows, it needs libraries of Microsoft's."""
    try:
        import_module("enhance_cli.inference.networks.onnx_runtime")
    except (ImportError, OSError):
        return False
    return True


def _onnx_networks(weights: WeightsFile, graph: Path) -> Networks:
    from enhance_cli.inference.networks.onnx_networks import OnnxNetworks

    tensors = read_tensors(weights.path)
    if not weights.config.style:
        return OnnxNetworks(weights, graph, tensors)
    with unloadable_torch_reported():
        from enhance_cli.inference.networks.styled_networks import StyledNetworks, take_style

    style = take_style(tensors, weights.path)
    return StyledNetworks(OnnxNetworks(weights, graph, tensors), style)

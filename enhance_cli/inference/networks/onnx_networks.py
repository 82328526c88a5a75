"""The networks on a CPU, run by ONNX Runtime.

The output is PyTorch's. But to import PyTorch takes two seconds and half a gigabyte of memory. ONNX
Runtime takes 40 ms and 20 MB, and less time for each photo.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance_cli.config.input_size import Shape, input_shape
from enhance_cli.config.model import ModelConfig
from enhance_cli.imaging.color_space import Floats
from enhance_cli.imaging.resample import resample
from enhance_cli.imaging.resize import Resampling, Size, size_of
from enhance_cli.inference.networks.networks import Prediction, color_coefficients
from enhance_cli.inference.networks.onnx_graph import COARSE_OUTPUTS, INPUTS, OUTPUTS
from enhance_cli.inference.networks.onnx_runtime import (
    Fail,
    InvalidArgument,
    RuntimeException,
    onnxruntime,
)
from enhance_cli.inference.weights_file import WeightsFile, mismatch_error

_ERRORS = (Fail, InvalidArgument, RuntimeException)


class OnnxNetworks:
    """A graph with the weights of a file.

    Each prediction runs in the thread that asks for it; several threads predict side by side.

    Args:
        weights: The weights file, of an architecture that has a graph.
        graph: The graph.
        tensors: The tensors of both networks, by their names in the file.

    Attributes:
        config: Architecture and input geometry of the model.
        device: The device, ``cpu``.
        warnings: Always empty.

    Raises:
        WeightsError: The tensors do not fit the graph.
        MemoryError: Memory runs out.
    """

    device = "cpu"

    def __init__(
        self, weights: WeightsFile, graph: Path, tensors: Mapping[str, NDArray[Any]]
    ) -> None:
        self.config: ModelConfig = weights.config
        self.warnings: list[str] = []
        self._tensors = _owned_by_python(tensors)  # the session holds no copy of them
        options: Any = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # every error is raised as well
        try:
            options.add_external_initializers(list(self._tensors), list(self._tensors.values()))
            with _memory_errors_translated():
                self._session = onnxruntime.InferenceSession(
                    graph.read_bytes(),  # of paths, only those in UTF-8 are taken
                    options,
                    providers=["CPUExecutionProvider"],
                )
        except (*_ERRORS, UnicodeEncodeError) as problem:  # the latter for a tensor's name
            raise mismatch_error(weights.path) from problem

    def predict(self, view: Floats, shape: Shape, coarse_only: bool) -> Prediction:  # noqa: ARG002
        """Run the networks on a photo, see :meth:`Networks.predict`."""
        side = self.config.input_side
        small = input_shape(Shape(*view.shape[:2]), self.config.prnet_input_edge)
        sizes = Size(side, side), Size(small.width, small.height)
        inputs = [_batch(_resized(view, size)) for size in sizes]
        outputs = COARSE_OUTPUTS if coarse_only else OUTPUTS
        with _memory_errors_translated():
            found: Any = self._session.run(outputs, dict(zip(INPUTS, inputs, strict=True)))
        matrix, offset, *equations = (array[0] for array in found)
        linear = np.eye(3, 4, dtype=np.float32) + np.column_stack([matrix, offset])
        if coarse_only:
            return Prediction(color_coefficients(linear, None, highlights=False, shadows=False))
        polynomial = np.linalg.solve(*equations).astype(np.float32).T
        protection = self.config.protect_highlights, self.config.protect_shadows
        return Prediction(color_coefficients(linear, polynomial, *protection))


@contextlib.contextmanager
def _memory_errors_translated() -> Generator[None]:
    """Make a MemoryError of ONNX Runtime's "std::bad_alloc" and "Failed to allocate memory"."""
    try:
        yield
    except _ERRORS as problem:
        if "alloc" not in str(problem):
            raise
        raise MemoryError from problem


def _owned_by_python(tensors: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Hand tensors to ONNX Runtime without copying them; they must outlive the session."""
    return {
        name: onnxruntime.OrtValue.ortvalue_from_numpy(tensor)
        for name, tensor in tensors.items()
        if not name.endswith("num_batches_tracked")
    }


def _resized(photo: Floats, size: Size) -> Floats:
    """Resize a photo as the cascade does."""
    if size_of(photo) == size:
        return photo
    height, width = photo.shape[:2]
    return resample(photo, size, (0, 0, width, height), Resampling.BILINEAR)


def _batch(photo: Floats) -> NDArray[np.float32]:
    """From ``(H, W, 3)`` to ``(1, 3, H, W)``."""
    return np.ascontiguousarray(photo.transpose(2, 0, 1)[None])

"""Weights files that describe themselves.

One ``.safetensors`` file holds the tensors and, in its metadata, a format version, the
:class:`ModelConfig` and how it was trained. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import enhance_cli
from enhance_cli.atomic_write import ANYTHING, Publisher, atomic_write
from enhance_cli.errors import PlaceTakenError, WeightsError
from enhance_cli.inference.memory_errors import memory_errors_reported
from enhance_cli.inference.weights_file import (
    FORMAT_VERSION,
    Provenance,
    describe_weights,
    memory_error,
    mismatch_error,
)
from enhance_cli.inference.weights_tensors import read_tensors
from enhance_cli.models.cascade import Cascade


@dataclass(frozen=True)
class Weights:
    """A model and its origin.

    Attributes:
        model: The cascade, in eval mode.
        provenance: How the weights were made.
        path: The file from which the weights were loaded.
    """

    model: Cascade
    provenance: Provenance
    path: Path


def save_weights(
    path: Path, model: Cascade, provenance: Provenance, publisher: Publisher = ANYTHING
) -> None:
    """Write a weights file; it appears under its name only when it is complete.

    Matrices and kernels are stored in half precision, which changes no channel of a photo by as
    much as 1/255; biases, batch norm statistics and a style stay in single precision.

    Args:
        path: The file; missing folders are created.
        model: The cascade, on any device.
        provenance: How the weights were made.
        publisher: Decides whether a file that is there may be replaced.

    Raises:
        PlaceTakenError: A file is there that may not be replaced.
        WeightsError: The file cannot be written.
    """
    tensors = {
        name: (tensor.half() if _is_large(name, tensor) else tensor).contiguous().cpu()
        for name, tensor in model.state_dict().items()
    }
    metadata = {
        "format": "enhance",
        "format_version": str(FORMAT_VERSION),
        "enhance_version": enhance_cli.__version__,
        "model": json.dumps(asdict(model.config)),
        "provenance": json.dumps(asdict(provenance), default=str),
    }
    try:
        with atomic_write(path, publisher) as temporary:
            temporary.write_bytes(save(tensors, metadata))
    except FileExistsError as problem:
        raise PlaceTakenError(
            f"{path}: another file has come there while the run went on; it was left as it is"
        ) from problem
    except (OSError, SafetensorError) as problem:
        raise WeightsError(f"{path}: cannot be written ({problem})") from problem


def _is_large(name: str, tensor: Tensor) -> bool:
    return tensor.ndim >= 2 and not name.startswith("style.")


def load_weights(path: Path, device: torch.device | None = None) -> Weights:
    """Read a weights file of format version 1 to 3 into a model in eval mode.

    Args:
        path: The file.
        device: The device to load the model onto; None is the CPU.

    Raises:
        WeightsError: The file is missing, damaged, no weights file, or of another version, or its
            settings are unknown, of the wrong type or out of range, or its numbers are not finite;
            or memory runs out.
    """
    described = describe_weights(path)
    with memory_errors_reported(memory_error(path)):
        tensors = {name: torch.from_numpy(tensor) for name, tensor in read_tensors(path).items()}
        with _WithoutRandomNumbers():
            model = Cascade(described.config)
        try:
            model.load_state_dict(tensors)
        except RuntimeError as problem:
            raise mismatch_error(path) from problem
        return Weights(model.to(device or "cpu").eval(), described.provenance, path)


class _WithoutRandomNumbers(TorchFunctionMode):
    """Leave new parameters unset where they would be drawn at random, for a third of a second."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if func in _RANDOM:
            return args[0] if args else named["tensor"]
        return func(*args, **named)


_RANDOM = frozenset({
    Tensor.normal_, Tensor.uniform_,
    nn.init.normal_, nn.init.uniform_, nn.init.kaiming_normal_, nn.init.kaiming_uniform_,
})  # fmt: skip
"""The functions by which modules draw their parameters."""

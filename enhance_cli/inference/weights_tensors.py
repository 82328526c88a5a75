"""Reading the tensors of a weights file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from enhance_cli.errors import WeightsError
from enhance_cli.inference.weights_file import damaged_error


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Read the tensors of a weights file, those of floats in single precision.

    Args:
        path: The file.

    Raises:
        WeightsError: The file is damaged, or holds what no training run can have left.
    """
    try:
        with safe_open(path, framework="numpy") as opened:
            names = opened.keys()
            tensors = {name: _in_single_precision(opened.get_tensor(name)) for name in names}
    except (SafetensorError, OSError, TypeError) as problem:
        raise damaged_error(path) from problem
    _refuse_unusable_tensors(path, tensors)
    return tensors


def _in_single_precision(tensor: NDArray[Any]) -> NDArray[Any]:
    floats = np.issubdtype(tensor.dtype, np.floating)
    return tensor.astype(np.float32, copy=False) if floats else tensor


def _refuse_unusable_tensors(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Raise a WeightsError for values that no training run can have left."""
    for name, tensor in tensors.items():
        if name.endswith("num_batches_tracked") or not tensor.size:
            continue
        lowest, highest = tensor.min(), tensor.max()  # NaN is both
        floats = tensor.dtype == np.float32
        if not (floats and np.isfinite(lowest) and np.isfinite(highest)):
            raise WeightsError(f"{path}: {name} is not made of finite numbers; train anew")
        if name.endswith("running_var") and lowest < 0:
            raise WeightsError(f"{path}: {name} holds a negative variance; train anew")

"""Reading the tensors of a weights file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from enhance_cli.errors import WeightsError
from enhance_cli.inference.weights_file import Header, damaged_error, read_header

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "?",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1",
}  # fmt: skip
"""NumPy's types by their names in the file; bfloat16, which NumPy has not, is read as integers."""


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Read the tensors of a weights file, those of floats in single precision.

    The safetensors library cannot give NumPy bfloat16, and it aborts where memory runs out.

    Args:
        path: The file.

    Raises:
        WeightsError: The file is damaged, or holds what no training run can have left.
    """
    header = read_header(path)
    try:
        _refuse_other_types(path, header)
        with path.open("rb") as file:
            tensors = {
                name: _in_single_precision(_read(file, header.start, described), described["dtype"])
                for name, described in header.tensors.items()
            }
    except (OSError, KeyError, TypeError, ValueError) as problem:
        raise damaged_error(path) from problem
    _refuse_unusable_tensors(path, tensors)
    return tensors


def _refuse_other_types(path: Path, header: Header) -> None:
    """Raise a WeightsError for types that no training run writes, and that NumPy has not."""
    for name, described in header.tensors.items():
        if (dtype := described["dtype"]) not in _DTYPES:
            raise WeightsError(
                f"{path}: {name} is of the type {dtype}; save it as F16 or F32, or train anew"
            )


def _read(file: BinaryIO, start: int, described: Mapping[str, Any]) -> NDArray[Any]:
    dtype, shape = np.dtype(_DTYPES[described["dtype"]]), tuple(described["shape"])
    begin, end = described["data_offsets"]
    count = math.prod(shape)
    if begin < 0 or begin + count * dtype.itemsize != end:
        raise ValueError("the place does not fit the shape")
    file.seek(start + begin)
    return np.fromfile(file, dtype, count).reshape(shape)


def _in_single_precision(tensor: NDArray[Any], name_of_dtype: str) -> NDArray[Any]:
    if name_of_dtype == "BF16":  # the upper half of single precision
        return (tensor.astype(np.uint32) << 16).view(np.float32)
    if not np.issubdtype(tensor.dtype, np.floating):
        return tensor
    with np.errstate(over="ignore"):  # infinite numbers are refused
        return tensor.astype(np.float32, copy=False)


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

"""ONNX Runtime, which is imported from here alone, so that it tells its maker nothing.

From version 1.29 on, its builds for Linux and macOS report the machine, each model and the time
that it takes, unless a variable says otherwise when the library is loaded. Those for Windows know
no such variable, and leave it to the system's settings whether what they say goes anywhere.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    RuntimeException,
)

__all__ = ["Fail", "InvalidArgument", "RuntimeException", "onnxruntime"]

onnxruntime.disable_telemetry_events()  # what Windows would be told later

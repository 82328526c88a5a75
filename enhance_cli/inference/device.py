"""The device that the networks run on."""

from __future__ import annotations

import torch

from enhance_cli.config.device import check_device_name
from enhance_cli.config.training import Precision
from enhance_cli.errors import DeviceError


def pick_device(name: str) -> torch.device:
    """Turn the name of a device into the device.

    ``auto`` uses CUDA if it is available. If CUDA is asked for and not available, that is an
    error, never a silent run on the CPU.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: The name is none of these.
        DeviceError: There is no such CUDA device.
    """
    check_device_name(name)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise DeviceError(
                f"--device {name}: PyTorch finds {count} CUDA devices on this machine; "
                "use --device cpu, or install a CUDA build of torch and its driver"
            )
    return device


def effective_precision(asked: Precision, device: torch.device) -> Precision:
    """Return the precision to use: ``"bf16"`` only where it is not slower than ``"32"``.

    On processors without AVX-512, PyTorch's bfloat16 arithmetic is hundreds of times slower than
    single precision.

    Args:
        asked: The precision that the recipe asks for.
        device: The device that the networks run on.
    """
    slow = device.type == "cpu" and torch.backends.cpu.get_cpu_capability() in {"NO AVX", "AVX2"}
    return "32" if slow else asked

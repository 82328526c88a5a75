"""The device that the networks run on; PyTorch is imported only where it has to be asked."""

from __future__ import annotations

import contextlib
import ctypes
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enhance_cli.config.training import Precision
from enhance_cli.errors import DeviceError, EnhanceError, UsageError

if TYPE_CHECKING:
    import torch

_NAMES = re.compile(r"auto|cpu|cuda(:\d+)?|mps")


def refuse_unusable_device(name: str) -> None:
    """Refuse a name that is not a device's, and a GPU that is not there.

    PyTorch is asked, and imported for it, about a GPU that the user has named.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Raises:
        UsageError: The name is none of these.
        DeviceError: There is no such device.
    """
    _check_name(name)
    if name not in {"auto", "cpu"}:
        choose_device(name)


def choose_device(name: str) -> str:
    """Choose a device by its name. PyTorch is asked, and imported for it, only about a GPU.

    ``auto`` uses CUDA if it is available, else the CPU. It never picks ``mps``, Apple's GPU, on
    which nothing has been tested. If a GPU is asked for and not available, that is an error, never
    a silent run on the CPU.

    Args:
        name: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

    Returns:
        The same, but for ``auto``: ``cuda`` or ``cpu``.

    Raises:
        UsageError: The name is none of these.
        DeviceError: There is no such device.
        EnhanceError: PyTorch has to be asked, and cannot be loaded.
    """
    _check_name(name)
    if name == "cpu" or (name == "auto" and not _may_have_gpu()):
        return "cpu"
    with unloadable_torch_reported():
        import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise DeviceError(
                f"--device {name}: PyTorch finds {count} CUDA devices on this machine; "
                "use --device cpu, or install a CUDA build of torch and its driver"
            )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceError(
            "--device mps: PyTorch finds no Apple GPU on this machine; use --device cpu, or macOS "
            "14 or later on a Mac with Apple silicon"
        )
    return name


@contextlib.contextmanager
def unloadable_torch_reported() -> Generator[None]:
    """Around an import of PyTorch: say what to do if the system cannot load its libraries.

    Raises:
        EnhanceError: PyTorch cannot be loaded.
    """
    try:
        yield
    except (ImportError, OSError) as problem:
        said = " ".join(str(problem).split())
        raise EnhanceError(
            f"PyTorch cannot be loaded: {said}; run: pip install --force-reinstall torch"
        ) from problem


def pick_device(name: str) -> torch.device:
    """Choose a device, see :func:`choose_device`, as PyTorch's object."""
    import torch

    return torch.device(choose_device(name))


def _may_have_gpu() -> bool:
    """Whether this machine has a driver for GPUs that PyTorch calls ``cuda``: NVIDIA's or AMD's."""
    if Path("/dev/kfd").exists():
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def effective_precision(asked: Precision, device: torch.device) -> Precision:
    """Return the precision to use: ``"bf16"`` only where it is not slower than ``"32"``.

    Processors that cannot multiply in bfloat16 convert all numbers back and forth: training took
    1.5 times as long with AVX-512 alone, and hundreds of times without. On Apple's GPUs, nobody has
    measured it.

    Args:
        asked: The precision that the recipe asks for.
        device: The device that the networks run on.
    """
    slow = device.type == "mps" or (device.type == "cpu" and not _processor_has_bfloat16())
    return "32" if slow else asked


def _processor_has_bfloat16() -> bool:
    import torch

    found: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # since PyTorch 2.11
    return any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _check_name(name: str) -> None:
    if not _NAMES.fullmatch(name):
        raise UsageError(f"--device {name}: not a device; use auto, cpu, cuda, cuda:N or mps")

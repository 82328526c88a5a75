"""Names of devices. Whether there is such a device, PyTorch alone can tell."""

from __future__ import annotations

import re

from enhance_cli.errors import UsageError

_NAMES = re.compile(r"auto|cpu|cuda(:\d+)?")


def check_device_name(name: str) -> None:
    """Refuse what is not the name of a device.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: It is none of these.
    """
    if not _NAMES.fullmatch(name):
        raise UsageError(f"--device {name}: not a device; use auto, cpu, cuda or cuda:N")


def may_be_missing(name: str) -> bool:
    """Whether a run on this device can fail for lack of it: on a GPU that was asked for by name."""
    return name not in {"auto", "cpu"}

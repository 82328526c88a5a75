"""Python's garbage collector, which examines what will never be garbage."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator


@contextlib.contextmanager
def garbage_left_alone() -> Generator[None]:
    """Import without Python's garbage collector.

    It would look at a million objects again and again: a sixth of the time of importing PyTorch.
    They are not frozen afterwards: earlier runs that wait to be collected would stay for ever.
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()

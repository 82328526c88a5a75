"""The C library's memory, of which a run should hold no more than it uses."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Parameters of ``mallopt`` (malloc.h)."""

LARGE = 2**24
"""Bytes from which freed memory is given back. JPEG files, and what is decoded for 500 px, take
less and are reused: to get memory from the system takes longer than to fill it."""


def return_freed_memory() -> None:
    """Give large blocks of memory back to the system when they are freed.

    By default, glibc keeps blocks of up to 32 MB, and keeps them separately for each thread. That
    adds up to a tenth of the memory of a run. Other C libraries are left as they are.
    """
    if (mallopt := _function("mallopt")) is None:
        return
    mallopt(M_MMAP_THRESHOLD, LARGE)
    mallopt(M_TRIM_THRESHOLD, LARGE)
    mallopt(M_ARENA_MAX, 1)


def return_holes() -> None:
    """Give memory back that lies freed between what is in use, as after loading weights."""
    if (malloc_trim := _function("malloc_trim")) is not None:
        malloc_trim(0)


def _function(name: str) -> Callable[..., int] | None:
    """A function of glibc; None with other C libraries."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return None

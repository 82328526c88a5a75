"""The C library's memory, of which a run should hold no more than it uses."""

from __future__ import annotations

import ctypes

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
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return
    mallopt(M_MMAP_THRESHOLD, LARGE)
    mallopt(M_TRIM_THRESHOLD, LARGE)
    mallopt(M_ARENA_MAX, 1)

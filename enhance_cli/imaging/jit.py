"""Loops over pixels, compiled by Numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

Function = Callable[..., Any]


def jit(**options: Any) -> Callable[[Function], Function]:
    """JIT-compile a function at its first call; cache the result on disk if possible.

    The compiled function releases the GIL and divides as NumPy does.

    Args:
        options: Options of ``numba.njit``.
    """
    chosen = {"nogil": True, "error_model": "numpy", **options}

    def decorate(function: Function) -> Function:
        try:
            return numba.njit(cache=True, **chosen)(function)
        except RuntimeError:  # neither the package's folder nor the user's cache can be written
            return numba.njit(**chosen)(function)

    return decorate

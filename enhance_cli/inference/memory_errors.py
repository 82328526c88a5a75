"""Lack of memory, which NumPy and PyTorch report in their own ways."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from enhance_cli.errors import EnhanceError, RetouchError


@contextlib.contextmanager
def memory_errors_reported(error: EnhanceError | None = None) -> Generator[None]:
    """Translate the errors that NumPy and PyTorch raise for lack of memory.

    Args:
        error: What is raised in their place; None is a RetouchError.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as problem:
        if not isinstance(problem, MemoryError) and "allocate" not in str(problem):
            raise
        raise error or RetouchError("too large for this machine's memory") from problem

"""The memory that is free, for which photos that are processed side by side compete."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

_CONTROL_GROUPS = tuple(
    tuple(Path("/sys/fs/cgroup", name) for name in names)
    for names in (
        ("memory.max", "memory.current", "memory.stat"),
        (
            "memory/memory.limit_in_bytes",
            "memory/memory.usage_in_bytes",
            "memory/memory.stat",
        ),
    )
)
"""Limit, use and statistics of a container's memory, in both versions of Linux's control groups."""


def available_memory() -> int:
    """Bytes of memory that this process can still get, of the machine's or of its container's."""
    import psutil  # late, since most runs of other commands never ask

    free = [psutil.virtual_memory().available]
    for limit, used, cache in _CONTROL_GROUPS:
        with contextlib.suppress(OSError, ValueError):  # "max" is none
            in_use = int(used.read_text()) - _inactive_cache(cache)
            free.append(int(limit.read_text()) - in_use)
    return max(0, min(free))


def _inactive_cache(statistics: Path) -> int:
    """Bytes of files in memory that a group gives up when it needs them."""
    found = re.search(r"^(?:total_)?inactive_file (\d+)$", statistics.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0

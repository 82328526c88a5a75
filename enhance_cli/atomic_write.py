"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Generator
from pathlib import Path

TEMPORARY_NAME = r"\.[0-9a-f]{12}\.part"
"""Names of files that are being written, as a regular expression."""


def temporary_path(path: Path) -> Path:
    """A hidden path beside ``path`` that no other process uses."""
    # Short, so that a name at the file system's limit can still be written.
    return path.with_name(f".{uuid.uuid4().hex[:12]}.part")


@contextlib.contextmanager
def atomic_write(path: Path) -> Generator[Path]:
    """Give a temporary path beside ``path`` to write to, and rename it at the end of the context.

    If anything goes wrong, Ctrl-C included, ``path`` stays as it was and nothing is left behind.

    Args:
        path: The file; missing folders are created.

    Raises:
        OSError: A folder cannot be created, or the file cannot be renamed.
    """
    temporary = temporary_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):  # an unwritable folder has been reported already
            temporary.unlink(missing_ok=True)

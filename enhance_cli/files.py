"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

UNFINISHED = r"\.[0-9a-f]{12}\.part"
"""Names of files that are being written, as a regular expression."""


def new_unfinished(path: Path) -> Path:
    """A hidden path beside ``path`` that nobody else writes to."""
    # Short, so that a name at the file system's limit can still be written.
    return path.with_name(f".{uuid.uuid4().hex[:12]}.part")


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a hidden path beside ``path`` to write to, and rename it when that is done.

    Whatever goes wrong meanwhile, Ctrl-C included, ``path`` stays as it was and nothing is left.

    Args:
        path: Where the file is to appear; folders are made.

    Raises:
        OSError: A folder cannot be made, or the file not be renamed.
    """
    unfinished = new_unfinished(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        with contextlib.suppress(OSError):  # a folder that cannot be written has been told of
            unfinished.unlink(missing_ok=True)

"""Temporary folders of workers; those that killed workers have left are removed by the next one.

Whoever has such a folder holds a lock on a file in it until it ends, however that happens. So a
folder whose lock is free is nobody's; one without a lock is left alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PREFIX = "enhance-"
"""How the names of temporary files and folders begin."""

JOURNAL = f"{PREFIX}journal-"
"""How the names of journals begin, see :mod:`enhance_cli.cloud.cluster.journal`."""

_TEMPORARY = re.compile(rf"{JOURNAL}.*|{PREFIX}.*\.part|{PREFIX}[0-9a-f]{{64}}\.safetensors")
"""Names of files that are removed when they are old: the last are weights sent to a node."""

_LOCK = "lock"

_OLD = 24 * 60 * 60
"""Seconds after their last use in which files stay that others may want to read."""


class ScratchFolder:
    """A temporary folder of this process.

    Attributes:
        path: The folder.
    """

    def __init__(self) -> None:
        remove_orphans()
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        unnamed = self.path / f"{_LOCK}.new"
        self._lock = os.open(unnamed, os.O_RDWR | os.O_CREAT)
        if try_to_lock(self._lock):
            unnamed.rename(self.path / _LOCK)  # only now may others ask for it

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # if it was removed before
            os.close(self._lock)


def try_to_lock(file: int) -> bool:
    """Lock a file for this process until it is closed; False if somebody has, or nobody can."""
    if fcntl is None:
        return False
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def remove_orphans() -> None:
    """Remove what processes have left in the temporary folder that are gone."""
    for path, state in _own(Path(tempfile.gettempdir())):
        if stat.S_ISDIR(state.st_mode):
            with _orphan(path / _LOCK) as is_orphan:
                if is_orphan:
                    shutil.rmtree(path, ignore_errors=True)
        elif _TEMPORARY.fullmatch(path.name):
            with _orphan(path) as is_orphan, contextlib.suppress(OSError):
                if is_orphan and state.st_mtime < time.time() - _OLD:
                    path.unlink()


def _own(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Files and folders of this user that may be orphans; links are none."""
    owner = getattr(os, "getuid", lambda: 0)()
    with contextlib.suppress(OSError):
        for path in sorted(folder.glob(f"{PREFIX}*")):
            with contextlib.suppress(OSError):
                state = path.lstat()
                if state.st_uid == owner and not stat.S_ISLNK(state.st_mode):
                    yield path, state


@contextlib.contextmanager
def _orphan(lock: Path) -> Iterator[bool]:
    """Whether nobody holds a lock; if so, it is held as long as the context lasts."""
    try:
        file = os.open(lock, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        yield False
        return
    try:
        yield try_to_lock(file) and os.fstat(file).st_nlink > 0
    finally:
        os.close(file)

"""Waits for something to change in folders: told by the system, or by looking now and then."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Generator, Iterable
from pathlib import Path

from enhance_cli.atomic_write import Identity, identity
from enhance_cli.imaging.codecs.formats import PHOTOS

HEARTBEAT = 60.0
"""Seconds after which folders are looked at although the system has told of no change."""

_GLANCE = 1.0
"""Seconds between two glances at whether the folders themselves are still the same."""

_STEP, _DEBOUNCE = 200, 400
"""Milliseconds between two looks at what the system has told, and for which it is gathered."""

_MOUNTS = Path("/proc/self/mountinfo")

_REMOTE = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fakeowner", "gfs2", "glusterfs",
    "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf",
    "virtiofs", "vmhgfs",
})  # fmt: skip
"""File systems on which other machines change files, of which the system here is told nothing."""

_LOCAL_FUSE = frozenset({"fuse.mergerfs", "fuse.bindfs", "fuse.gocryptfs", "fuse.encfs"})
"""File systems in a program of their own that keep their files on this machine."""


class Changes:
    """Waits for changes in folders.

    Args:
        folders: The folders, with all that is below them.
        ignored: Folders in which changes do not count.
        every: Seconds between two looks if the system tells nothing.
        poll: Whether not to ask the system.

    Attributes:
        polls: Whether folders are looked at now and then, since the system tells nothing.
    """

    def __init__(
        self, folders: Iterable[Path], ignored: Iterable[Path], every: float, poll: bool
    ) -> None:
        self._folders = [Path(os.path.realpath(folder)) for folder in folders]
        self._ignored = tuple(Path(os.path.realpath(folder)) for folder in ignored)
        self._every = every
        self.polls = poll or any(map(is_remote, self._folders))
        self._problem: str | None = None
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._watched: list[Identity | None] = []
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    @contextlib.contextmanager
    def opened(self) -> Generator[None]:
        """Ask the system to tell of changes, for as long as a context lasts."""
        try:
            self._start()
            yield
        finally:
            self._end()

    @property
    def every(self) -> float:
        """Seconds after which the folders are to be looked at, even if nothing was told."""
        return self._every if self.polls or self._thread is None else HEARTBEAT

    def take_problem(self) -> str | None:
        """Why the system tells nothing any more although it was asked to; told once."""
        problem, self._problem = self._problem, None
        return problem and (
            f"the system tells nothing of new files ({problem}); looking for them every "
            f"{self._every:g} s"
        )

    def wait(self, seconds: float) -> None:
        """Wait for a change, for :meth:`wake`, or until a time is over."""
        until = time.monotonic() + seconds
        while not self._follow() and (rest := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                self._woken.get(timeout=min(rest, _GLANCE))
                return

    def wake(self) -> None:
        """End the waiting; may be called by other threads, and while a signal is handled."""
        if self._woken.empty():
            self._woken.put(None)

    def _follow(self) -> bool:
        """Ask the system again if a folder has gone, or has come back; whether one has."""
        if self.polls or self._watched == [identity(folder) for folder in self._folders]:
            return False
        self._end()
        self._start()
        return True

    def _start(self) -> None:
        self._watched = [identity(folder) for folder in self._folders]
        if self.polls or None in self._watched:
            return
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(self._ending,), daemon=True)
        self._thread.start()

    def _end(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None

    def _listen(self, ending: threading.Event) -> None:
        """Wake whoever waits at each change, until the end."""
        try:
            from watchfiles import Change, watch

            changes = watch(
                *self._folders,
                watch_filter=lambda change, path: self._counts(change == Change.modified, path),
                stop_event=ending,
                step=_STEP,
                debounce=_DEBOUNCE,
                ignore_permission_denied=True,
            )
            for _ in changes:
                self.wake()
        # The library raises whatever the system answers, such as that there are too many folders.
        except Exception as problem:
            if all(map(identity, self._folders)):
                self._problem = " ".join(str(problem).split()) or type(problem).__name__
                self.polls = True
            self.wake()

    def _counts(self, is_modified: bool, changed: str) -> bool:
        """Whether a change may concern a photo; whatever comes or goes may be a folder of them."""
        path = Path(changed)
        no_photo = is_modified and path.suffix.lower() not in PHOTOS
        if path.name.startswith(".") or no_photo:
            return False
        return not any(path == folder or folder in path.parents for folder in self._ignored)


def is_remote(folder: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether a folder is on a network drive, or shared with a machine around this one.

    Args:
        folder: The folder, as ``os.path.realpath`` gives it.
        mounts: The file in which Linux lists what is mounted where; other systems have none.
    """
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return False
    longest, kind = -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, types = before.split(), after.split()
        if len(fields) < 5 or not types:
            continue
        point = Path(fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
        above = point == folder or point in folder.parents
        if above and len(point.parts) >= longest:  # of two at one place, the later one is seen
            longest, kind = len(point.parts), types[0]
    return kind in _REMOTE or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE)

"""Files that appear whole or not at all, and only where they may."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import uuid
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_TRIES = 8
"""How often a temporary file is created while other processes create the same."""

TEMPORARY_NAME = r"\.[0-9a-f]{12}\.part"
"""Names of files that are being written, as a regular expression."""

Identity = tuple[int, int]
"""Device and inode, which are the same for a file or folder under all of its names."""

_NO_HARD_LINKS = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}
)
"""What systems and disks without hard links answer."""


def identity(path: Path) -> Identity | None:
    """Identity of a file or folder, through links; None if there is none."""
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def why_missing(path: Path, usual: str) -> str:
    """Why a path does not lead to a file, or to a folder, if it was to lead to one; in words.

    Args:
        path: The path. Pathlib's own questions raise errors for a name that is too long, and for
            one in a folder that may not be entered; those of ``os.path`` answer with no.
        usual: What to say if it simply does not exist.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return usual
    except OSError as problem:
        return f"cannot be reached: {problem.strerror}"
    if stat.S_ISDIR(mode):
        return "is a folder, not a file"
    return "is a file, not a folder" if stat.S_ISREG(mode) else usual


def remedy(problem: OSError, other_place: str) -> str:
    """What to do about a file that cannot be written, in words.

    Args:
        problem: What the system has answered.
        other_place: How to choose another place, in words.
    """
    is_full = problem.errno in {errno.ENOSPC, errno.EDQUOT}
    return f"free some space, or {other_place}" if is_full else other_place


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, as far as they are missing.

    Raises:
        OSError: Something else is in the place of one, or one cannot be made.
    """
    _nearest_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)


def rehearse_folder(folder: Path) -> Path:
    """Raise what would keep files from being written into a folder; nothing is made.

    Args:
        folder: The folder, which may be missing as long as it can be made.

    Returns:
        It, or the nearest one above it that is there.

    Raises:
        OSError: It cannot be made, or may not be written to.
    """
    there = _nearest_folder(folder)
    if not os.access(there, os.W_OK | os.X_OK):
        raise _denial(there)
    return there


def rehearse_new_file(path: Path) -> None:
    """Raise what would keep a file from being written; nothing is made.

    Raises:
        OSError: Its folder cannot be made or written to, or does not take such a name.
    """
    there = rehearse_folder(path.parent)
    with contextlib.suppress(FileNotFoundError):
        (there / path.name).lstat()


def rehearse_file(path: Path) -> None:
    """Raise what would keep a file from being read and written again; a missing one is none.

    Raises:
        OSError: The permissions of the file, or its disk, do not allow it.
    """
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise _denial(path)


def _denial(path: Path) -> OSError:
    number = errno.EACCES
    if hasattr(os, "statvfs") and os.statvfs(path).f_flag & os.ST_RDONLY:
        number = errno.EROFS
    return OSError(number, os.strerror(number), str(path))


def _nearest_folder(folder: Path) -> Path:
    """A folder, or the nearest one above it that is there.

    Raises:
        OSError: Something else is in the place of one of them.
    """
    for place in (folder, *folder.parents):
        try:
            state = place.stat()
        except FileNotFoundError:
            if place.is_symlink():
                raise OSError(errno.ENOENT, "a link that leads nowhere", str(place)) from None
            continue
        if not stat.S_ISDIR(state.st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
        return place
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))


@dataclass(frozen=True)
class FileSignature:
    """Size and modification time, to detect changes.

    Attributes:
        size: Bytes.
        modified: Time in ns.
        inode: Number of the inode, which tells two files of equal size and time apart; None if it
            is not known. It does not count when signatures are compared.
    """

    size: int
    modified: int
    inode: int | None = field(default=None, compare=False)

    @classmethod
    def of(cls, path: Path) -> FileSignature | None:
        """The signature of a file, through links; None if it does not exist."""
        try:
            state = path.stat()
        except OSError:
            return None
        return cls(state.st_size, state.st_mtime_ns, state.st_ino)

    def may_be_another(self, other: FileSignature | None) -> bool:
        """Whether two equal signatures are known to be of two files."""
        return (
            other is not None
            and None not in (self.inode, other.inode)
            and self.inode != other.inode
        )


class Publisher:
    """Puts a finished file into its place, where it replaces any other.

    Attributes:
        mode: Permissions of the file while it is written, before the umask.
    """

    mode = 0o666

    def temporary_path(self, path: Path) -> Path:
        """A hidden path beside ``path`` that no other process uses.

        It is the same each time, so that what a killed process left there is removed by the next
        write; another one if a process is writing to it.
        """
        # Short, so that a name at the file system's limit can still be written.
        usual = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}.part")
        if fcntl is not None and (not os.path.lexists(usual) or _remove_abandoned(usual)):
            return usual
        return path.with_name(f".{uuid.uuid4().hex[:12]}.part")

    def publish(self, temporary: Path, path: Path) -> None:
        """Rename the finished file.

        Raises:
            OSError: It cannot be renamed.
        """
        make_durable(temporary)
        temporary.replace(path)


class KeepOthers(Publisher):
    """Puts a finished file into its place unless another one has come there.

    Args:
        expected: The file that may be replaced, as it was; None if there was none.
    """

    def __init__(self, expected: FileSignature | None) -> None:
        self._expected = expected

    def publish(self, temporary: Path, path: Path) -> None:
        """Rename the finished file.

        Raises:
            FileExistsError: Another file is in its place, or it was changed.
            OSError: It cannot be renamed.
        """
        make_durable(temporary)
        if self._expected is None:
            rename_to_free_path(temporary, path)
        elif FileSignature.of(path) in (self._expected, None):
            temporary.replace(path)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


ANYTHING = Publisher()
"""Replaces whatever is in a file's place: for files that are known to be this program's own."""


def make_durable(path: Path, permissions: int | None = None) -> None:
    """Wait until a file's content is on the disk, so that no crash can empty it afterwards.

    Args:
        path: The file.
        permissions: Permissions to give it before; None leaves them.

    Raises:
        OSError: The content cannot be written to the disk.
    """
    file = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        if permissions is not None:
            with contextlib.suppress(OSError):  # a disk that knows none
                path.chmod(permissions)
        os.fsync(file)
    except OSError as problem:
        if problem.errno not in {errno.EINVAL, errno.ENOTSUP}:  # a file system without it
            raise
    finally:
        os.close(file)


def rename_to_free_path(temporary: Path, path: Path) -> None:
    """Rename a file to a path where nothing is, not even a dangling link.

    Raises:
        FileExistsError: Something is there.
        OSError: The file cannot be renamed.
    """
    try:
        os.link(temporary, path)  # unlike a rename, it never replaces anything
    except FileExistsError:
        if identity(temporary) != identity(path):  # a network drive may repeat what was done
            raise
    except OSError as problem:
        if problem.errno not in _NO_HARD_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from problem
        temporary.rename(path)
        return
    temporary.unlink()


def open_own_file(path: Path, flags: int) -> int:
    """Open a file that must be this program's own; neither links nor pipes are followed.

    Args:
        path: The file.
        flags: Flags of ``os.open``.

    Returns:
        The file descriptor.

    Raises:
        OSError: It cannot be opened, or it is no ordinary file.
    """
    careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    file = os.open(path, flags | careful | getattr(os, "O_BINARY", 0), 0o666)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "no ordinary file", str(path))
    return file


@contextlib.contextmanager
def atomic_write(path: Path, publisher: Publisher = ANYTHING) -> Generator[Path]:
    """Give a temporary path beside ``path`` to write to, and publish it at the end of the context.

    If anything goes wrong, Ctrl-C included, ``path`` stays as it was and nothing is left behind.

    Args:
        path: The file; missing folders are created.
        publisher: Decides whether a file that is there may be replaced.

    Raises:
        OSError: A folder cannot be created, or the file cannot be published.
    """
    make_folder(path.parent)
    temporary, file = _create_temporary(path, publisher)
    try:
        yield temporary
        publisher.publish(temporary, path)
    except BaseException:
        if _is_own(temporary, file):
            with contextlib.suppress(OSError):  # an unwritable folder has been reported already
                temporary.unlink(missing_ok=True)
        raise
    finally:
        if file is not None:
            os.close(file)


def _create_temporary(path: Path, publisher: Publisher) -> tuple[Path, int | None]:
    """Create a temporary file, and lock it where that is possible.

    Returns:
        Its path, and the file descriptor that holds the lock; None on a system without such locks,
        where an open file could not be renamed either.
    """
    for tries_left in reversed(range(_TRIES)):
        temporary = publisher.temporary_path(path)
        try:
            file = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, publisher.mode)
        except FileExistsError:  # another process was faster
            if not tries_left:
                raise
            continue
        if fcntl is None:
            os.close(file)
            return temporary, None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another process takes it for abandoned, and removes it
            os.close(file)
            continue
        except OSError:  # a network drive without locks, where nothing is taken for abandoned
            return temporary, file
        if _is_own(temporary, file):
            return temporary, file
        os.close(file)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _is_own(temporary: Path, file: int | None) -> bool:
    """Whether a temporary file is the one that this process has open."""
    if file is None:
        return True
    state = os.fstat(file)
    return identity(temporary) == (state.st_dev, state.st_ino)


def _remove_abandoned(temporary: Path) -> bool:
    """Remove a temporary file that no process is writing; whether it was one."""
    if fcntl is None:
        return False
    try:
        file = open_own_file(temporary, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_own(temporary, file):  # it was put into its place, and another one begun
            return False
        temporary.unlink(missing_ok=True)
    except OSError:  # locked, or on a drive or in a folder that does not allow it
        return False
    finally:
        os.close(file)
    return True

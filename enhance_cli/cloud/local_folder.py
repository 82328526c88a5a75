"""A folder on a disk as a store."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from heapq import nsmallest
from pathlib import Path

from enhance_cli.atomic_write import (
    FileSignature,
    Publisher,
    atomic_write,
    make_durable,
    rehearse_folder,
    rename_to_free_path,
)
from enhance_cli.cloud.stores import StoredObject
from enhance_cli.errors import OutputError, PlaceTakenError
from enhance_cli.imaging.codecs.formats import photos_below

_PAGE = 20_000
"""Names that are returned at once; each time, the whole folder is looked through."""


class LocalFolder:
    """A folder on a disk.

    Args:
        folder: The folder.
        url: Its name in messages.

    Attributes:
        folder: The folder.
        warnings: A line for each folder that cannot be read.
        others: Counts files that are no photos by their suffixes.
    """

    is_local = True

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.warnings: list[str] = []
        self.others: Counter[str] = Counter()

    def check(self) -> bool:
        """See :meth:`Store.check`; a missing folder will be made."""
        return os.path.isdir(self.folder)  # noqa: PTH112, no error if it may not be read

    def name(self, key: str) -> str:
        """See :meth:`Store.name`."""
        return f"{self.url}/{key}" if self.url.startswith("file:") else str(self.folder / key)

    def photos(self, without: list[Path], inputs: Collection[Path]) -> Iterator[StoredObject]:
        """The photos, in the order of a run over folders; see :func:`photos_below`."""
        warnings, others = self.warnings, self.others
        for path in photos_below(self.folder, without, warnings, None, others, inputs=inputs):
            found = _stored(path, path.relative_to(self.folder).as_posix())
            if found is not None:
                yield found

    def pages(self, after: str = "", below: str = "") -> Iterator[list[StoredObject]]:
        """See :meth:`Store.pages`."""
        for root, folders, files in os.walk(self.folder / below):
            folders.sort()
            keys = ((Path(root) / name).relative_to(self.folder).as_posix() for name in files)
            page = [_stored(self.folder / key, key) for key in sorted(keys) if key > after]
            yield [found for found in page if found is not None]

    def names_after(self, folder: str, name: str) -> list[str] | None:
        """See :meth:`Store.names_after`; those in subfolders are left out."""
        try:
            with os.scandir(self.folder / folder) as entries:
                return nsmallest(_PAGE, (one.name for one in entries if one.name > name))
        except OSError:
            return None

    def head(self, key: str) -> StoredObject | None:
        """See :meth:`Store.head`."""
        return _stored(self.folder / key, key)

    def heads(self, keys: Sequence[str]) -> dict[str, StoredObject]:
        """See :meth:`Store.heads`; links, folders and other things have no version."""
        found = ((key, _occupant(self.folder / key, key)) for key in keys)
        return {key: stored for key, stored in found if stored is not None}

    def read(self, key: str) -> bytes | None:
        """See :meth:`Store.read`."""
        try:
            return (self.folder / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise _failed(self.name(key), problem) from problem

    def fetch(self, key: str, path: Path) -> StoredObject:
        """See :meth:`Store.fetch`."""
        found = self.head(key)
        if found is None:
            raise FileNotFoundError(key)
        shutil.copy2(self.folder / key, path)
        return found

    def write(self, key: str, content: bytes, create: bool = False) -> bool:
        """See :meth:`Store.write`."""
        path = self.folder / key
        try:
            with atomic_write(path, _Create() if create else Publisher()) as temporary:
                temporary.write_bytes(content)
        except FileExistsError:
            return False
        except OSError as problem:
            raise self._unwritable(problem) from problem
        return True

    def rehearse(self, folder: str) -> None:
        """Raise what would keep a folder below this one from being made; nothing is made.

        Raises:
            OutputError: It cannot be made, or may not be written to.
        """
        try:
            rehearse_folder(self.folder / folder)
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def _unwritable(self, problem: OSError) -> OutputError:
        return _failed(f"--out {self.url}", problem)

    def put(
        self,
        key: str,
        path: Path,
        present: StoredObject | None,
        overwrite: bool,
        label: str,  # noqa: ARG002
        before: Callable[[str], None],
    ) -> str:
        """See :meth:`Store.put`; permissions and times are those of the file."""
        from enhance_cli.imaging.codecs.encode import write_errors_reported  # late: reads codecs

        place = self.folder / key
        publisher = _Publish(path, present, overwrite, before)
        with write_errors_reported(place):
            try:
                with atomic_write(place, publisher) as temporary:
                    shutil.copyfile(path, temporary)
            except FileExistsError as problem:
                raise PlaceTakenError(
                    f"{self.name(key)}: a file is there that enhance did not write; it was left "
                    "as it is"
                ) from problem
        return publisher.version

    def label(self, key: str) -> str | None:  # noqa: ARG002
        """See :meth:`Store.label`; a disk keeps none."""
        return None

    def delete(self, keys: list[str]) -> None:
        """See :meth:`Store.delete`; subfolders that become empty are removed as well."""
        for key in keys:
            path = self.folder / key
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
                for folder in path.parents:
                    if folder == self.folder:
                        break
                    folder.rmdir()  # ends this at one that is not empty


class _Create(Publisher):
    """Puts a file only where none is."""

    def publish(self, temporary: Path, path: Path) -> None:
        make_durable(temporary)
        rename_to_free_path(temporary, path)


class _Publish(Publisher):
    """Puts a copy of a result into its place, with its permissions and times."""

    mode = 0o600

    def __init__(
        self,
        source: Path,
        present: StoredObject | None,
        overwrite: bool,
        before: Callable[[str], None],
    ) -> None:
        self._source, self._present, self._before = source, present, before
        self._overwrite = overwrite
        self.version = ""

    def publish(self, temporary: Path, path: Path) -> None:
        state = self._source.stat()
        make_durable(temporary, stat.S_IMODE(state.st_mode))
        with contextlib.suppress(OSError):  # a disk that keeps none
            os.utime(temporary, ns=(state.st_atime_ns, state.st_mtime_ns))
        self.version = _version(temporary.stat())
        now = _occupant(path, "")
        replaced = now is not None and now.version and self._present is not None
        replaced = replaced and now.version == self._present.version  # pyright: ignore[reportOptionalMemberAccess]
        if not (now is None or replaced or self._overwrite):
            raise FileExistsError(path)
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        self._before(self.version)
        if now is None:
            rename_to_free_path(temporary, path)
        else:
            temporary.replace(path)


def _stored(path: Path, key: str) -> StoredObject | None:
    try:
        state = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(state.st_mode):
        return None
    return StoredObject(key, state.st_size, _version(state), state.st_mtime_ns)


def _occupant(path: Path, key: str) -> StoredObject | None:
    """What is in a place; without a version unless it is a file, and no link to one."""
    try:
        state = path.lstat()
    except OSError:
        return None
    if stat.S_ISREG(state.st_mode):
        return _stored(path, key)
    return StoredObject(key, state.st_size, "", state.st_mtime_ns)


def _version(state: os.stat_result) -> str:
    signature = FileSignature(state.st_size, state.st_mtime_ns)
    return f"{signature.size}-{signature.modified}"


def _failed(place: str, problem: OSError) -> OutputError:
    return OutputError(f"{place}: {problem.strerror or problem}; choose another folder")

"""Where the records of a run lie.

Those of a folder of results lie in it. Those of results beside their photos lie in each of the
photos' folders: so a run over any part of the photos knows the results in it, and the photos may be
moved with them. Those of a single file lie in the user's cache folder: who asks for one file
expects one file. If they are lost, its result is taken for somebody else's, and left alone.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from enhance_cli.batch.manifest import Manifest, fitting
from enhance_cli.batch.unfinished import UnfinishedFiles
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import OutputError
from enhance_cli.run_records import Origin, Record, records_in

try:
    import resource
except ImportError:  # Windows
    resource = None

_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

_FILES_EACH = 2
"""Files that are open for each folder: its records, and their lock."""

_OTHER_FILES = 256
"""Files that a run may have open besides."""


def records_for(config: ApplyConfig, outputs: Iterable[Path]) -> Manifest:
    """The records for the outputs of a run.

    Args:
        config: The run's settings.
        outputs: The paths of the results.
    """
    if config.out is None:
        others = [config.compare, config.lut, config.gallery and config.gallery.parent]
        folders = [path.parent for path in outputs] + [folder for folder in others if folder]
        return FolderRecords(dict.fromkeys(folders))
    if config.name is not None:
        return Manifest(config.out, _home_of(config.out / config.name))
    return _RecordsOfFolder(config.out)


def _home_of(result: Path) -> Path | None:
    """Folder for the records of a single file; None if there is none that can be written."""
    cache = user_cache_path("enhance", appauthor=False)
    there = next((path for path in (cache, *cache.parents) if path.exists()), None)
    if there is None or not os.access(there, os.W_OK):
        return None
    place = Path(os.path.realpath(result.parent), result.name)
    return cache / "results" / hashlib.sha256(os.fsencode(place)).hexdigest()[:24]


class _RecordsOfFolder(Manifest):
    """The records of a folder of results, some of which may have been asked for one by one."""

    def lookup(self, output: Path) -> Record | None:
        """See :meth:`Manifest.lookup`."""
        return super().lookup(output) or fitting(output, _single_records(output))

    def records(self, output: Path) -> list[Record]:
        """See :meth:`Manifest.records`."""
        return super().records(output) or _single_records(output)


def _single_records(output: Path) -> list[Record]:
    home = _home_of(output)
    found = records_in(home) if home is not None else []
    return [record for record in found if record.output == output.name]


class FolderRecords(Manifest):
    """The records of several folders, each of which holds its own.

    Args:
        folders: The folders; those below them belong to the nearest one.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._of: Mapping[Path, Manifest] = {
            folder: Manifest(folder, beside=True) for folder in folders
        }
        first = next(iter(self._of), Path())
        super().__init__(first, beside=True)
        self.unfinished = _UnfinishedFiles(self)

    def of(self, output: Path) -> Manifest:
        """The records of an output's folder."""
        known = (self._of[folder] for folder in output.parents if folder in self._of)
        return next(known, None) or next(iter(self._of.values()))

    @contextmanager
    def locked(self) -> Generator[None]:
        """Lock all folders; one that may not be written fails the photos in it alone.

        Raises:
            OutputError: Another run has locked one, or none can be written to.
        """
        with contextlib.ExitStack() as locks:
            _allow_open_files(_FILES_EACH * len(self._of) + _OTHER_FILES)
            problem: OutputError | None = None
            locked = 0
            for records in self._of.values():
                try:
                    locks.enter_context(records.locked())
                    locked += 1
                except OutputError as error:
                    if getattr(error.__cause__, "errno", None) not in _READ_ONLY:
                        raise
                    problem = error
            if problem is not None and not locked:
                raise problem
            yield

    def read(self) -> None:
        """See :meth:`Manifest.read`."""
        for records in self._of.values():
            records.read()

    def records(self, output: Path) -> list[Record]:
        """See :meth:`Manifest.records`."""
        return self.of(output).records(output)

    def each(self) -> Iterator[tuple[Path, Record]]:
        """See :meth:`Manifest.each`."""
        for records in self._of.values():
            yield from records.each()

    def has_records_below(self, folder: Path) -> bool:
        """See :meth:`Manifest.has_records_below`."""
        return any(records.has_records_below(folder) for records in self._of.values())

    def announce(self, origin: Origin, output: Path, written: Path) -> None:
        """See :meth:`Manifest.announce`."""
        self.of(output).announce(origin, output, written)


class _UnfinishedFiles(UnfinishedFiles):
    """The unfinished files of several folders."""

    def __init__(self, records: FolderRecords) -> None:
        self._records = records

    def temporary_path(self, path: Path) -> Path:
        """See :meth:`UnfinishedFiles.temporary_path`."""
        return self._records.of(path).unfinished.temporary_path(path)


def _allow_open_files(wanted: int) -> None:
    """Let this process have more files open than systems allow at first, up to their limit."""
    if resource is None:
        return
    with contextlib.suppress(OSError, ValueError):
        allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if allowed != resource.RLIM_INFINITY and allowed < wanted:
            more = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(more, allowed), most))

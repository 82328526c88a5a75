"""Where the records of a run lie.

Those of a folder of results lie in it, and so do those of a folder of comparisons or of look-up
tables: so all runs that write into it know what is there. Those of results beside their photos lie
in each of the photos' folders: so a run over any part of the photos knows the results in it, and
the photos may be moved with them. Those of a single file, as of a gallery elsewhere, lie in the
user's cache folder: who asks for one file expects one file. If they are lost, the file is taken for
somebody else's, and left alone.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from enhance_cli.atomic_write import Identity, identity
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
        outputs: The paths of the results, or other paths in their folders.
    """
    results = _of_results(config, outputs)
    others = [
        Manifest(folder, beside=config.out is None, told=f"{option} {folder}")
        for option, folder in side_folders(config)
    ]
    page = config.gallery
    if page is not None and not _are_above(page, [*results, *others]):
        others.append(Manifest(page.parent, _home_of(page), told=f"--gallery {page}"))
    return FolderRecords(results, others) if others or len(results) != 1 else results[0]


def _of_results(config: ApplyConfig, outputs: Iterable[Path]) -> list[Manifest]:
    if config.out is None:
        folders = dict.fromkeys(path.parent for path in outputs)
        return [Manifest(folder, beside=True) for folder in folders]
    if config.name is not None:
        return [Manifest(config.out, _home_of(config.out / config.name))]
    return [_RecordsOfFolder(config.out, told=f"{option_of_results(config)} {config.out}")]


def side_folders(config: ApplyConfig) -> Iterator[tuple[str, Path]]:
    """The folders of files that a run writes besides its results, with the options that ask for it.

    Args:
        config: The run's settings.
    """
    if config.lut is not None and config.pictures:
        yield "--lut", config.lut
    if config.compare is not None:
        yield "--compare", config.compare


def option_of_results(config: ApplyConfig) -> str:
    """The option that names the folder of results, or of the look-up tables in their place.

    Args:
        config: The run's settings.
    """
    return "--out" if config.pictures else "--lut"


def _are_above(path: Path, places: Iterable[Manifest]) -> bool:
    return any(records.folder in path.parents for records in places)


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
        own = super().records(output)
        return fitting(output, own) or fitting(output, self._single(output))

    def records(self, output: Path) -> list[Record]:
        """See :meth:`Manifest.records`."""
        return super().records(output) or self._single(output)

    def _single(self, output: Path) -> list[Record]:
        home = _home_of(output) if self.folder in output.parents else None
        found = records_in(home) if home is not None else []
        return [record for record in found if record.output == output.name]


class FolderRecords(Manifest):
    """The records of several folders, each of which holds its own.

    So all runs that write into a folder know what is in it, whatever else they write.

    Args:
        results: Those of the results.
        others: Those of the folders of other files.
    """

    def __init__(self, results: Sequence[Manifest], others: Sequence[Manifest] = ()) -> None:
        found: dict[Identity | str, Manifest] = {}
        self._of: dict[Path, Manifest] = {}
        for records in (*results, *others):  # a folder may have several names, but has one lock
            key = identity(records.folder) or os.path.realpath(records.folder)
            self._of[records.folder] = found.setdefault(key, records)
        self._each = list(found.values())
        self._results = set(self._each) & set(results)
        first = self._each[0].folder if self._each else Path()
        super().__init__(first, beside=True)
        self.unfinished = _UnfinishedFiles(self)

    def of(self, output: Path) -> Manifest:
        """The records of an output's folder."""
        known = (self._of[folder] for folder in output.parents if folder in self._of)
        return next(known, None) or self._each[0]

    @contextmanager
    def locked(self) -> Generator[None]:
        """Lock all folders; one of results that may not be written fails the photos in it alone.

        Raises:
            OutputError: Another run has locked one, or one cannot be written to.
        """
        with contextlib.ExitStack() as locks:
            _allow_open_files(_FILES_EACH * len(self._each) + _OTHER_FILES)
            self._use_each(lambda records: locks.enter_context(records.locked()))
            yield

    def rehearse(self) -> None:
        """See :meth:`Manifest.rehearse`; as with locks, one of several folders may be missed."""
        self._use_each(lambda records: records.rehearse())

    def _use_each(self, use: Callable[[Manifest], None]) -> None:
        problems: list[OutputError] = []
        for records in self._each:
            try:
                use(records)
            except OutputError as error:
                of_results = records in self._results
                if not of_results or getattr(error.__cause__, "errno", None) not in _READ_ONLY:
                    raise
                problems.append(error)
        if problems and len(problems) == len(self._results):
            raise problems[-1]

    def read(self) -> None:
        """See :meth:`Manifest.read`."""
        for records in self._each:
            records.read()

    def records(self, output: Path) -> list[Record]:
        """See :meth:`Manifest.records`; earlier versions noted all files with the results."""
        own = self.of(output)
        if own in self._results or len(self._results) != 1:
            return own.records(output)
        return [*self._each[0].records(output), *own.records(output)]

    def each(self) -> Iterator[tuple[Path, Record]]:
        """See :meth:`Manifest.each`."""
        for records in self._each:
            yield from records.each()

    def has_records_below(self, folder: Path) -> bool:
        """See :meth:`Manifest.has_records_below`."""
        return any(records.has_records_below(folder) for records in self._each)

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

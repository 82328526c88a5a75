"""Records the files that runs wrote into a folder, and the photos and settings behind them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

import enhance_cli
from enhance_cli.atomic_write import (
    FileSignature,
    Publisher,
    atomic_write,
    make_folder,
    open_own_file,
    rehearse_file,
    rehearse_folder,
    remedy,
)
from enhance_cli.batch.unfinished import LOCK, UnfinishedFiles, relative_key
from enhance_cli.batch.unfinished import NAME as UNFINISHED
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import OutputError
from enhance_cli.run_records import (
    NAME,
    Origin,
    Record,
    content_of,
    line_of,
    parsed,
    records_of_shards,
)

_SUPERSEDED = 64
"""Number of superseded records beyond which they are removed, if they are also the majority."""


class Manifest:
    """Records of an output folder, one line of JSON each.

    A record is written just before its output appears, so that a killed run disowns none. Of
    several for an output, the one that describes the file in its place counts. Only one process at
    a time can lock a folder.

    Args:
        folder: The output folder.
        home: Folder for the records themselves, if they must not be in the output folder.
        beside: Whether the outputs stand among photos.
        told: The option that named the folder, and how it named it, for messages; the folder of
            photos is named by none.

    Attributes:
        folder: The output folder.
        unfinished: The files that are being written.
    """

    def __init__(
        self,
        folder: Path,
        home: Path | None = None,
        beside: bool = False,
        told: str | None = None,
    ) -> None:
        self.folder = folder
        self._home = home or folder
        self._beside = beside
        self._told = told or (str(folder) if beside else f"--out {folder}")
        self._elsewhere = "choose another folder" if told or not beside else "give --out DIR"
        self.unfinished = UnfinishedFiles(self._home)
        self._records: dict[str, list[Record]] = {}
        self._file: int | None = None
        self._torn = False
        self._adding = threading.Lock()

    @contextmanager
    def locked(self) -> Generator[None]:
        """Lock the folder, remove unfinished files of a killed run, and accept new records.

        Raises:
            OutputError: Another run has locked it, or it cannot be written to.
        """
        lock = FileLock(self._home / LOCK, timeout=0)
        try:
            make_folder(self._home)
            _refuse_others_file(self._home / LOCK)
            lock.acquire()
        except Timeout as problem:
            raise OutputError(
                f"{self._told}: another run is writing there; wait for it, or {self._elsewhere}"
            ) from problem
        except OSError as problem:
            raise self._unwritable(problem) from problem
        try:
            self.unfinished.remove()
            self.read_own()
            self._compact()
            self._add_those_of_shards()
            self._file = open_own_file(self._home / NAME, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            yield
        except OSError as problem:
            raise self._unwritable(problem) from problem
        finally:
            if self._file is not None:
                os.close(self._file)
                self.unfinished.forget()
            self._file = None
            lock.release()  # the file stays: if it were removed, two runs could lock one folder

    def rehearse(self) -> None:
        """Raise what would keep a run from locking the folder; nothing is written.

        Raises:
            OutputError: It cannot be written to.
        """
        try:
            _refuse_others_file(self._home / LOCK)
            for path in (self._home / LOCK, self._home / NAME):
                rehearse_file(path)
                if not path.exists():
                    rehearse_folder(self._home)
            self.unfinished.rehearse()
        except OSError as problem:
            raise self._unwritable(problem) from problem

    def lookup(self, output: Path) -> Record | None:
        """The record that describes the file in an output's place, or None."""
        return fitting(output, self.records(output))

    def records(self, output: Path) -> list[Record]:
        """All records of an output, the latest last; none if no run ever wrote it."""
        return self._records.get(self._key(output), [])

    def each(self) -> Iterator[tuple[Path, Record]]:
        """All records, each with the path of its output."""
        for output, records in self._records.items():
            path = self.folder / output
            yield from ((path, record) for record in records)

    def has_records_below(self, folder: Path) -> bool:
        """Whether a run has ever written an output into a folder or its subfolders."""
        key = self._key(folder)
        return any(key == "." or output.startswith(f"{key}/") for output in self._records)

    def add(self, photo: Path, source: FileSignature, output: Path, settings: str) -> None:
        """Record an output that is in its place.

        Args:
            photo: The photo that it was made from.
            source: Signature of the photo before it was read.
            output: The output.
            settings: Digest, see :class:`Origin`.
        """
        self.announce(Origin.of(photo, settings, source), output, output)

    def announce(self, origin: Origin, output: Path, written: Path) -> None:
        """Record an output that is about to appear; called from several threads.

        Args:
            origin: What it was made from.
            output: The output.
            written: The file that is to be renamed to it.

        Raises:
            OSError: The record cannot be written; nothing is recorded.
        """
        state = written.lstat()
        result = FileSignature(state.st_size, state.st_mtime_ns)
        values = {**vars(origin), "output": self._key(output), "beside": self._beside}
        record = Record(**values, result=result, inode=state.st_ino)
        with self._adding:
            if self._file is not None:
                self._append(line_of(record))
            self._records.setdefault(record.output, []).append(record)

    def read(self) -> None:
        """Read the records of earlier runs; those of a locked folder have been read.

        Raises:
            OutputError: The records cannot be read.
        """
        if self._file is None:
            self.read_own()
            self._add_those_of_shards()

    def read_own(self) -> None:
        """Read the records of earlier runs, but for those that parts of runs have noted.

        Raises:
            OutputError: The records cannot be read.
        """
        self._records, self._torn = {}, False
        for folder in dict.fromkeys((self.folder, self._home)):
            try:
                content = content_of(folder)
            except OSError as problem:
                raise self._unwritable(problem) from problem
            self._torn = bool(content) and not content.endswith(b"\n")
            for record in filter(None, map(parsed, content.split(b"\n"))):
                self._records.setdefault(record.output, []).append(record)

    def _add_those_of_shards(self) -> None:
        for record in records_of_shards(self.folder):
            self._records.setdefault(record.output, []).append(record)

    def _append(self, line: bytes) -> None:
        """Append a line, on the disk before this returns; one that fails is ended by the next."""
        assert self._file is not None
        rest = b"\n" * self._torn + line
        self._torn = True
        while rest:
            rest = rest[os.write(self._file, rest) :]
        _sync(self._file)
        self._torn = False

    def _compact(self) -> None:
        """Remove superseded records if there are many, and part from other names of the file."""
        path = self._home / NAME
        superseded = sum(len(records) - 1 for records in self._records.values())
        too_many = superseded > max(_SUPERSEDED, len(self._records))
        if not (too_many or _has_other_names(path)):
            return
        for output, records in self._records.items():
            self._records[output] = [self.lookup(self.folder / output) or records[-1]]
        lines = b"".join(line_of(record) for kept in self._records.values() for record in kept)
        with atomic_write(path, _InRun(self.unfinished)) as temporary:
            temporary.write_bytes(lines)
        self._torn = False

    def _key(self, output: Path) -> str:
        return relative_key(output, self.folder)

    def _unwritable(self, problem: OSError) -> OutputError:
        names = {str(self._home / name): name for name in (NAME, LOCK, UNFINISHED)}
        a_link = problem.errno in {errno.ELOOP, errno.EINVAL} and os.path.isdir(self._home)  # noqa: PTH112
        if a_link and problem.filename in names:
            return OutputError(
                f"{self._told}: {names[problem.filename]} is a link, a pipe or somebody's file; "
                f"move it away, or {self._elsewhere}"
            )
        why, what = str(problem.strerror or problem), remedy(problem, self._elsewhere)
        if self._told == str(self.folder):
            why = f"results cannot be written beside the photos ({why})"
        return OutputError(f"{self._told}: {why}; {what}")


def fitting(output: Path, records: list[Record]) -> Record | None:
    """The last record of an output that describes the file in its place, or None."""
    try:
        state = output.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(state.st_mode):
        return None
    found = FileSignature(state.st_size, state.st_mtime_ns)
    equal = [record for record in records if record.result == found]
    same_inode = [record for record in equal if record.inode == state.st_ino]
    return (same_inode or equal or [None])[-1]


class _InRun(Publisher):
    """Names temporary files so that the next run knows them."""

    def __init__(self, unfinished: UnfinishedFiles) -> None:
        self._unfinished = unfinished

    def temporary_path(self, path: Path) -> Path:
        return self._unfinished.temporary_path(path)


_NO_EFFECT_ON_RESULTS = (
    *("inputs", "out", "name", "suffix", "weights", "device", "on_conflict", "pairs", "exclude"),
    *("lut", "compare", "gallery", "look_files", "given", "jobs", "max_pixels"),
    *("series", "series_gap", "sync_from"),  # what they change is noted photo by photo
)
"""Settings that select photos, devices and folders, but do not change any result."""

_NO_EFFECT_ON_PICTURES = ("lut_format", "lut_size", "pictures")


def settings_digest(config: ApplyConfig, weights: Path) -> str:
    """Digest of everything that affects all results: options, weights, and the program's version.

    What an ``enhance.toml`` changes for some photos is not part of it.

    Args:
        config: The run's settings.
        weights: Its weights file.
    """
    options = asdict(config)
    for name in (*_NO_EFFECT_ON_RESULTS, *(_NO_EFFECT_ON_PICTURES if config.pictures else ())):
        del options[name]
    if config.keep_times:
        del options["keep_times"]  # so that results from before there was a choice stay valid
    if config.dials.are_neutral:
        del options["dials"]  # likewise
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    with weights.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(enhance_cli.__version__.encode())
    return digest.hexdigest()[:16]


def _sync(file: int) -> None:
    try:
        getattr(os, "fdatasync", os.fsync)(file)
    except OSError as problem:
        if problem.errno not in {errno.EINVAL, errno.ENOTSUP}:  # a file system without it
            raise


def _refuse_others_file(path: Path) -> None:
    """Refuse a link or a pipe in the place of the lock, and other names of somebody's file."""
    with contextlib.suppress(FileNotFoundError):
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode) or (state.st_nlink > 1 and state.st_size):
            raise OSError(errno.EINVAL, "not a file of its own", str(path))


def _has_other_names(path: Path) -> bool:
    try:
        return path.lstat().st_nlink > 1
    except OSError:
        return False

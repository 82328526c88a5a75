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
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import Any

from filelock import FileLock, Timeout

import enhance_cli
from enhance_cli.atomic_write import FileSignature, Publisher, atomic_write, open_own_file
from enhance_cli.batch.unfinished import LOCK, UnfinishedFiles, relative_key
from enhance_cli.batch.unfinished import NAME as UNFINISHED
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import OutputError

NAME = ".enhance-run.jsonl"

SHARDS = ".enhance"
"""Folder for what runs over stores, and parts of runs, note; :mod:`enhance_cli.cloud` fills it."""

_SAMPLE = 2**16
"""Bytes at either end of a photo that tell it from others."""

_SUPERSEDED = 64
"""Number of superseded records beyond which they are removed, if they are also the majority."""


_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What something else than a record raises."""


@dataclass(frozen=True)
class Origin:
    """What an output is made from.

    Attributes:
        input: Name of the photo.
        folder: Digest of the path of the photo's folder; the path itself is nobody's business.
        source: Signature of the photo before it was read; None if there is none.
        content: Digest of a sample of the photo's content, by which it is known in another folder;
            None if it could not be read.
        settings: Digest of everything that affects an output: options, weights and version.
    """

    input: str
    folder: str
    source: FileSignature | None
    content: str | None
    settings: str

    @classmethod
    def of(cls, photo: Path, settings: str, source: FileSignature | None = None) -> Origin:
        """What an output is made from, if it is made of this photo now.

        Args:
            photo: The photo.
            settings: Digest of the settings.
            source: Signature of the photo; None takes its present one.
        """
        signature = source or FileSignature.of(photo)
        return cls(photo.name, folder_digest(photo), signature, content_digest(photo), settings)


@dataclass(frozen=True)
class Record(Origin):
    """An output that a run has written, or was about to.

    Attributes:
        output: Path of the output, relative to the output folder.
        result: Signature of the output.
        inode: Number of the output's inode, which tells it from one of equal size and time; None
            if it is not known.
        beside: Whether the output stands among photos, and must not be taken for one.
    """

    output: str
    result: FileSignature
    inode: int | None = None
    beside: bool = False


class Manifest:
    """Records of an output folder, one line of JSON each.

    A record is written just before its output appears, so that a killed run disowns none. Of
    several for an output, the one that describes the file in its place counts. Only one process at
    a time can lock a folder.

    Args:
        folder: The output folder.
        home: Folder for the records themselves, if they must not be in the output folder.
        beside: Whether the outputs stand among photos.

    Attributes:
        folder: The output folder.
        unfinished: The files that are being written.
    """

    def __init__(self, folder: Path, home: Path | None = None, beside: bool = False) -> None:
        self.folder = folder
        self._home = home or folder
        self._beside = beside
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
            self._home.mkdir(parents=True, exist_ok=True)
            _refuse_others_file(self._home / LOCK)
            lock.acquire()
        except Timeout as problem:
            raise OutputError(
                f"{self._told}: another run is writing there; wait for it or choose another folder"
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
                self._append(_line(record))
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
                content = _content(folder)
            except OSError as problem:
                raise self._unwritable(problem) from problem
            self._torn = bool(content) and not content.endswith(b"\n")
            for record in filter(None, map(_parsed, content.split(b"\n"))):
                self._records.setdefault(record.output, []).append(record)

    def _add_those_of_shards(self) -> None:
        for record in _of_shards(self.folder):
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
        lines = b"".join(_line(record) for kept in self._records.values() for record in kept)
        with atomic_write(path, _InRun(self.unfinished)) as temporary:
            temporary.write_bytes(lines)
        self._torn = False

    def _key(self, output: Path) -> str:
        return relative_key(output, self.folder)

    @property
    def _told(self) -> str:
        return f"{'--suffix' if self._beside else '--out'} {self.folder}"

    def _unwritable(self, problem: OSError) -> OutputError:
        names = {str(self._home / name): name for name in (NAME, LOCK, UNFINISHED)}
        if problem.errno in {errno.ELOOP, errno.EINVAL} and problem.filename in names:
            return OutputError(
                f"{self._told}: {names[problem.filename]} is a link, a pipe or somebody's file; "
                "move it away, or choose another folder"
            )
        return OutputError(f"{self._told}: {problem.strerror or problem}; choose another folder")


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


def records_in(folder: Path) -> list[Record]:
    """The records that lie in a folder; none if they cannot be read."""
    try:
        return parse_records(_content(folder))
    except OSError:
        return []


def parse_records(content: bytes) -> list[Record]:
    """The records in a file of them; what is none is passed over."""
    return [record for record in map(_parsed, content.split(b"\n")) if record is not None]


def _content(folder: Path) -> bytes:
    """The records in a folder; none if there are none.

    Raises:
        OSError: They cannot be read.
    """
    try:
        with os.fdopen(open_own_file(folder / NAME, os.O_RDONLY), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _of_shards(folder: Path) -> list[Record]:
    """What parts of runs have noted of results in a folder, the oldest first."""
    noted: list[dict[str, Any]] = []
    for log in (folder / SHARDS).glob("*/done/*/*/*.json"):
        with contextlib.suppress(OSError, *_MALFORMED):
            content = log.read_bytes() if log.is_file() else b"{}"
            noted += (one for one in json.loads(content)["records"] if one.get("version"))
    with contextlib.suppress(*_MALFORMED):
        noted.sort(key=lambda one: float(one.get("ended", 0)))
    return [record for record in map(_of_shard, noted) if record is not None]


def _of_shard(values: dict[str, Any]) -> Record | None:
    """A record from a done log; None for one that describes no file."""
    with contextlib.suppress(*_MALFORMED):
        return _record(
            {
                "input": PurePath(values["input"]).name,
                "folder": values.get("folder", ""),
                "source": _noted(values["source"]),
                "content": values.get("content"),
                "settings": values["settings"],
                "output": values["output"],
                "result": _noted(values["version"]),
            }
        )
    return None


def _noted(version: str) -> dict[str, int] | None:
    """The signature of a file from a done log; None if that is about an object in a store."""
    size, _, modified = version.partition("-")
    with contextlib.suppress(ValueError):
        return {"size": int(size), "modified": int(modified)}
    return None


class _InRun(Publisher):
    """Names temporary files so that the next run knows them."""

    def __init__(self, unfinished: UnfinishedFiles) -> None:
        self._unfinished = unfinished

    def temporary_path(self, path: Path) -> Path:
        return self._unfinished.temporary_path(path)


def folder_digest(photo: Path) -> str:
    """Digest of the path of a photo's folder."""
    folder = os.path.realpath(photo.parent)
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]


def content_digest(photo: Path) -> str | None:
    """Digest of a photo's size and of both ends of its content.

    Returns:
        None if it cannot be read, or is empty: pipes and the system's own files are, and never end.
    """
    digest = hashlib.sha256()
    try:
        if not photo.stat().st_size:
            return None
        with photo.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            digest.update(b"%d " % size)
            for start in (0, max(0, size - _SAMPLE)):
                file.seek(start)
                digest.update(file.read(_SAMPLE))
    except OSError:
        return None
    return digest.hexdigest()[:16]


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


def _line(record: Record) -> bytes:
    """A record in ASCII: names that are not UTF-8, and separators of lines, are escaped."""
    values = asdict(record)
    for signature in (values["source"], values["result"]):
        if signature is not None and signature["inode"] is None:
            del signature["inode"]
    if not record.beside:
        del values["beside"]  # so that earlier versions understand it
    return json.dumps(values).encode("ascii") + b"\n"


def _parsed(line: bytes) -> Record | None:
    """Parse a record; None for a line that a killed run left incomplete, or that is none."""
    try:
        return _record(json.loads(line))
    except _MALFORMED:
        return None


def _record(values: Any) -> Record | None:
    """A record from its values; None, or any error of ``_MALFORMED``, for what is none."""
    values["source"] = values["source"] and _signature(values["source"])
    values["result"] = _signature(values["result"])
    if "folder" not in values:  # an older record, with the path of the photo
        photo = Path(values["input"])
        values |= {"input": photo.name, "folder": folder_digest(photo), "content": None}
    record = Record(**values)
    texts = (record.output, record.input, record.folder, record.settings, record.content or "")
    whole = all(isinstance(text, str) for text in texts)
    whole = whole and isinstance(record.inode, int | None) and isinstance(record.beside, bool)
    return record if whole else None


def _signature(values: dict[str, Any]) -> FileSignature:
    size, modified, inode = values["size"], values["modified"], values.get("inode")
    numbers = isinstance(size, int) and isinstance(modified, int) and isinstance(inode, int | None)
    if not numbers:
        raise TypeError("not a number")
    return FileSignature(size, modified, inode)


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

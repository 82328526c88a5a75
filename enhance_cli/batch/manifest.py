"""Records the results in a folder, and the photos and settings that they were made from."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from filelock import FileLock, Timeout

import enhance_cli
from enhance_cli.atomic_write import TEMPORARY_NAME
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import OutputError

NAME = ".enhance-run.jsonl"
LOCK = ".enhance-run.lock"


@dataclass(frozen=True)
class FileSignature:
    """Size and modification time, to detect changes."""

    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> FileSignature | None:
        """The signature of a file; None if it does not exist."""
        try:
            state = path.stat()
        except OSError:
            return None
        return cls(state.st_size, state.st_mtime_ns)


@dataclass(frozen=True)
class Record:
    """A result that a run has written.

    Attributes:
        output: Path of the result, relative to the output folder.
        input: Absolute path of the photo.
        source: Signature of the photo.
        settings: Digest of everything that affects a result: options, weights and version.
        result: Signature of the result.
    """

    output: str
    input: str
    source: FileSignature
    settings: str
    result: FileSignature


class Manifest:
    """Records of an output folder, one line of JSON each; the last one for an output counts.

    A line is added as soon as a photo is done, so that a killed run loses none. Only one process at
    a time can lock a folder.

    Args:
        folder: The output folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._records: dict[str, Record] = {}
        self._file: TextIO | None = None
        self._adding = threading.Lock()

    @contextmanager
    def locked(self) -> Generator[None]:
        """Lock the folder, remove temporary files of a killed run, and accept new records.

        Raises:
            OutputError: Another run has locked it, or it cannot be written to.
        """
        lock = FileLock(self.folder / LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout as problem:
            raise OutputError(
                f"--out {self.folder}: another run is writing there; wait for it or choose another "
                "folder"
            ) from problem
        except OSError as problem:
            raise _unwritable(self.folder, problem) from problem
        try:
            self._remove_temporary_files()
            with (self.folder / NAME).open("a", encoding="utf-8") as self._file:
                self._end_torn_line(self._file)
                yield
        except OSError as problem:
            raise _unwritable(self.folder, problem) from problem
        finally:
            self._file = None
            lock.release()  # the file stays: if it were removed, two runs could lock one folder

    def lookup(self, output: Path) -> Record | None:
        """The record of a result, or None."""
        return self._records.get(self._key(output))

    def add(self, photo: Path, source: FileSignature, output: Path, settings: str) -> None:
        """Record a result that has just been written; called from several threads.

        Args:
            photo: The photo that it was made from.
            source: Signature of the photo before it was read.
            output: The result.
            settings: Digest, see :class:`Record`.
        """
        result = FileSignature.of(output)
        if result is None or self._file is None:
            return
        record = Record(self._key(output), str(photo.resolve()), source, settings, result)
        line = json.dumps(asdict(record), ensure_ascii=False) + "\n"
        with self._adding:
            self._records[record.output] = record
            self._file.write(line)
            self._file.flush()

    def _key(self, output: Path) -> str:
        return output.relative_to(self.folder).as_posix()

    def read(self) -> None:
        """Read the records of earlier runs.

        Raises:
            OutputError: The records cannot be read.
        """
        path = self.folder / NAME
        if not path.exists():
            return
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as problem:
            raise _unwritable(self.folder, problem) from problem
        for line in lines:
            record = _parsed(line)
            if record is not None:
                self._records[record.output] = record

    def _end_torn_line(self, file: TextIO) -> None:
        path = self.folder / NAME
        if path.stat().st_size and not path.read_bytes().endswith(b"\n"):
            file.write("\n")

    def _remove_temporary_files(self) -> None:
        """Remove what a killed run left; no other run writes while the folder is locked."""
        for path in self.folder.rglob(".*"):
            if re.fullmatch(TEMPORARY_NAME, path.name):
                path.unlink(missing_ok=True)


_NO_EFFECT_ON_RESULTS = (
    *("inputs", "out", "weights", "device", "on_conflict", "pairs", "exclude", "max_pixels"),
    *("lut", "compare", "gallery"),
)
"""Settings that select photos, devices and folders, but do not change any result."""

_NO_EFFECT_ON_PICTURES = ("lut_format", "lut_size", "pictures")


def settings_digest(config: ApplyConfig, weights: Path) -> str:
    """Digest of everything that affects a result: options, weights, and the program's version.

    Args:
        config: The run's settings.
        weights: Its weights file.
    """
    options = asdict(config)
    for name in (*_NO_EFFECT_ON_RESULTS, *(_NO_EFFECT_ON_PICTURES if config.pictures else ())):
        del options[name]
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    with weights.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(enhance_cli.__version__.encode())
    return digest.hexdigest()[:16]


def _parsed(line: str) -> Record | None:
    """Parse a record; None for a line that a killed run left incomplete."""
    try:
        values = json.loads(line)
        source, result = (FileSignature(**values.pop(name)) for name in ("source", "result"))
        return Record(**values, source=source, result=result)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _unwritable(folder: Path, problem: OSError) -> OutputError:
    return OutputError(f"--out {folder}: {problem.strerror or problem}; choose another folder")

"""What earlier runs left in a folder of results, and from what."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from filelock import FileLock, Timeout

import enhance_cli
from enhance_cli.config import ApplyConfig
from enhance_cli.errors import OutputError
from enhance_cli.files import UNFINISHED

NAME = ".enhance-run.jsonl"
LOCK = ".enhance-run.lock"


@dataclass(frozen=True)
class Stamp:
    """By which a file is known not to have changed."""

    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> Stamp | None:
        """The stamp of a file; None where it is not there."""
        try:
            state = path.stat()
        except OSError:
            return None
        return cls(state.st_size, state.st_mtime_ns)


@dataclass(frozen=True)
class Record:
    """A result that a run has written.

    Attributes:
        output: Its path below the folder of results.
        input: The photo, absolute.
        source: The photo's stamp.
        settings: Digest of all that shapes a result: options, weights and version.
        result: The result's stamp.
    """

    output: str
    input: str
    source: Stamp
    settings: str
    result: Stamp


class Manifest:
    """Records of a folder of results, one line of JSON each; the last of an output counts.

    Lines are added as photos are done, so a run that is killed loses none. One process at a time
    may hold a folder.

    Args:
        folder: The folder of results.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._records: dict[str, Record] = {}
        self._file: TextIO | None = None
        self._adding = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder: sweep what a killed run left, and take new records.

        Raises:
            OutputError: Another run holds it, or it cannot be written.
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
            self._sweep()
            with (self.folder / NAME).open("a", encoding="utf-8") as self._file:
                self._end_torn_line(self._file)
                yield
        except OSError as problem:
            raise _unwritable(self.folder, problem) from problem
        finally:
            self._file = None
            lock.release()  # its file stays: removing it would let two runs hold one folder

    def of_output(self, output: Path) -> Record | None:
        """What is known of a result."""
        return self._records.get(self._key(output))

    def add(self, photo: Path, source: Stamp, output: Path, settings: str) -> None:
        """Record a result that has just been written; several threads may.

        Args:
            photo: What it was made from.
            source: The photo's stamp from before it was read.
            output: The result.
            settings: See :class:`Record`.
        """
        result = Stamp.of(output)
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
        """Read what earlier runs have recorded.

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

    def _sweep(self) -> None:
        """Remove what a killed run did not finish; with the folder held, nobody is writing."""
        for path in self.folder.rglob(".*"):
            if re.fullmatch(UNFINISHED, path.name):
                path.unlink(missing_ok=True)


_NOT_THE_RESULTS = (
    *("inputs", "out", "weights", "device", "on_conflict", "pairs", "exclude", "max_pixels"),
    *("lut", "compare", "gallery"),
)
"""Settings that say which photos, where and when, but not what becomes of them."""


def settings_digest(config: ApplyConfig, weights: Path) -> str:
    """Digest of all that shapes a result: options, weights, and the version of this program.

    Args:
        config: The run.
        weights: The file that it uses.
    """
    options = asdict(config)
    for name in _NOT_THE_RESULTS:
        del options[name]
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode())
    with weights.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(enhance_cli.__version__.encode())
    return digest.hexdigest()[:16]


def _parsed(line: str) -> Record | None:
    """A record; None for a line that a killed run left half written."""
    try:
        values = json.loads(line)
        source, result = (Stamp(**values.pop(name)) for name in ("source", "result"))
        return Record(**values, source=source, result=result)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _unwritable(folder: Path, problem: OSError) -> OutputError:
    return OutputError(f"--out {folder}: {problem.strerror or problem}; choose another folder")

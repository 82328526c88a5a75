"""A photo from standard input, and a result on standard output.

Photos are read from files, some of them several times and in no order. So what comes from standard
input is put into a file of a private folder, which is removed at the end.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from enhance_cli.atomic_write import Identity, identity
from enhance_cli.cli.apply.destination import STREAM, Destination
from enhance_cli.cli.console import result_errors_reported
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import OutputError, UsageError

if TYPE_CHECKING:
    from enhance_cli.batch.outcome import PhotoOutcome

_ENDING_SIGNALS = ("SIGTERM", "SIGHUP")

_CHUNK = 2**20


def _as_it_is(outcome: PhotoOutcome) -> PhotoOutcome:
    return outcome


@dataclass(frozen=True)
class Streams:
    """A run that may read from standard input and write to standard output.

    Attributes:
        config: Its settings, with files in the place of streams.
        told: Names streams in an outcome in place of the files.
        to_stdout: Whether the result goes to standard output.
        original: The file that standard input reads; None if it is a pipe, or is not read.
    """

    config: ApplyConfig
    told: Callable[[PhotoOutcome], PhotoOutcome] = _as_it_is
    to_stdout: bool = False
    original: Identity | None = None

    def send(self, outcome: PhotoOutcome) -> None:
        """Write a result to standard output.

        Raises:
            OutputError: Standard output is closed or full.
        """
        if self.config.out is None or outcome.error:
            return
        results = (path for path in self.config.out.iterdir() if not path.name.startswith("."))
        with next(results).open("rb") as result, result_errors_reported():
            shutil.copyfileobj(result, sys.stdout.buffer, _CHUNK)


@contextlib.contextmanager
def streams(config: ApplyConfig, place: Destination) -> Generator[Streams]:
    """Put files in the place of streams, for as long as a context lasts.

    Args:
        config: The settings of a run.
        place: Where its photo comes from, and where its result goes.

    Raises:
        UsageError: A stream is a terminal, or closed; or the result would replace the photo.
        OutputError: Standard input cannot be stored.
    """
    if not (place.from_stdin or place.to_stdout):
        yield Streams(config)
        return
    _refuse_terminals(place)
    original = _file_of(sys.stdin) if place.from_stdin else None
    _refuse_replacing(original or identity(config.inputs[0]), config, place)
    with _private_folder() as folder:
        photo = _stored(folder) if place.from_stdin else config.inputs[0]
        if place.from_stdin:
            # No folder of the user's says how it is to be retouched.
            config = replace(config, inputs=(photo,), look_files=False)
        if place.to_stdout:
            config = replace(config, out=folder / "result")

        def told(outcome: PhotoOutcome) -> PhotoOutcome:
            if place.from_stdin:
                outcome = _renamed(outcome, photo)
            return replace(outcome, output=Path(STREAM)) if place.to_stdout else outcome

        yield Streams(config, told, place.to_stdout, original)


def _renamed(outcome: PhotoOutcome, photo: Path) -> PhotoOutcome:
    """An outcome that names standard input in place of the file for it."""
    error = outcome.error and outcome.error.replace(str(photo), "standard input")
    warnings = tuple(line.replace(str(photo), "standard input") for line in outcome.warnings)
    return replace(outcome, input=Path(STREAM), error=error, warnings=warnings)


def _refuse_terminals(place: Destination) -> None:
    if place.from_stdin and (sys.stdin is None or sys.stdin.isatty()):  # pyright: ignore[reportUnnecessaryComparison]
        raise UsageError(
            "-: standard input is no photo, but a terminal or closed; pass one, as in "
            "enhance apply - < photo.jpg"
        )
    if place.to_stdout and sys.stdout is not None and sys.stdout.isatty():  # pyright: ignore[reportUnnecessaryComparison]
        raise UsageError(
            "--out -: standard output is a terminal; pass the result on, as in --out - > result.jpg"
        )


def _file_of(stream: TextIO) -> Identity | None:
    """Identity of the file that a stream is redirected to; None if it is a pipe or the like."""
    try:
        state = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):  # closed, or none of the system's
        return None
    return (state.st_dev, state.st_ino) if stat.S_ISREG(state.st_mode) else None


def _refuse_replacing(original: Identity | None, config: ApplyConfig, place: Destination) -> None:
    """Refuse to write into the very file that holds the photo.

    Raises:
        UsageError: The result would go there.
    """
    if original is None:
        return
    if place.to_stdout and _file_of(sys.stdout) == original:
        raise UsageError("--out -: standard output is the original; choose another file")
    if not place.to_stdout and config.out is not None and config.name is not None:
        result = config.out / config.name
        if identity(result) == original:
            raise UsageError(f"--out would replace the original {result}; choose another name")


def _stored(folder: Path) -> Path:
    """Store what comes from standard input under a name that tells its format.

    Raises:
        OutputError: The disk is full.
    """
    from enhance_cli.imaging.codecs.sniff import suffix_for

    path = folder / "stdin"
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, _CHUNK)
        return path.rename(path.with_suffix(suffix_for(path)))
    except OSError as problem:
        raise OutputError(
            f"standard input: cannot be stored in {folder.parent} ({problem.strerror or problem}); "
            "TMPDIR names another folder"
        ) from problem


@contextlib.contextmanager
def _private_folder() -> Generator[Path]:
    """A folder that nobody else can read, removed at the end, also if the run is told to end."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in _ENDING_SIGNALS if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        with tempfile.TemporaryDirectory(prefix="enhance-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

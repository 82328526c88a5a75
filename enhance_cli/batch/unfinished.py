"""The files that a run is writing, so that the next run can remove what a killed one left."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

from enhance_cli.atomic_write import TEMPORARY_NAME, open_own_file

NAME = ".enhance-run.parts"
"""Exists while a run writes, and after it was killed."""

LOCK = ".enhance-run.lock"
"""Exists in every output folder."""


class UnfinishedFiles:
    """The names of a run's temporary files begin with its number, which is noted before the first.

    Only files with such a name, in a folder that was noted as well, are ever removed: a run into
    another folder, or a person, may have files that look alike.

    Args:
        folder: The output folder; the run has locked it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run = uuid.uuid4().hex[:6]
        self._numbers = itertools.count()
        self._noted: set[Path] = set()
        self._noting = threading.Lock()

    def temporary_path(self, path: Path) -> Path:
        """A path for a file that is to appear at ``path``; called from several threads.

        Raises:
            OSError: Its folder cannot be noted.
        """
        with self._noting:
            number = next(self._numbers)
            if path.parent not in self._noted:
                self._note(path.parent)
                self._noted.add(path.parent)
        return path.with_name(f".{self._run}{number % 16**6:06x}.part")

    def _note(self, folder: Path) -> None:
        line = json.dumps({"run": self._run, "folder": relative_key(folder, self._folder)}) + "\n"
        file = open_own_file(self._folder / NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        with os.fdopen(file, "ab") as notes:
            notes.write(line.encode())

    def remove(self) -> None:
        """Remove the unfinished files of a killed run.

        Raises:
            OSError: The notes are a link or a pipe, or cannot be read.
        """
        for run, folder in self._notes():
            for path in _files_in(folder):
                if re.fullmatch(TEMPORARY_NAME, path.name) and path.name.startswith(f".{run}"):
                    _remove(path)
        for path in self._empty_ones(self._folder):
            _remove(path)
        (self._folder / NAME).unlink(missing_ok=True)

    def rehearse(self) -> None:
        """Raise what :meth:`remove` would raise; nothing is removed.

        Raises:
            OSError: The notes are a link or a pipe, or cannot be read.
        """
        for _ in self._notes():
            pass

    def forget(self) -> None:
        """Remove the notes at the end of a run that left nothing."""
        with contextlib.suppress(OSError):
            (self._folder / NAME).unlink(missing_ok=True)

    def _notes(self) -> Iterator[tuple[str, Path]]:
        try:
            file = open_own_file(self._folder / NAME, os.O_RDONLY)
        except FileNotFoundError:
            return
        with os.fdopen(file, "rb") as notes:
            lines = notes.read().split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError, RecursionError, TypeError, KeyError):
                note = json.loads(line)
                run, folder = note["run"], note["folder"]
                if re.fullmatch("[0-9a-f]{6}", run):
                    yield run, self._folder / folder

    def _empty_ones(self, folder: Path) -> Iterator[Path]:
        """Empty files that look unfinished, which hold nothing of anybody's.

        Those in another run's output folder may be about to be written.
        """
        for root, folders, files in os.walk(folder):
            here = Path(root)
            folders[:] = [name for name in folders if not os.path.lexists(here / name / LOCK)]
            for name in files:
                if re.fullmatch(TEMPORARY_NAME, name) and _is_empty(here / name):
                    yield here / name


def relative_key(path: Path, folder: Path) -> str:
    """A path relative to a folder, with forward slashes; absolute only on another drive."""
    with contextlib.suppress(ValueError):
        return path.relative_to(folder).as_posix()
    with contextlib.suppress(ValueError):
        inside = Path(os.path.realpath(path.parent), path.name)
        return Path(os.path.relpath(inside, os.path.realpath(folder))).as_posix()
    return path.absolute().as_posix()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # a folder that may not be written: it stays
        path.unlink(missing_ok=True)


def _is_empty(path: Path) -> bool:
    try:
        return not path.lstat().st_size
    except OSError:
        return False


def _files_in(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
    except OSError:
        return []

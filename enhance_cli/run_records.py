"""The records of results: what runs note of the files that they write, and how it is read.

They lie in hidden files beside the results, a line of JSON for each, and those of parts of runs in
a hidden folder. Whoever looks for photos reads them, to tell photos from results.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

from enhance_cli.atomic_write import FileSignature, open_own_file

NAME = ".enhance-run.jsonl"

SHARDS = ".enhance"
"""Folder for what runs over stores, and parts of runs, note; :mod:`enhance_cli.cloud` fills it."""

_SAMPLE = 2**16
"""Bytes at either end of a photo that tell it from others."""

MALFORMED = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
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


def records_in(folder: Path) -> list[Record]:
    """The records that lie in a folder; none if they cannot be read."""
    try:
        return parse_records(content_of(folder))
    except OSError:
        return []


def parse_records(content: bytes) -> list[Record]:
    """The records in a file of them; what is none is passed over."""
    return [record for record in map(parsed, content.split(b"\n")) if record is not None]


def content_of(folder: Path) -> bytes:
    """The records in a folder; none if there are none.

    Raises:
        OSError: They cannot be read.
    """
    try:
        with os.fdopen(open_own_file(folder / NAME, os.O_RDONLY), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def results_passed_over(number: int) -> str:
    """``2 results of earlier runs were passed over``."""
    many = "results of earlier runs were" if number > 1 else "result of an earlier run was"
    return f"{number} {many} passed over"


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


class PlacesOfPhotos:
    """Where the photos of a run are, as records name it.

    Args:
        inputs: The files and folders that the user named. They are looked at when it is first asked
            for a record.
    """

    def __init__(self, inputs: Iterable[Path] = ()) -> None:
        self._inputs = tuple(inputs)

    def include(self, folder: str, name: str) -> bool:
        """Whether a photo is in a folder of the run, or was named.

        Args:
            folder: Digest of the path of its folder.
            name: Its name.
        """
        return folder in self._folders or (folder, name) in self._files

    @cached_property
    def _folders(self) -> frozenset[str]:
        roots = [path for path in self._inputs if os.path.isdir(path)]  # noqa: PTH112
        walked = (folder for root in roots for folder, _, _ in os.walk(root))
        return frozenset(folder_digest(Path(folder, "photo")) for folder in walked)

    @cached_property
    def _files(self) -> frozenset[tuple[str, str]]:
        return frozenset((folder_digest(path), path.name) for path in self._inputs)


class EarlierResults:
    """The results that earlier runs have put among the photos, or that were moved there since.

    Who names the folder of a run's results as an input wants them to be retouched, unless their
    photos are among the inputs, too. Only results beside their photos, and what was written for
    these, are none of the photos even then.

    Args:
        given: The input folder.
        folders: The folders below it, and itself.
        outputs: The folders that the run writes to; their records tell of comparisons elsewhere,
            and of results that were moved.
        photos: Where the photos of the run are.
        beside: Whether results beside photos count even if their photos are not among the inputs.
    """

    def __init__(
        self,
        given: Path,
        folders: Iterable[Path] = (),
        outputs: Iterable[Path] = (),
        photos: PlacesOfPhotos | None = None,
        beside: bool = True,
    ) -> None:
        self._real: dict[Path, str] = {}
        self._at: dict[str, list[Record]] = {}
        self._states: set[tuple[int, int, int]] = set()
        photos = photos or PlacesOfPhotos()

        def counts(record: Record) -> bool:
            return (beside and record.beside) or photos.include(record.folder, record.input)

        for folder in (given, *given.parents):
            self._add(folder, filter(counts, records_in(folder)))
        self._add(given, filter(counts, records_of_shards(given)))
        for folder in folders:
            if folder != given:
                self.look_into(folder)
        for folder in outputs:
            if not self._is_below(given, folder):
                self._add(folder, records_in(folder))

    def include(self, path: Path) -> bool:
        """Whether a file is such a result.

        One that was edited since is none the less if it stands beside its photo; in another folder,
        it is somebody's photo.
        """
        if not self._at:
            return False
        recorded = self._recorded(path)
        if any(record.beside for record in recorded):
            return True
        try:
            state = path.stat()
        except OSError:
            return False
        found = FileSignature(state.st_size, state.st_mtime_ns)
        if any(record.result == found for record in recorded):
            return True
        return (state.st_size, state.st_mtime_ns, state.st_ino) in self._states

    def know(self, path: Path) -> bool:
        """Whether a file is such a result, or was one before somebody edited it."""
        return bool(self._recorded(path)) or self.include(path)

    def look_into(self, folder: Path) -> None:
        """Read the records of another folder below the input."""
        self._add(folder, records_in(folder))
        self._add(folder, records_of_shards(folder))

    def _recorded(self, path: Path) -> list[Record]:
        return self._at.get(f"{self._real_path(path.parent)}{os.sep}{path.name}", [])

    def _add(self, folder: Path, records: Iterable[Record]) -> None:
        real = self._real_path(folder)
        for record in records:
            place = f"{real}{os.sep}{record.output}"
            self._at.setdefault(os.path.normpath(place), []).append(record)
            if record.inode is not None:
                self._states.add((record.result.size, record.result.modified, record.inode))

    def _is_below(self, path: Path, folder: Path) -> bool:
        real = self._real_path(folder)
        return f"{self._real_path(path)}{os.sep}".startswith(f"{real}{os.sep}")

    def _real_path(self, folder: Path) -> str:
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder).rstrip(os.sep)
        return self._real[folder]


class NamedResults:
    """The results of earlier runs among photos that are named one by one.

    Shells name all files of a folder. Who wants a result to be retouched names it without its
    photo.

    Args:
        photos: Where the photos of the run are.
        beside: As for :class:`EarlierResults`.
    """

    def __init__(self, photos: PlacesOfPhotos, beside: bool) -> None:
        self._photos, self._beside = photos, beside
        self._in: dict[Path, EarlierResults] = {}

    def include(self, path: Path) -> bool:
        """Whether a file is such a result."""
        folder = path.parent
        if folder not in self._in:
            self._in[folder] = EarlierResults(folder, photos=self._photos, beside=self._beside)
        return self._in[folder].include(path)


def line_of(record: Record) -> bytes:
    """A record in ASCII: names that are not UTF-8, and separators of lines, are escaped."""
    values = asdict(record)
    for signature in (values["source"], values["result"]):
        if signature is not None and signature["inode"] is None:
            del signature["inode"]
    if not record.beside:
        del values["beside"]  # so that earlier versions understand it
    return json.dumps(values).encode("ascii") + b"\n"


def parsed(line: bytes) -> Record | None:
    """Parse a record; None for a line that a killed run left incomplete, or that is none."""
    try:
        return record_from(json.loads(line))
    except MALFORMED:
        return None


def record_from(values: Any) -> Record | None:
    """A record from its values; None, or any error of ``MALFORMED``, for what is none."""
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


def records_of_shards(folder: Path) -> list[Record]:
    """What parts of runs have noted of results in a folder, the oldest first."""
    noted: list[dict[str, Any]] = []
    for log in (folder / SHARDS).glob("*/done/*/*/*.json"):
        with contextlib.suppress(OSError, *MALFORMED):
            content = log.read_bytes() if log.is_file() else b"{}"
            noted += (one for one in json.loads(content)["records"] if one.get("version"))
    with contextlib.suppress(*MALFORMED):
        noted.sort(key=lambda one: float(one.get("ended", 0)))
    return [record for record in map(_of_shard, noted) if record is not None]


def _of_shard(values: dict[str, Any]) -> Record | None:
    """A record from a done log; None for one that describes no file."""
    with contextlib.suppress(*MALFORMED):
        return record_from(
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

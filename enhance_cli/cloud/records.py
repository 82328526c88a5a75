"""What workers note of each photo, and whose an object in the place of a result is.

A worker notes what became of the photos of a shard in a done log below ``OUT/.enhance/``. Later
runs read those whose shards had results in the same places.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from itertools import islice
from typing import Any

import numpy as np

from enhance_cli.cloud.shard import CloudPhoto
from enhance_cli.cloud.stores import Store, StoredObject
from enhance_cli.run_records import SHARDS

ROOT = SHARDS
"""Folder below the output for plans and done logs."""

FLUSH_SECONDS = 3.0
"""Time after which a done log is stored anew."""

READERS = 16
"""Done logs that are read side by side."""


@dataclass(frozen=True, slots=True)
class Record:
    """What became of a photo.

    Attributes:
        photo: Its place in the shard.
        input: Its URL or path.
        source: Its version when it was read.
        wanted: Key of its result, as planned.
        output: Key of its result; None if there is none.
        size: Size of the result.
        version: Version of the result; empty if there is none.
        folder: Digest of the path of the photo's folder, if that is on a disk; else empty.
        content: Digest of a sample of the photo's content, likewise.
        settings: Digest of all that affects the result.
        status: ``done``, ``failed`` or ``skipped``.
        reason: Why it was retouched or skipped.
        error: Why it failed, or None.
        seconds: Processing time.
        warnings: What was lost.
        ended: When, in seconds since 1970.
        carried: Whether this is about a result of an earlier run, which is kept for later ones.
    """

    photo: int
    input: str
    source: str
    wanted: str
    output: str | None
    size: int = 0
    version: str = ""
    folder: str = ""
    content: str = ""
    settings: str = ""
    status: str = "done"
    reason: str = ""
    error: str | None = None
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    ended: float = 0.0
    carried: bool = False

    @property
    def describes_result(self) -> bool:
        """Whether a result was stored."""
        return self.output is not None and bool(self.version)


class DoneLog:
    """What became of the photos of a shard; stored anew every few seconds, and at the end.

    Args:
        store: The output.
        key: Key of the log.
        shard: Name of the shard.
        photos: Number of photos in it.
    """

    def __init__(self, store: Store, key: str, shard: str, photos: int) -> None:
        self._store, self._key, self._shard, self._photos = store, key, shard, photos
        self._records: list[Record] = []
        self._began = time.time()
        self._stored = time.monotonic()
        self._changing = threading.Lock()

    def add(self, record: Record, at_once: bool = False) -> None:
        """Note a photo; called from several threads.

        Args:
            record: What became of it.
            at_once: Whether to store the log before this returns.
        """
        with self._changing:
            self._records.append(record)
            if at_once or time.monotonic() > self._stored + FLUSH_SECONDS:
                self._store_now(complete=False)

    def end(self, complete: bool) -> None:
        """Store the log at the end of the shard.

        Args:
            complete: Whether it knows of every photo that it was to know of.
        """
        with self._changing:
            self._store_now(complete)

    def _store_now(self, complete: bool) -> None:
        document = {
            "shard": self._shard,
            "photos": self._photos,
            "began": round(self._began, 3),
            "updated": round(time.time(), 3),
            "complete": complete,
            "records": [_as_json(record) for record in self._records],
        }
        self._store.write(self._key, json.dumps(document).encode())
        self._stored = time.monotonic()


def _as_json(record: Record) -> dict[str, Any]:
    """A record without what goes without saying."""
    values = asdict(record).items()
    return {name: value for name, value in values if value != _DEFAULTS[name]}


_DEFAULTS = {one.name: one.default for one in fields(Record)}


@dataclass(frozen=True)
class LogDocument:
    """A done log as it was read."""

    shard: str
    photos: int
    began: float
    updated: float
    complete: bool
    records: tuple[Record, ...]


def parse_log(content: bytes | None) -> LogDocument | None:
    """Parse a done log; None for what is none."""
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
        values: Any = json.loads(content or b"")
        records = tuple(_record(one) for one in values["records"])
        return LogDocument(
            str(values["shard"]),
            int(values["photos"]),
            float(values["began"]),
            float(values["updated"]),
            values["complete"] is True,
            records,
        )
    return None


def _record(values: dict[str, Any]) -> Record:
    values = {"output": None} | values
    record = Record(**values)
    return replace(record, warnings=tuple(record.warnings))


def read_logs(store: Store, keys: Iterable[str]) -> Iterator[tuple[str, LogDocument]]:
    """Read done logs side by side, in order; those that cannot be understood are left out."""
    for key, content in read_many(store, keys):
        document = parse_log(content)
        if document is not None:
            yield key, document


def read_many(store: Store, keys: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
    """Read small objects side by side, in order, a few ahead of their use."""
    with ThreadPoolExecutor(READERS) as readers:
        upcoming = iter(keys)
        while batch := list(islice(upcoming, 4 * READERS)):
            yield from zip(batch, readers.map(store.read, batch), strict=True)


class RecordIndex:
    """Tells which done logs have a record of a result; twelve bytes for each.

    Args:
        store: The output.
        keys: Keys of the logs.
    """

    def __init__(self, store: Store, keys: Iterable[str]) -> None:
        hashes: list[np.ndarray] = []
        numbers: list[np.ndarray] = []
        self._logs: list[str] = []
        for key, log in read_logs(store, keys):
            names = {name for one in log.records for name in (one.wanted, one.output) if name}
            hashes.append(np.fromiter((hash(name) for name in names), np.int64, len(names)))
            numbers.append(np.full(len(names), len(self._logs), np.int32))
            self._logs.append(key)
        found = np.concatenate(hashes) if hashes else np.empty(0, np.int64)
        order = np.argsort(found)
        self._hashes = found[order]
        self._numbers = np.concatenate(numbers)[order] if numbers else np.empty(0, np.int32)
        self._seen = np.zeros(len(found), bool)

    def logs_on(self, photos: Iterable[CloudPhoto]) -> tuple[str, ...]:
        """The logs with records of the results of some photos."""
        if not self._logs:
            return ()
        wanted = np.fromiter((hash(photo.result) for photo in photos), np.int64)
        low = np.searchsorted(self._hashes, wanted, "left")
        high = np.searchsorted(self._hashes, wanted, "right")
        found: set[int] = set()
        for start, end in zip(low.tolist(), high.tolist(), strict=True):
            self._seen[start:end] = True
            found.update(self._numbers[start:end].tolist())
        return tuple(self._logs[number] for number in sorted(found))

    def superseded(self) -> list[str]:
        """The logs all of whose records were asked for, so that newer logs have them."""
        unseen = set(self._numbers[~self._seen].tolist())
        return [log for number, log in enumerate(self._logs) if number not in unseen]


class Records:
    """The records that concern a shard."""

    def __init__(self, documents: Iterable[LogDocument]) -> None:
        self._by_key: dict[str, list[Record]] = {}
        for document in documents:
            for record in document.records:
                if record.describes_result and record.output is not None:
                    self._by_key.setdefault(record.output, []).append(record)

    def of(self, present: StoredObject) -> Record | None:
        """The latest record that describes the object in a result's place; None if none does."""
        fitting = [
            one
            for one in self._by_key.get(present.key, ())
            if (one.size, one.version) == (present.size, present.version)
        ]
        return max(fitting, key=lambda one: one.ended, default=None)

    def any_on(self, key: str) -> list[Record]:
        """All records of results that were stored under a key."""
        return self._by_key.get(key, [])

"""How far the runs into an output are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from enhance_cli.batch.conflicts import IN_THE_WAY
from enhance_cli.cloud.places import open_store
from enhance_cli.cloud.records import ROOT, LogDocument, Record, read_logs, read_many
from enhance_cli.cloud.stores import Store
from enhance_cli.errors import UsageError

MOST_FAILURES = 1000
"""Most failures of a run that are kept."""


@dataclass
class PartStatus:
    """How far one part of a run is.

    Attributes:
        plan: Name of its latest plan.
        part: Which part it is, from 1, and how many there are.
        is_listed: Whether all photos are known.
        shards: Number of shards planned.
        complete_shards: Number of those that are complete.
        photos: Number of photos planned.
        counts: Number of photos done, failed and skipped.
        in_the_way: Number of those that were skipped because of what is in the place of the result.
        failures: Photos that failed, at most ``MOST_FAILURES``, and why.
        began: When the plan was begun, in seconds since 1970.
        updated: When a done log was stored last.
    """

    plan: str
    part: tuple[int, int]
    is_listed: bool = False
    shards: int = 0
    complete_shards: int = 0
    photos: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    in_the_way: int = 0
    failures: list[str] = field(default_factory=list)
    began: float = 0.0
    updated: float = 0.0

    @property
    def left(self) -> int:
        """Number of photos of which nothing is known yet."""
        return max(0, self.photos - self.counts.total())

    @property
    def is_complete(self) -> bool:
        """Whether all photos are known, and what became of each."""
        return self.is_listed and not self.left

    @property
    def rate(self) -> float:
        """Photos a second, from the beginning of the plan to the last done log."""
        elapsed = self.updated - self.began
        return (self.counts["done"] + self.counts["failed"]) / elapsed if elapsed > 0 else 0.0


@dataclass
class RunStatus:
    """How far a run is.

    Attributes:
        run: Its name, see :mod:`enhance_cli.cloud.run`.
        command: The command that goes on with it, without ``--shard``.
        parts: Its parts, those that have begun.
        of: How many parts there are.
    """

    run: str
    command: str
    of: int
    parts: list[PartStatus]

    @property
    def missing(self) -> list[int]:
        """The parts that have not begun, or are not complete."""
        complete = {part.part[0] for part in self.parts if part.is_complete}
        return [number for number in range(1, self.of + 1) if number not in complete]


def runs_into(place: str) -> list[RunStatus]:
    """The runs into an output, the oldest first; of each part the latest plan.

    Raises:
        UsageError: There is none.
        EnhanceError: The store cannot be read.
    """
    out = open_store(place)
    out.check()
    found = [_run(out, name, of, plans) for (name, of), plans in _plans(out).items()]
    if not found:
        raise UsageError(
            f"{place}: holds no run over an object store, or of --shard; give the place that was "
            "--out"
        )
    return sorted(found, key=lambda run: max(part.began for part in run.parts))


def _plans(out: Store) -> dict[tuple[str, int], dict[int, str]]:
    """The latest plan of each part, by run and number of parts."""
    found: dict[tuple[str, int], dict[int, str]] = {}
    for key in _keys(out, ROOT):
        root, *rest = key.split("/")
        if root == ROOT and len(rest) == 3 and rest[1] == "plans":
            plan = rest[2].removesuffix(".json")
            part, of = (int(number) for number in plan.partition(".")[0].split("-of-"))
            plans = found.setdefault((rest[0], of), {})
            plans[part] = max(plans.get(part, plan), plan, key=_generation)
    return found


def _generation(plan: str) -> int:
    return int(plan.rpartition(".")[2])


def _run(out: Store, name: str, of: int, plans: dict[int, str]) -> RunStatus:
    parts: list[PartStatus] = []
    command = ""
    for part, plan in sorted(plans.items()):
        note: Any = json.loads(out.read(f"{ROOT}/{name}/plans/{plan}.json") or b"{}")
        command = note.get("command") or command
        parts.append(_part(out, f"{ROOT}/{name}", PartStatus(plan, (part, of)), note))
    return RunStatus(name, command, of, parts)


def _part(out: Store, folder: str, status: PartStatus, note: dict[str, Any]) -> PartStatus:
    status.is_listed = note.get("listed") is True
    status.began = status.updated = float(note.get("began", 0))
    if status.is_listed:
        status.shards, status.photos = int(note["shards"]), int(note["photos"])
    else:
        for _, content in read_many(out, _keys(out, f"{folder}/shards/{status.plan}")):
            status.shards += 1
            status.photos += len(json.loads(content or b'{"photos": []}')["photos"])
    logs = read_logs(out, _keys(out, f"{folder}/done/{status.plan}"))
    for _, of_shard in groupby(logs, key=lambda found: found[1].shard):
        status.updated = max(status.updated, _add_shard(status, [log for _, log in of_shard]))
    return status


def _add_shard(status: PartStatus, logs: list[LogDocument]) -> float:
    """Count the photos of a shard, of which there may be several logs; when it was updated last."""
    latest: dict[int, Record] = {}
    for record in sorted((one for log in logs for one in log.records), key=lambda one: one.ended):
        if not record.carried:
            latest[record.photo] = record
    for record in latest.values():
        status.counts[record.status] += 1
        status.in_the_way += record.status == "skipped" and record.reason in IN_THE_WAY
        if record.error is not None and len(status.failures) < MOST_FAILURES:
            status.failures.append(record.error)
    status.complete_shards += all(log.complete for log in logs)
    return max(log.updated for log in logs)


def _keys(out: Store, below: str) -> Iterator[str]:
    for page in out.pages(below=below):
        for one in page:
            yield one.key

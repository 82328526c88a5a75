"""A run on this machine: plans in the background, and does shard after shard."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

from enhance_cli.cloud.run import CloudRun
from enhance_cli.cloud.shard import Shard, ShardOutcome
from enhance_cli.cloud.worker import ShardWorker

AHEAD = 4
"""Shards that are planned ahead."""

Item = TypeVar("Item")


def work_through(run: CloudRun, worker: ShardWorker) -> Iterator[ShardOutcome]:
    """Do all photos of a run's part; old plans are removed at the end.

    Raises:
        EnhanceError: The run cannot go on.
    """
    for shard in ahead(run.shards()):
        yield from worker.work(shard)
        if worker.was_stopped:
            return
    run.finish()


def ahead(shards: Iterable[Shard]) -> Iterator[Shard]:
    """Plan a few shards ahead, in a thread of its own; an error comes after what was planned."""
    planned: queue.Queue[Shard | BaseException | None] = queue.Queue(AHEAD)
    abandoned = threading.Event()

    def plan() -> None:
        last: BaseException | None = None
        try:
            for shard in shards:
                _put(planned, shard, abandoned)
                if abandoned.is_set():
                    return
        except BaseException as problem:
            last = problem
        _put(planned, last, abandoned)

    threading.Thread(target=plan, name="plan", daemon=True).start()
    try:
        while (shard := planned.get()) is not None:
            if isinstance(shard, BaseException):
                raise shard
            yield shard
    finally:
        abandoned.set()


def _put(planned: queue.Queue[Item], item: Item, abandoned: threading.Event) -> None:
    """Wait for room in a queue, unless nobody takes from it any more."""
    while not abandoned.is_set():
        try:
            return planned.put(item, timeout=0.2)
        except queue.Full:
            continue
    return None

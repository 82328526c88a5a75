"""Keeps a cluster's workers busy with a plan. Nothing here knows Ray."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from enhance_cli.cloud.cluster.plan_ahead import PlanAhead
from enhance_cli.cloud.cluster.schedule import Culprit, Schedule
from enhance_cli.cloud.shard import Shard, ShardOutcome
from enhance_cli.errors import EnhanceError

PATIENCE = 300.0
"""Seconds without any worker after which the run ends."""

MAX_FAILED_STARTS = 5
"""Workers that may fail to start, one after another, before no more are started."""

MAX_FAILED_NODES = 3
"""Nodes whose workers may give up a shard before the run ends."""


SMALLEST_PART = 8
"""Photos below which a shard is not divided further, so that all workers have something to do."""


@dataclass(frozen=True)
class Ready:
    """A worker has answered, and its networks are loaded."""

    worker: int
    node: str


@dataclass(frozen=True)
class Refused:
    """A worker cannot start.

    Attributes:
        worker: The worker.
        reason: Why, in a line that names its node.
        blocks: Whether its process goes on to occupy its place, so that others start elsewhere.
    """

    worker: int
    reason: str
    blocks: bool


@dataclass(frozen=True)
class Told:
    """A worker has told what is new.

    Attributes:
        worker: The worker.
        outcomes: Outcomes of photos of its piece.
        ended: Whether the piece is at its end.
        stopped: Whether it was stopped before all of it was done.
        error: Why it gave the piece up, in a line, or None.
        looks: Names of the ``enhance.toml`` files that it has read for the piece.
    """

    worker: int
    outcomes: tuple[ShardOutcome, ...]
    ended: bool = False
    stopped: bool = False
    error: str | None = None
    looks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Died:
    """A worker is gone.

    Attributes:
        worker: The worker.
        process_alone: Whether its process died while its node is well.
        in_flight: Places of the photos that were in flight; None if that is not known.
        outcomes: Outcomes of its photos that it had not told yet.
    """

    worker: int
    process_alone: bool = False
    in_flight: frozenset[int] | None = None
    outcomes: tuple[ShardOutcome, ...] = ()


Event = Ready | Refused | Told | Died


class Cluster(Protocol):
    """What the engine asks of a cluster; it gives a worker at most one piece at a time."""

    def capacity(self) -> int:
        """Number of workers for which the cluster has room at present."""
        ...

    def start(self) -> int:
        """Begin to start a worker as soon as there is room for it, and return its number."""
        ...

    def give(self, worker: int, shard: Shard, photos: tuple[int, ...] | None) -> None:
        """Let a worker work on photos of a shard; None is all of them."""
        ...

    def finish(self, worker: int) -> None:
        """Let a worker begin no further photo."""
        ...

    def end(self, worker: int) -> None:
        """End a worker at once."""
        ...

    def events(self) -> Iterable[Event]:
        """Wait a little for something to happen, and tell what did."""
        ...

    def close(self) -> None:
        """End all workers at once."""
        ...


@dataclass(frozen=True)
class Progress:
    """How far a run has come.

    Attributes:
        done: Photos with an outcome, failed ones included.
        failed: Photos that failed.
        known: Photos that have been planned so far.
        all_known: Whether that is all of them.
        workers: Workers that have answered.
        nodes: Nodes on which they are.
    """

    done: int = 0
    failed: int = 0
    known: int = 0
    all_known: bool = False
    workers: int = 0
    nodes: int = 0


def _parts(shard: Shard, wanted: int) -> Iterator[tuple[str, range]]:
    """Divide a shard, if workers would have nothing to do, into parts with names of their own."""
    photos = len(shard.photos)
    count = max(1, min(wanted, photos // SMALLEST_PART))
    size = math.ceil(photos / count)
    for first in range(0, photos, size):
        name = shard.name if count == 1 else f"{shard.name} from {first}"
        yield name, range(first, min(first + size, photos))


class ClusterEngine:
    """Works a plan off on a cluster. Iterating over it, once, yields the outcome of each photo.

    Args:
        cluster: The cluster; it is closed at the end.
        plan: The plan; it is closed at the end.
        give_up: Notes a photo of a shard that workers died of, and returns its outcome.
        warn: Told of each kind of worker that cannot start.
        look_read: Called with the name of each ``enhance.toml`` that says something, once.
        clock: Seconds.

    Attributes:
        progress: How far the run has come.
    """

    def __init__(
        self,
        cluster: Cluster,
        plan: PlanAhead,
        give_up: Callable[[Shard, Culprit], ShardOutcome],
        warn: Callable[[str], None] = lambda _line: None,
        look_read: Callable[[str], None] = lambda _name: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._plan, self._give_up, self._warn = cluster, plan, give_up, warn
        self._clock, self._look_read = clock, look_read
        self._looks: set[str] = set()
        self._schedule = Schedule()
        self._shards: dict[str, Shard] = {}
        self._starting: set[int] = set()
        self._blocked: set[int] = set()
        self._nodes: dict[int, str] = {}
        self._failed_starts = 0
        self._reasons: Counter[str] = Counter()
        self._given_up_on: defaultdict[str, set[str]] = defaultdict(set)
        self._most_places = 0
        self._replacing = False
        self._stopping = self._finishing = False
        self._alone_since = clock()
        self.progress = Progress()

    def stop(self) -> None:
        """End after the photos in flight; may be called from a signal handler."""
        self._stopping = True

    @property
    def was_stopped(self) -> bool:
        """Whether :meth:`stop` has been called."""
        return self._stopping

    def __iter__(self) -> Iterator[ShardOutcome]:
        """Work the plan off.

        Raises:
            EnhanceError: The plan cannot be made, no worker can start, or the work of a shard
                cannot be done anywhere.
        """
        try:
            while not self._at_end():
                if self._stopping:
                    self._finish_all()
                else:
                    self._take_shards()
                    self._start_workers()
                    self._hand_out()
                for event in self._cluster.events():
                    yield from self._handle(event)
        finally:
            self._plan.close()
            self._cluster.close()

    def _at_end(self) -> bool:
        if self._stopping:
            return len(self._schedule.idle) == len(self._schedule.workers)
        return self._plan.ended and not self._schedule.shards

    def _finish_all(self) -> None:
        if not self._finishing:
            self._finishing = True
            for worker in set(self._schedule.workers) - set(self._schedule.idle):
                self._cluster.finish(worker)

    def _take_shards(self) -> None:
        """Keep something for each worker, and a little more for those that end soon."""
        places = max(1, self._cluster.capacity())
        for shard in self._plan.take(places + 2 + places // 8 - self._schedule.shards):
            wanted = math.ceil(places / (self._schedule.shards + 1))
            for name, photos in _parts(shard, wanted):
                self._shards[name] = shard
                self._schedule.add(name, photos)
            self._note(known=self.progress.known + len(shard.photos))
        if self._plan.ended:
            self._note(all_known=True)

    def _start_workers(self) -> None:
        """Have a worker in each place that the cluster has, and one waiting for a new place."""
        capacity = self._cluster.capacity()
        if capacity > self._most_places:  # a node has joined, and may be better than the others
            self._most_places, self._failed_starts = capacity, 0
        places = capacity + 1 - len(self._blocked)
        live = len(self._schedule.workers)
        if self._failed_starts < MAX_FAILED_STARTS:
            wanted = max(1, self._schedule.shards, live + self._replacing)
            more = min(places, wanted) - live - len(self._starting)
            self._starting.update(self._cluster.start() for _ in range(more))
        self._refuse_to_wait(places)

    def _refuse_to_wait(self, places: int) -> None:
        """End a run that has no worker and will get none."""
        if self._schedule.workers:
            self._alone_since = self._clock()
            return
        if (self._blocked and places <= 1) or self._failed_starts >= MAX_FAILED_STARTS:
            raise EnhanceError(self._reasons.most_common(1)[0][0])
        if self._clock() - self._alone_since > PATIENCE:
            raise EnhanceError(
                f"no worker has started for {PATIENCE / 60:.0f} minutes: the cluster has no free "
                "core (or GPU), or its nodes are lost; see what `ray status` says"
            )

    def _hand_out(self) -> None:
        for worker in self._schedule.idle:
            if piece := self._schedule.next_piece(worker):
                shard = self._shards[piece.shard]
                everything = len(piece.photos) == len(shard.photos)
                self._cluster.give(worker, shard, None if everything else piece.photos)
        worker = self._schedule.needs_fresh_worker()
        if worker is not None and not self._replacing:
            self._replacing = True
            self._remove(worker)
            self._cluster.end(worker)

    def _handle(self, event: Event) -> Iterator[ShardOutcome]:
        match event:
            case Ready(worker, node):
                self._join(worker, node)
            case Refused():
                self._refuse(event)
            case Told(worker) if worker in self._nodes:
                yield from self._listen(event)
            case Died(worker) if worker in self._nodes:
                yield from self._bury(worker, event)
            case Told(worker) | Died(worker):
                self._starting.discard(worker)
                self._blocked.discard(worker)

    def _join(self, worker: int, node: str) -> None:
        self._starting.discard(worker)
        self._nodes[worker] = node
        self._schedule.join(worker)
        self._failed_starts, self._replacing = 0, False
        self._note_workers()

    def _refuse(self, event: Refused) -> None:
        self._starting.discard(event.worker)
        if event.blocks:
            self._blocked.add(event.worker)
        else:
            self._failed_starts += 1
        self._reasons[event.reason] += 1
        if self._reasons[event.reason] == 1:
            self._warn(event.reason)

    def _listen(self, event: Told) -> Iterator[ShardOutcome]:
        for name in event.looks:
            if name not in self._looks:
                self._looks.add(name)
                self._look_read(name)
        yield from self._settle(event)
        if event.error is not None:
            self._note_failure(event.worker, event.error)
        elif event.ended:
            self._schedule.finish(event.worker, whole=not event.stopped)
            self._forget_shards()

    def _settle(self, event: Told | Died) -> Iterator[ShardOutcome]:
        for outcome in event.outcomes:
            if self._schedule.settle(event.worker, outcome.photo):
                yield self._counted(outcome)

    def _note_failure(self, worker: int, error: str) -> None:
        """A worker cannot go on, though no photo is the reason. It keeps its place from others."""
        nodes = self._given_up_on[self._schedule.shard_of(worker)]
        nodes.add(self._nodes[worker])
        self._remove(worker)
        if len(nodes) >= MAX_FAILED_NODES:
            raise EnhanceError(error)
        self._refuse(Refused(worker, error, blocks=True))

    def _bury(self, worker: int, event: Died) -> Iterator[ShardOutcome]:
        yield from self._settle(event)
        if not event.process_alone:
            self._remove(worker)
            return
        culprits = self._schedule.die(worker, event.in_flight)
        self._nodes.pop(worker, None)
        self._note_workers()
        for culprit in culprits:
            yield self._counted(self._give_up(self._shards[culprit.shard], culprit))
        self._forget_shards()

    def _remove(self, worker: int) -> None:
        self._schedule.leave(worker)
        self._nodes.pop(worker, None)
        self._note_workers()

    def _forget_shards(self) -> None:
        for name in [name for name in self._shards if not self._schedule.holds(name)]:
            del self._shards[name]

    def _counted(self, outcome: ShardOutcome) -> ShardOutcome:
        failed = self.progress.failed + (outcome.status == "failed")
        self._note(done=self.progress.done + 1, failed=failed)
        return outcome

    def _note_workers(self) -> None:
        self._note(workers=len(self._nodes), nodes=len(set(self._nodes.values())))

    def _note(self, **changed: int) -> None:
        self.progress = replace(self.progress, **changed)

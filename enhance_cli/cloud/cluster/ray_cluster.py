"""Workers that are actors of Ray."""

from __future__ import annotations

import contextlib
import pickle
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from typing import Any

from enhance_cli import __version__
from enhance_cli.cloud.cluster.capacity import choose_place
from enhance_cli.cloud.cluster.connection import (
    HeadLostError,
    HeadWatch,
    import_ray,
    one_line,
)
from enhance_cli.cloud.cluster.engine import Died, Event, Ready, Refused, Told
from enhance_cli.cloud.cluster.journal import LastWords
from enhance_cli.cloud.cluster.node_worker import News, digest_of
from enhance_cli.cloud.cluster.remote_worker import journal_reader, remote_worker_class
from enhance_cli.cloud.run import CloudRun
from enhance_cli.cloud.shard import Shard
from enhance_cli.inference.weights_file import find_weights

ASK_EVERY = 1.0
"""Seconds for which a worker gathers outcomes before it tells them."""

LOOK_EVERY = 2.0
"""Seconds after which is looked again which nodes there are."""

MANY_WORKERS = 500
"""Workers from which on each is asked less often, so that the driver keeps up."""

SILENCE = 60.0
"""Seconds after which a node that does not answer counts as lost."""


class _Phase(Enum):
    GREETING = auto()
    LOADING = auto()
    IDLE = auto()
    WORKING = auto()
    DEAD = auto()


@dataclass
class _Worker:
    """A worker as the driver knows it."""

    handle: Any
    phase: _Phase = _Phase.GREETING
    host: str = ""
    node: str = ""
    journal: str = ""
    known: int = 0
    """Outcomes of the present piece that have been told."""
    pieces: int = 0
    """Pieces that it has been given."""
    silent_since: float | None = None


class RayCluster:
    """A :class:`~enhance_cli.cloud.cluster.engine.Cluster` whose workers are Ray's actors.

    Ray must be connected (:func:`~enhance_cli.cloud.cluster.connection.connected`).

    Args:
        run: What the workers need to know.
        make: Makes what works on shards, in each worker.

    Raises:
        UsageError: A GPU is wanted, and the cluster has none.
    """

    def __init__(self, run: CloudRun, make: Callable[..., Any]) -> None:
        self._run, self._make = run, make
        self._ray: Any = import_ray()
        self._workers: dict[int, _Worker] = {}
        self._asked: dict[Any, int] = {}
        self._started = 0
        self._nodes: list[dict[str, Any]] = []
        self._nodes_seen: float | None = None
        self._head, self._head_is_lost = HeadWatch(self._head_address()), False
        self._place = choose_place(self._resources(), run.config.device)
        self._actor = self._ray.remote(remote_worker_class()).options(
            num_cpus=self._place.cores,
            num_gpus=self._place.gpu,
            memory=self._place.memory,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )

    def capacity(self) -> int:
        """Number of workers for which the nodes that are up have room."""
        return sum(map(self._place.room_on, self._resources()))

    def start(self) -> int:
        """Ask Ray for an actor; it comes as soon as there is room for it."""
        self._started += 1
        handle = self._actor.remote()
        self._workers[self._started] = _Worker(handle)
        self._ask(self._started, handle.hello.remote())
        return self._started

    def give(self, worker: int, shard: Shard, photos: tuple[int, ...] | None) -> None:
        """Let a worker work on photos of a shard, and ask it for news."""
        mine = self._workers[worker]
        mine.phase, mine.known = _Phase.WORKING, 0
        mine.pieces += 1
        mine.handle.begin.remote(pickle.dumps((shard, photos)))
        self._ask_for_news(worker)

    def finish(self, worker: int) -> None:
        """Let a worker begin no further photo."""
        self._workers[worker].handle.stop.remote()

    def end(self, worker: int) -> None:
        """End an idle worker."""
        for reference in [one for one, asked in self._asked.items() if asked == worker]:
            del self._asked[reference]
        handle = self._workers.pop(worker).handle
        handle.close.remote()
        handle.__ray_terminate__.remote()

    def events(self) -> Iterator[Event]:
        """Wait half a second for answers, and tell what they say."""
        if not self._asked:
            time.sleep(0.1)
            return
        ready, _ = self._ray.wait(list(self._asked), num_returns=1, timeout=0.5)
        if ready:
            ready, _ = self._ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)
        for reference in ready:
            number = self._asked.pop(reference, None)
            if number is not None and (event := self._answer(number, reference)) is not None:
                yield event

    def close(self) -> None:
        """End all workers; idle ones clear up before."""
        if self._head_is_lost:  # nobody is there to be asked, and workers end by themselves
            return
        idle = [mine.handle for mine in self._workers.values() if mine.phase is _Phase.IDLE]
        with contextlib.suppress(Exception):
            last = [handle.close.remote() for handle in idle]
            if last:
                self._ray.wait(last, num_returns=len(last), timeout=5)
            for mine in self._workers.values():
                self._ray.kill(mine.handle)
        self._workers.clear()
        self._asked.clear()

    def _resources(self) -> list[dict[str, float]]:
        """What each node has that is up; looked up anew every few seconds."""
        now = time.monotonic()
        if self._nodes_seen is None or now - self._nodes_seen > LOOK_EVERY:
            self._nodes_seen = now
            if not self._head_answers():
                return [node["Resources"] for node in self._nodes]
            self._nodes = [node for node in self._ray.nodes() if node["Alive"]]
        return [node["Resources"] for node in self._nodes]

    def _head_address(self) -> str:
        """Where the head node listens; empty behind ``ray://``, where only its server is seen."""
        is_behind = self._ray.util.client.ray.is_connected()
        return "" if is_behind else self._ray.get_runtime_context().gcs_address

    def _head_answers(self) -> bool:
        try:
            return self._head.answers()
        except HeadLostError:
            self._head_is_lost = True
            raise

    def _ask(self, worker: int, reference: Any) -> None:
        self._asked[reference] = worker

    def _ask_for_news(self, worker: int) -> None:
        mine = self._workers[worker]
        seconds = ASK_EVERY * max(1, len(self._workers) / MANY_WORKERS)
        self._ask(worker, mine.handle.news.remote(mine.known, seconds))

    def _answer(self, number: int, reference: Any) -> Event | None:
        mine = self._workers[number]
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(reference)
        except errors.ActorUnavailableError:
            return self._ask_again(number)
        except errors.RayActorError as problem:
            return self._examine(number, problem)
        except errors.RayError as problem:
            return self._fail(number, one_line(problem))
        mine.silent_since = None
        understand = {
            _Phase.GREETING: self._greeted,
            _Phase.LOADING: self._loaded,
            _Phase.WORKING: self._told,
            _Phase.DEAD: self._examined,
        }
        return understand[mine.phase](number, answer)

    def _greeted(self, number: int, answer: dict[str, str]) -> Event | None:
        mine = self._workers[number]
        mine.host, mine.node = answer["host"], answer["node"]
        if problem := unfit(answer):
            return Refused(number, f"node {mine.host}: {problem}", blocks=True)
        mine.phase = _Phase.LOADING
        weights = None if answer["weights"] == self._digest else self._weights
        what = pickle.dumps((self._make, self._run))
        self._ask(number, mine.handle.load.remote(what, weights, self._place.cores))
        return None

    def _loaded(self, number: int, answer: dict[str, str]) -> Event:
        mine = self._workers[number]
        if answer["error"]:
            return Refused(number, f"node {mine.host}: {answer['error']}", blocks=True)
        mine.phase, mine.journal = _Phase.IDLE, answer["journal"]
        return Ready(number, mine.node)

    def _told(self, number: int, answer: bytes) -> Event | None:
        mine, news = self._workers[number], _news(answer)
        mine.known += len(news.outcomes)
        if news.error is not None:
            mine.phase = _Phase.IDLE
            line = f"node {mine.host}: {news.error}"
            return Told(number, news.outcomes, ended=True, error=line, looks=news.looks)
        if news.ended:
            mine.phase = _Phase.IDLE
        else:
            self._ask_for_news(number)
        return Told(number, news.outcomes, news.ended, news.stopped, looks=news.looks)

    def _fail(self, number: int, reason: str) -> Event:
        """What was asked has failed by an error of its own; the process is there."""
        mine = self._workers[number]
        line = f"node {mine.host}: {reason}"
        if mine.phase is _Phase.WORKING:
            mine.phase = _Phase.IDLE
            return Told(number, (), ended=True, error=line)
        if mine.phase is _Phase.DEAD:
            return self._lost(number)
        return Refused(number, line, blocks=True)

    def _ask_again(self, number: int) -> Event | None:
        """A node is silent for the moment; it may come back."""
        mine, now = self._workers[number], time.monotonic()
        mine.silent_since = mine.silent_since or now
        if mine.phase is _Phase.WORKING and now - mine.silent_since < SILENCE:
            self._ask_for_news(number)
            return None
        self._ray.kill(mine.handle)
        return self._lost(number)

    def _examine(self, number: int, problem: Exception) -> Event | None:
        """Ask a worker's node, if it is there, what the worker had in flight when it died."""
        mine = self._workers[number]
        if mine.phase in (_Phase.GREETING, _Phase.LOADING):
            where = f"node {mine.host}: " if mine.host else ""
            del self._workers[number]
            return Refused(
                number, f"{where}a worker died as it started: {one_line(problem)}", False
            )
        mine.phase = _Phase.DEAD
        self._nodes_seen = None
        self._resources()
        if all(node["NodeID"] != mine.node for node in self._nodes):
            return self._lost(number)
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(mine.node, soft=False)
        look = self._ray.remote(journal_reader())
        options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": there}
        self._ask(number, look.options(**options).remote(mine.journal, mine.pieces))
        return None

    def _examined(self, number: int, answer: bytes) -> Event:
        known, words = self._workers.pop(number).known, _last_words(answer)
        if words is None:
            return Died(number, process_alone=True)
        return Died(number, True, words.in_flight, words.outcomes[known:])

    def _lost(self, number: int) -> Event:
        del self._workers[number]
        return Died(number)

    @cached_property
    def _digest(self) -> str:
        return digest_of(find_weights(self._run.config.weights))

    @cached_property
    def _weights(self) -> Any:
        """The weights in Ray's object store, from which each node fetches them once."""
        return self._ray.put(find_weights(self._run.config.weights).read_bytes())


def unfit(answer: dict[str, str]) -> str:
    """Why a node cannot be used; empty if it can."""
    if answer["version"] not in {"", __version__}:
        return (
            f"enhance {answer['version']} is installed there, and {__version__} here; "
            "install the same on both"
        )
    return answer["error"] and f"{answer['error']}; install enhance {__version__} there"


def _news(pickled: bytes) -> News:
    return pickle.loads(pickled)  # noqa: S301, from our own workers


def _last_words(pickled: bytes) -> LastWords | None:
    return pickle.loads(pickled)  # noqa: S301

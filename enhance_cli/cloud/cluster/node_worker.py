"""What runs in each worker process of the cluster: a :class:`ShardWorker` that can be asked.

Nothing here knows Ray. The driver asks again and again for what is new; so it takes what it can
digest, and a lost answer is asked for once more.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from enhance_cli.cloud.cluster.journal import Journal
from enhance_cli.cloud.run import CloudRun
from enhance_cli.cloud.scratch import PREFIX
from enhance_cli.cloud.shard import Shard, ShardOutcome
from enhance_cli.cloud.worker import ShardWorker
from enhance_cli.errors import EnhanceError, WeightsError
from enhance_cli.inference.weights_file import find_weights


@dataclass(frozen=True, slots=True)
class News:
    """What has become of a piece since the driver last asked.

    Attributes:
        outcomes: Outcomes of photos, in the order in which they ended.
        ended: Whether the piece is at its end.
        stopped: Whether it was stopped before all of it was done.
        error: Why nothing more can be done here, in a line, or None.
        looks: Names of the ``enhance.toml`` files that were read for the piece.
    """

    outcomes: tuple[ShardOutcome, ...] = ()
    ended: bool = False
    stopped: bool = False
    error: str | None = None
    looks: tuple[str, ...] = ()


@dataclass
class _Progress:
    """A piece of work, shared by the thread that does it and the one that tells of it."""

    outcomes: list[ShardOutcome]
    ended: bool = False
    error: str | None = None
    looks: list[str] = field(default_factory=list)


class NodeWorker:
    """One worker process of the cluster.

    Args:
        make: Makes what works on shards.
    """

    def __init__(self, make: Callable[[CloudRun, Callable[[int], None]], ShardWorker]) -> None:
        self._make = make
        self._journal = Journal()
        self._worker: ShardWorker | None = None
        self._changed = threading.Condition()
        self._present = _Progress([], ended=True)
        self._stopped = False

    @property
    def journal(self) -> str:
        """Path of its journal on this node."""
        return str(self._journal.path)

    def load(self, run: CloudRun, weights: bytes | None, threads: int) -> str | None:
        """Load the networks.

        Args:
            run: The run.
            weights: Content of the weights file; None if this node has the same.
            threads: Cores that this process may use.

        Returns:
            Why it cannot work, in a line; None if it can.
        """
        try:
            path = find_weights(None) if weights is None else _stored(weights)
            jobs = run.config.jobs or threads
            config = replace(run.config, weights=path, jobs=jobs)
            self._worker = self._make(replace(run, config=config), self._journal.begin)
            self._worker.look_read = self._look_read
            self._worker.warm_up()
        except EnhanceError as problem:
            return str(problem)
        _use_cores(max(1, threads // jobs))
        return None

    def begin(self, shard: Shard, photos: tuple[int, ...] | None) -> None:
        """Begin to work on a shard.

        Args:
            shard: The shard.
            photos: Places of the photos to do; None does all.
        """
        self._journal.next_piece()
        self._present = _Progress([])
        work = threading.Thread(target=self._work, args=(self._present, shard, photos), daemon=True)
        work.start()

    def news(self, known: int, seconds: float) -> News:
        """What has become of the piece.

        Args:
            known: Number of its outcomes that the driver has got already.
            seconds: How long to gather outcomes, unless the piece ends before.
        """
        present = self._present
        with self._changed:
            self._changed.wait_for(lambda: present.ended, seconds)
            new = tuple(present.outcomes[known:])
            looks = tuple(present.looks)
            return News(new, present.ended, self._stopped, present.error, looks)

    def stop(self) -> None:
        """Begin no further photo; those in flight are finished."""
        self._stopped = True
        if self._worker is not None:
            self._worker.stop()

    def close(self) -> None:
        """Remove temporary files."""
        if self._worker is not None:
            self._worker.close()
        self._journal.close()

    def _look_read(self, name: str) -> None:
        with self._changed:
            self._present.looks.append(name)

    def _work(self, present: _Progress, shard: Shard, photos: tuple[int, ...] | None) -> None:
        assert self._worker is not None
        error = None
        try:
            for outcome in self._worker.work(shard, photos):
                self._journal.end(outcome)
                with self._changed:
                    present.outcomes.append(outcome)
        except EnhanceError as problem:
            error = str(problem)
        except Exception as problem:
            error = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
        finally:
            with self._changed:
                present.error, present.ended = error, True
                self._changed.notify_all()


def weights_here() -> str:
    """SHA-256 of the weights that this node has of its own; empty if it has none."""
    try:
        return digest_of(find_weights(None))
    except WeightsError:
        return ""


def digest_of(weights: Path) -> str:
    """SHA-256 of a file."""
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stored(weights: bytes) -> Path:
    """Store weights under their digest, for all workers of this node and for the next runs."""
    digest = hashlib.sha256(weights).hexdigest()
    path = Path(tempfile.gettempdir()) / f"{PREFIX}{digest}.safetensors"
    with contextlib.suppress(OSError):
        if digest_of(path) == digest:
            path.touch()  # old ones are removed
            return path
    options = {"dir": path.parent, "prefix": PREFIX, "suffix": ".part", "delete": False}
    with tempfile.NamedTemporaryFile(**options) as file:
        file.write(weights)
    Path(file.name).replace(path)
    return path


def _use_cores(threads: int) -> None:
    """Leave the node's other cores to its other workers: each network uses so many threads.

    If PyTorch has not been imported, other software runs the networks, in one thread each.
    """
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(threads)

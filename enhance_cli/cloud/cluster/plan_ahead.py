"""Planning in a thread of its own, so that workers need not wait for a listing."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from enhance_cli.cloud.shard import Shard


class PlanAhead:
    """Takes shards from a plan before they are asked for, but never many.

    Args:
        shards: The plan, which may be a stream of millions.
        most: Shards that are kept ready.
    """

    def __init__(self, shards: Iterator[Shard], most: int = 4) -> None:
        self._shards, self._most = shards, most
        self._ready: deque[Shard] = deque()
        self._changed = threading.Condition()
        self._ended = self._closed = False
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._plan, name="plan", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the plan is at its end, and all of it has been taken."""
        with self._changed:
            return self._ended and not self._ready and self._problem is None

    def take(self, most: int) -> list[Shard]:
        """Take shards that are ready; does not wait.

        Args:
            most: How many at most.

        Raises:
            EnhanceError: The plan cannot be made; what was ready has been taken before.
        """
        with self._changed:
            taken = [self._ready.popleft() for _ in range(min(most, len(self._ready)))]
            self._changed.notify_all()
            if self._problem is not None and not taken and not self._ready:
                raise self._problem
            return taken

    def close(self) -> None:
        """Plan nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _plan(self) -> None:
        problem = None
        try:
            for shard in self._shards:
                with self._changed:
                    self._changed.wait_for(lambda: len(self._ready) < self._most or self._closed)
                    if self._closed:
                        return
                    self._ready.append(shard)
        except BaseException as raised:
            problem = raised
        finally:
            with self._changed:
                self._problem, self._ended = problem, True

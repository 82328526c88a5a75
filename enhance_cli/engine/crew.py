"""Photos worked on side by side, and given back in order."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_THREADS = 8
"""Photos worked on at a time; beyond, the networks get what cores are left."""

AHEAD = 2
"""Photos begun per thread before the oldest of them has been given back."""

PIXELS_PER_THREAD = 2**25
"""Pixels that each thread may add to what is in memory, at 6 to 15 bytes each."""


class Crew:
    """Threads that decode, look and encode; Pillow, PyTorch and Numba let them run side by side.

    A thread does all that there is to do for a photo, so no result can meet another photo's name.

    Args:
        threads: How many.

    Attributes:
        room: Of the pixels that they hold.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.room = Room(threads * PIXELS_PER_THREAD)
        self._stopping = threading.Event()
        self._abandoned = threading.Event()

    def stop(self) -> None:
        """Begin nothing more; what has been begun is finished."""
        self._stopping.set()

    @property
    def was_stopped(self) -> bool:
        """Whether somebody asked for the end."""
        return self._stopping.is_set()

    def go_on(self) -> None:
        """To be called between two steps of a photo's work.

        Raises:
            AbandonedError: The run has come to an end that cannot wait.
        """
        if self._abandoned.is_set():
            raise AbandonedError

    def run(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Do the work for every item, and give the results in the order of the items.

        Where one raises, or the caller goes away, nothing further is begun, and what is in hand
        ends at the next :meth:`go_on`.
        """
        coming = iter(items)
        waiting: deque[Future[Result]] = deque()
        pool = ThreadPoolExecutor(self.threads, "photo")
        try:
            while True:
                if not self.was_stopped:
                    begun = islice(coming, AHEAD * self.threads - len(waiting))
                    waiting.extend(pool.submit(work, item) for item in begun)
                if not waiting:
                    return
                yield waiting.popleft().result()
        except BaseException:
            self._abandoned.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


class AbandonedError(Exception):
    """Work that nobody waits for any more."""


class Room:
    """Keeps photos out of memory while there are too many pixels in it.

    Args:
        pixels: How many may be in it; a photo that has more goes in alone.
    """

    def __init__(self, pixels: int) -> None:
        self._limit = pixels
        self._held = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def admission(self) -> Iterator[Callable[[int], None]]:
        """Give a function that waits until there is room for so many pixels, and then takes it.

        What it has taken is given back in the end.
        """
        taken = 0

        def admit(pixels: int) -> None:
            nonlocal taken
            with self._changed:
                self._changed.wait_for(lambda: not self._held or self._held + pixels <= self._limit)
                self._held += pixels
                taken += pixels

        try:
            yield admit
        finally:
            with self._changed:
                self._held -= taken
                self._changed.notify_all()


def crew_for(device: torch.device) -> Crew:
    """As many threads as there are cores; a GPU is kept waiting less by some more."""
    cores = available_cores()
    return Crew(min(cores, MOST_THREADS) if device.type == "cpu" else min(2 * cores, 16))


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def cores_shared_out(threads: int) -> Iterator[None]:
    """Give the networks of each thread its share of the cores, and no more."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, available_cores() // threads))
    try:
        yield
    finally:
        torch.set_num_threads(before)

"""Threads that process photos side by side and return the results in order."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from enhance_cli.available_memory import available_memory

Result = TypeVar("Result")

MAX_THREADS = 8
"""Most threads on the CPU, unless ``--jobs`` asks for more, since each takes memory. PyTorch uses
more cores for the networks of each photo; ONNX Runtime uses one."""

MAX_GPU_THREADS = 16
"""Most threads with a GPU; more of them keep it from waiting for decoded photos."""

AHEAD = 2
"""Tasks per thread that are submitted before the oldest of them has been returned."""

_BYTES_PER_PIXEL = 15
"""Most bytes that a pixel takes: those of RAW files. Pixels of JPEGs take six."""


class WorkerPool:
    """A thread pool that is ordered, bounded and cancellable.

    Threads run side by side, since Pillow, Numba and what runs the networks release the GIL.

    Args:
        threads: Number of threads.
        spare: Number of further threads, which compute while others wait for the disk or for each
            other.

    Attributes:
        threads: Number of threads without spare ones; it may grow.
        budget: Limits the pixels that all of them hold in memory.
    """

    def __init__(self, threads: int, spare: int = 0) -> None:
        self.threads = threads
        self._spare = spare
        self.budget = PixelBudget(pixels_that_fit())
        self._growing = threading.Lock()
        self._admitted = threading.Semaphore(threads + spare)
        self._stopping = threading.Event()
        self._cancelled = threading.Event()

    def grow(self, threads: int) -> None:
        """Run up to this many tasks side by side, from now on; the number never falls."""
        with self._growing:
            more = threads - self.threads
            if more > 0:
                self.threads = threads
                self._admitted.release(more)

    def stop(self) -> None:
        """Start no further task; running tasks are finished."""
        self._stopping.set()

    @property
    def was_stopped(self) -> bool:
        """Whether :meth:`stop` has been called."""
        return self._stopping.is_set()

    def check_cancelled(self) -> None:
        """End a task whose batch has been cancelled; tasks call this between their steps.

        Raises:
            BatchCancelledError: The batch has been cancelled.
        """
        if self._cancelled.is_set():
            raise BatchCancelledError

    def run(self, tasks: Iterable[Callable[[], Result]]) -> Iterator[Result]:
        """Run tasks and yield their results in order.

        If a task raises, or the caller stops iterating, no further task is started, and running
        ones end at their next :meth:`check_cancelled`.
        """
        self._cancelled.clear()
        upcoming = iter(tasks)
        pending: deque[Future[Result]] = deque()
        executor = self._start()
        try:
            while True:
                if not self.was_stopped:
                    for task in islice(
                        upcoming, AHEAD * (self.threads + self._spare) - len(pending)
                    ):
                        pending.append(executor.submit(task))
                if not pending:
                    return
                yield pending.popleft().result()
        except BaseException:
            self._cancelled.set()
            raise
        finally:
            self._admitted.release(
                MAX_GPU_THREADS + self._spare
            )  # those that still wait find no task and end
            executor.shutdown(cancel_futures=True)

    def _start(self) -> ThreadPoolExecutor:
        """Threads for a pool of any size; those that it does not have yet wait to be admitted."""
        with self._growing:
            self._admitted = threading.Semaphore(self.threads + self._spare)
            most = max(self.threads, MAX_GPU_THREADS) + self._spare
        return ThreadPoolExecutor(most, "photo", initializer=self._admitted.acquire)


def in_background(function: Callable[[], Result]) -> Future[Result]:
    """Call a function in a thread of its own."""
    future: Future[Result] = Future()
    threading.Thread(target=resolve, args=(future, function)).start()
    return future


def resolve(future: Future[Result], function: Callable[[], Result]) -> None:
    """Call a function, and give a future its result or its exception."""
    try:
        future.set_result(function())
    except BaseException as problem:
        future.set_exception(problem)


class BatchCancelledError(Exception):
    """Raised in workers once the batch is cancelled."""


class PixelBudget:
    """Limits the pixels that all workers hold in memory.

    Args:
        pixels: The limit; a photo with more pixels is processed alone.
    """

    def __init__(self, pixels: int) -> None:
        self._limit = pixels
        self._reserved = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def reservation(self) -> Generator[Callable[[int], None]]:
        """Give a function that waits until a number of pixels is free, and reserves them.

        They are released at the end of the context. After it, the function raises
        :class:`BatchCancelledError`: a photo that was given up reserves nothing.
        """
        own, ended = 0, False

        def reserve(pixels: int) -> None:
            nonlocal own
            with self._changed:
                self._changed.wait_for(
                    lambda: ended or not self._reserved or self._reserved + pixels <= self._limit
                )
                if ended:
                    raise BatchCancelledError
                self._reserved += pixels
                own += pixels

        try:
            yield reserve
        finally:
            with self._changed:
                ended = True
                self._reserved -= own
                self._changed.notify_all()


def threads_for(device: str) -> int:
    """Number of workers: one for each core, or two if the networks run on a GPU.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """
    cores = available_cores()
    return min(cores, MAX_THREADS) if device == "cpu" else min(2 * cores, MAX_GPU_THREADS)


def pixels_that_fit() -> int:
    """Number of pixels of photos for which half of the free memory is enough."""
    return available_memory() // (2 * _BYTES_PER_PIXEL)


def available_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def torch_threads(workers: int) -> Generator[None]:
    """Divide the cores among the workers' networks; restore PyTorch's setting afterwards.

    If PyTorch has not been imported by now, other software runs the networks.
    """
    if (torch := sys.modules.get("torch")) is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, available_cores() // workers))
    try:
        yield
    finally:
        torch.set_num_threads(before)

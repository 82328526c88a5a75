"""A limit of time for work that may never end, such as reading a damaged photo.

A thread cannot be killed, and a process of its own for every photo would cost each of them a copy
of its pixels. So the work is done in a thread of its own, which costs a tenth of a millisecond, and
whoever waits for it stops waiting when the time is over. Nothing of a thread that was given up is
used any more. It ends with its work, and at the latest with the program, which does not wait for
it. (CPython could raise an exception in it, but only once it runs Python code. Until then all other
threads would be slower, and in Python 3.11 they would stand still under a debugger.)

Code that hangs and keeps Python's lock cannot be given up. The libraries that decode photos release
it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

Result = TypeVar("Result")

TICK = 0.5
"""Seconds between two looks at the time."""


class TimeIsUpError(Exception):
    """Work has not ended within its limit."""


class TimeLimit:
    """The time that a piece of work may take.

    Time in which the whole program was stopped, by Ctrl-Z for example, does not count.

    Args:
        seconds: The limit.

    Attributes:
        seconds: The limit; the work itself may extend it.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._used = 0.0
        self._paused = False

    @contextlib.contextmanager
    def paused(self) -> Generator[None]:
        """Do not count the time in this context, in which the work waits for something else."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def run(
        self, work: Callable[[], Result], check_cancelled: Callable[[], None] = lambda: None
    ) -> Result:
        """Do work, and wait for it.

        Args:
            work: It is done in a thread of its own.
            check_cancelled: Called now and then; what it raises ends the waiting.

        Returns:
            What the work returns; what it raises is raised as well.

        Raises:
            TimeIsUpError: The time is over.
            MemoryError: There is no memory for a thread.
        """
        worker = _Worker(work)
        try:
            worker.start()
        except RuntimeError as problem:
            raise MemoryError from problem
        while not worker.ended.wait(TICK):
            check_cancelled()
            self._used += 0 if self._paused else TICK
            if self._used >= self.seconds:
                raise TimeIsUpError
        return worker.result()


class _Worker(threading.Thread, Generic[Result]):
    """Does a piece of work; the program does not wait for it at its end."""

    def __init__(self, work: Callable[[], Result]) -> None:
        super().__init__(name="in time", daemon=True)
        self.ended = threading.Event()
        self._work = work
        self._results: list[Result] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as problem:
            self._error = problem
        finally:
            self.ended.set()

    def result(self) -> Result:
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # it holds the frames, and they hold the pixels
        return self._results.pop()

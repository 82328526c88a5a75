"""Retouches the photos of folders as they come, until it is stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from enhance_cli.atomic_write import identity, why_missing
from enhance_cli.batch.outcome import PhotoOutcome, Status
from enhance_cli.batch.output_paths import Plan, plan_outputs
from enhance_cli.batch.runner import BatchRunner, SharedNetworks
from enhance_cli.batch.watch.changes import Changes
from enhance_cli.batch.watch.settling import Settling
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import NoPhotosError, OutputError, UsageError

RETRY = 5.0
"""Seconds before the next attempt after an error that may pass."""

_LOOKS_A_SECOND = 5.0
_SHARE = 0.5
"""Most looks at the folders a second, and the largest share of the time that they may take."""


@dataclass(frozen=True)
class Trouble:
    """Something keeps the watch from its work for now.

    Attributes:
        text: What is wrong, and how it goes on.
    """

    text: str


class Watcher:
    """Watches folders. Iterating over it yields outcomes and troubles until :meth:`stop` is called.

    Whatever came while nobody watched is done at the start. As with ``enhance apply``, photos whose
    results are up to date are skipped. Options hold as they were at the start; the look that an
    ``enhance.toml`` gives a folder is that of the moment at which a photo's turn comes.

    Args:
        config: The settings of all runs.
        settle: Seconds for which a photo must be still.
        poll: Whether to look at the folders now and then, and not to ask the system for changes.

    Attributes:
        changes: Waits for changes.

    Raises:
        EnhanceError: Inputs, output folder, weights or device cannot be used.
    """

    def __init__(self, config: ApplyConfig, settle: float, poll: bool = False) -> None:
        self._config = config
        self._settling = Settling(settle)
        self._networks = SharedNetworks()
        self._stopped = False
        self._runner: BatchRunner | None = None
        self._last_problem: str | None = None
        self._looked, self._look_seconds = 0.0, 0.0
        _refuse_unusable(config)
        own = [config.out, config.compare, config.lut]
        every = min(max(settle / 2, 1 / _LOOKS_A_SECOND), RETRY)
        self.changes = Changes(config.inputs, [path for path in own if path], every, poll)
        plan = replace(self._plan(), jobs=())
        runner = BatchRunner(config, plan, self._networks)  # tells at once what is wrong
        self._warnings = list(_lasting(runner.plan))
        self._warned = set(self._warnings)

    @property
    def is_busy(self) -> bool:
        """Whether photos are being retouched."""
        return self._runner is not None

    def stop(self) -> None:
        """End the iteration after the photos in progress; may be called by a signal's handler."""
        self._stopped = True
        if self._runner is not None:
            self._runner.stop()
        self.changes.wake()

    def __iter__(self) -> Iterator[PhotoOutcome | Trouble]:
        """Retouch photos as they come.

        Raises:
            EnhanceError: No photo can ever be retouched.
        """
        with self.changes.opened():
            while not self._stopped:
                try:
                    plan = self._plan()
                    yield from map(Trouble, self._take_warnings(plan))
                    ready = self._settling.look(job.input for job in plan.jobs)
                    if ready:
                        yield from self._run(plan, ready)
                    self._last_problem = None
                except (OutputError, UsageError) as problem:
                    if str(problem) != self._last_problem:
                        self._last_problem = str(problem)
                        yield Trouble(f"{problem}; trying again every {RETRY:g} s")
                    self._wait_out(RETRY)
                    continue
                if not (self._stopped or ready):
                    self._wait()
                if (problem := self.changes.take_problem()) is not None:
                    yield Trouble(problem)

    def _plan(self) -> Plan:
        """All photos that are there; the names of results depend on all of them."""
        started = time.monotonic()
        try:
            return plan_outputs(self._config)
        except NoPhotosError:
            return Plan(())
        finally:
            self._looked = time.monotonic()
            self._look_seconds = self._looked - started

    def _take_warnings(self, plan: Plan) -> list[str]:
        """What is to be told of the folders that was not told before."""
        now = set(_lasting(plan))
        new = self._warnings + sorted(now - self._warned)
        self._warnings, self._warned = [], now
        return new

    def _run(self, plan: Plan, ready: Collection[Path]) -> Iterator[PhotoOutcome | Trouble]:
        """Retouch the photos whose turn it is."""
        jobs = tuple(job for job in plan.jobs if job.input in ready)
        runner = self._runner = BatchRunner(self._config, replace(plan, jobs=jobs), self._networks)
        try:
            if self._stopped:
                return
            for outcome in runner:
                if outcome.status is not Status.FAILED:
                    self._settling.done(outcome.input)
                elif not self._settling.failed(outcome.input):
                    seconds = self._settling.next_attempt(outcome.input)
                    if seconds is not None:
                        yield Trouble(
                            f"{outcome.error}; perhaps it is not complete: trying again in "
                            f"{seconds:.0f} s"
                        )
                    continue
                yield outcome
        finally:
            self._runner = None
            runner.close()

    def _wait(self) -> None:
        """Wait for a change, or for the next photo to be still for long enough."""
        due, every = self._settling.wait(), self.changes.every
        self.changes.wait(every if due is None else min(due, every))
        self._wait_out(max(self._look_seconds / _SHARE, 1 / _LOOKS_A_SECOND) - self._since_look)

    @property
    def _since_look(self) -> float:
        return time.monotonic() - self._looked

    def _wait_out(self, seconds: float) -> None:
        """Wait whatever changes, unless the watch is stopped."""
        until = time.monotonic() + seconds
        while not self._stopped and (rest := until - time.monotonic()) > 0:
            self.changes.wait(rest)


def _lasting(plan: Plan) -> Iterator[str]:
    """The warnings that hold whatever photos are there at the moment."""
    return (line for line in plan.warnings if not line.startswith("--exclude"))


def _refuse_unusable(config: ApplyConfig) -> None:
    for path in config.inputs:
        if not os.path.isdir(path):  # noqa: PTH112
            there = os.path.exists(path)  # noqa: PTH110
            no_folder = "not a folder, and only folders are watched"
            raise UsageError(
                f"{path}: {no_folder if there else why_missing(path, 'no such folder')}"
            )
        if config.out is not None and identity(path) == identity(config.out):
            raise UsageError(
                f"--out {config.out}: is watched; choose another folder, or give --suffix instead"
            )
    if config.on_conflict == "error":
        raise UsageError("--on-conflict error: a watch goes on; choose skip, rename or overwrite")

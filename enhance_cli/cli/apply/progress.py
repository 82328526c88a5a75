"""A batch on the terminal: its progress, its problems, and how it is stopped."""

from __future__ import annotations

import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from enum import Enum
from pathlib import Path, PurePath
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from enhance_cli.atomic_write import Identity
from enhance_cli.cli.console import messages, printable, say, say_error, say_warning
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import EnhanceError, UsageError
from enhance_cli.freed_memory import return_freed_memory

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.status import Status

    from enhance_cli.batch.outcome import PhotoOutcome
    from enhance_cli.batch.runner import BatchRunner
    from enhance_cli.cloud.shard import ShardOutcome

LOADING = "loading the networks"
"""Shown on a terminal until the first photo is done, which takes one to three seconds."""

SECONDS_PER_LINE = 30.0
"""Time between two lines about a cluster where there is no bar."""

MAX_REPEATS = 3
"""How often the same warning is printed photo by photo."""


class Verbosity(Enum):
    """How much is printed: problems only, progress, or details of every photo."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"


def chosen_verbosity(quiet: bool, verbose: bool) -> Verbosity:
    """How much is printed.

    Raises:
        UsageError: Two options contradict each other.
    """
    if quiet and verbose:
        raise UsageError("--quiet and --verbose: give one of the two")
    return Verbosity.QUIET if quiet else Verbosity.VERBOSE if verbose else Verbosity.NORMAL


class BatchEnd(NamedTuple):
    """How a run ended.

    Attributes:
        outcomes: The photos.
        interrupted: Whether Ctrl-C ended the run early.
        gallery: The gallery that was written, or None.
        warnings: What was told of the whole run, such as folders that could not be read.
        problem: Why the run could not go on, such as a full disk; None if it could.
    """

    outcomes: list[PhotoOutcome]
    interrupted: bool
    gallery: Path | None
    warnings: tuple[str, ...] = ()
    problem: EnhanceError | None = None


def run_batch(
    config: ApplyConfig,
    verbosity: Verbosity = Verbosity.NORMAL,
    report: Callable[[PhotoOutcome], None] = lambda _outcome: None,
    told: Callable[[PhotoOutcome], PhotoOutcome] = lambda outcome: outcome,
    original: Identity | None = None,
    idle: Callable[[Iterable[Path]], Iterable[str]] = lambda _results: (),
) -> BatchEnd:
    """Run a batch and show its progress.

    Args:
        config: The run's settings.
        verbosity: How much is printed.
        report: Called with the outcome of each photo, before it is shown.
        told: Gives an outcome as it is to be reported and shown.
        original: A file besides the photos that no output may replace.
        idle: Gives warnings of options that have no effect on any of the results.

    Returns:
        The outcomes, and how the run ended.

    Raises:
        EnhanceError: The run cannot begin.
    """
    with _spinner("looking for photos", verbosity):
        from enhance_cli.batch.runner import BatchRunner

        return_freed_memory()
        runner = BatchRunner(config) if original is None else _guarding(original, config)
    if verbosity is not Verbosity.QUIET:
        say_beforehand(runner)
    warnings = (*runner.plan.warnings, *idle(job.output for job in runner.plan.jobs))
    for warning in warnings:
        say_warning(warning)
    outcomes: list[PhotoOutcome] = []
    try:
        with signals_stop(runner), ApplyProgress(len(runner.plan.jobs), verbosity) as progress:
            runner.looked_at = progress.look
            for outcome in map(told, runner):
                report(outcome)
                outcomes.append(outcome)
                progress.update(outcome)
    except KeyboardInterrupt:
        return BatchEnd(outcomes, True, runner.gallery, warnings)
    except EnhanceError as problem:
        return BatchEnd(outcomes, runner.was_stopped, runner.gallery, warnings, problem)
    return BatchEnd(outcomes, runner.was_stopped, runner.gallery, warnings)


def _guarding(original: Identity, config: ApplyConfig) -> BatchRunner:
    """A run that takes one more file for an original."""
    from enhance_cli.batch.output_paths import plan_outputs
    from enhance_cli.batch.runner import BatchRunner

    plan = plan_outputs(config)
    originals = replace(plan.originals, files=plan.originals.files | {original})
    return BatchRunner(config, replace(plan, originals=originals))


def say_settings(file: str) -> None:
    """Name a settings file that counts."""
    say(f"settings from {file} (--no-toml ignores it)")


def say_beforehand(runner: BatchRunner) -> None:
    """Say which files beside the photos have a say in the run, and which were passed over."""
    if runner.plan.passed_over:
        say(runner.plan.passed_over)
    for path in runner.look_files:
        say_settings(str(path))


def _spinner(text: str, verbosity: Verbosity) -> contextlib.AbstractContextManager[Status | None]:
    """A text with a spinner for as long as a context lasts; nothing if stderr is no terminal."""
    if verbosity is Verbosity.QUIET or not messages.is_terminal:
        return contextlib.nullcontext()
    return messages.status(text)


class Stoppable(Protocol):
    """Something that works on photos until it is stopped."""

    def stop(self) -> None:
        """End after the photos in progress."""
        ...


@contextlib.contextmanager
def signals_stop(
    work: Stoppable,
    numbers: Iterable[int] = (signal.SIGINT,),
    is_busy: Callable[[], bool] = lambda: True,
) -> Generator[None]:
    """End the work after the photos in progress at the first Ctrl-C, at once at the second.

    Args:
        work: What is to be stopped.
        numbers: The signals that do so.
        is_busy: Whether there are photos in progress.
    """

    def first(_number: int, _frame: object) -> None:
        restore()
        work.stop()
        # RuntimeError: the signal interrupted a write to the same stream, which cannot be nested.
        with contextlib.suppress(RuntimeError):
            if is_busy():
                say("finishing the photos in progress; press Ctrl-C again to stop at once")

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {number: signal.signal(number, first) for number in numbers}
    try:
        yield
    finally:
        restore()


class ApplyProgress:
    """A progress bar on a terminal, and a line for each photo elsewhere.

    A warning that many photos share is printed a few times, and counted at the end.

    Args:
        total: Number of photos; None if it is not known yet.
        verbosity: How much is printed.
        cluster_status: On a cluster, says in a few words who is at work. It is shown instead of
            names, as there may be many photos a second.
    """

    def __init__(
        self,
        total: int | None,
        verbosity: Verbosity,
        cluster_status: Callable[[], str] | None = None,
    ) -> None:
        self._cluster_status = cluster_status if verbosity is not Verbosity.VERBOSE else None
        self._told = time.monotonic()
        self._total, self._done = str(total), 0
        self._verbosity = verbosity
        self._warned: Counter[str] = Counter()
        with_bar = messages.is_terminal and verbosity is Verbosity.NORMAL
        self._bar = _bar(disable=not with_bar)
        self._with_lines = not with_bar and verbosity is not Verbosity.QUIET
        self._task = self._bar.add_task(LOADING, total=total, rate="")
        self._loading = contextlib.ExitStack()

    def __enter__(self) -> ApplyProgress:
        if self._verbosity is Verbosity.VERBOSE:
            self._loading.enter_context(_spinner(LOADING, self._verbosity))
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loading.close()
        self._bar.stop()
        for warning, count in self._warned.items():
            if count > MAX_REPEATS:
                more = count - MAX_REPEATS
                say_warning(f"{count} photos in all, {more} of them not listed: {warning}")

    def look(self, done: int, total: int) -> None:
        """Show that photos are compared with each other before the first one is retouched."""
        self._loading.close()
        if self._with_lines and done == total:
            say(f"looked for series in {total} {'photo' if total == 1 else 'photos'}")
        self._bar.update(self._task, description=f"looking for series, {done} of {total}")

    def grow(self, photos: int, is_all: bool) -> None:
        """Show how many photos are known, and whether more may be found."""
        self._total = str(photos) if is_all else f"{photos}+"
        self._bar.update(self._task, total=photos)

    def update(self, outcome: PhotoOutcome | ShardOutcome) -> None:
        """Show the outcome of one more photo."""
        self._loading.close()
        self._done += 1
        if outcome.error:
            say_error(outcome.error)
        for warning in outcome.warnings:
            self._warned[warning] += 1
            if self._warned[warning] <= MAX_REPEATS:
                say_warning(f"{outcome.input}: {warning}")
        speed = self._bar.tasks[0].finished_speed or self._bar.tasks[0].speed
        rate = f"{speed:.1f} photos/s" if speed else ""
        who = (
            self._cluster_status()
            if self._cluster_status
            else printable(PurePath(outcome.input).name)
        )
        self._bar.update(self._task, advance=1, description=who, rate=rate)
        if not self._with_lines:
            return
        if self._cluster_status is None and not outcome.error:
            say(self._line(outcome))
        elif self._cluster_status is not None and time.monotonic() > self._told + SECONDS_PER_LINE:
            self._told = time.monotonic()
            say(", ".join(part for part in (f"[{self._done}/{self._total}]", rate, who) if part))

    def _line(self, outcome: PhotoOutcome | ShardOutcome) -> str:
        line = f"[{self._done}/{self._total}] {outcome.input}: {outcome.status}"
        if self._verbosity is Verbosity.VERBOSE:
            return f"{line} ({outcome.reason}), {outcome.seconds:.2f} s, {outcome.output}"
        return f"{line} ({outcome.reason})" if outcome.status == "skipped" else line


def _bar(disable: bool) -> Progress:
    """A bar with the number of photos, their rate and the time that is left."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
        console=messages,
        transient=True,
        disable=disable,
    )

"""A batch on the terminal: how it goes, what goes wrong, and how it is stopped."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from enhance_cli.cli.console import messages, say, say_error, say_warning
from enhance_cli.config import ApplyConfig

if TYPE_CHECKING:
    from enhance_cli.engine.application import Application, PhotoOutcome

TOLD = 3
"""How often one warning is told photo by photo."""


def run_batch(config: ApplyConfig) -> tuple[list[PhotoOutcome], bool]:
    """Run a batch and show how it goes.

    Returns:
        The outcomes, and whether Ctrl-C cut them short.

    Raises:
        EnhanceError: The run cannot start or go on.
    """
    from enhance_cli.engine.application import Application

    run = Application(config)
    for warning in run.plan.warnings:
        say_warning(warning)
    outcomes: list[PhotoOutcome] = []
    try:
        with _ctrl_c_stops(run):
            for outcome in _shown(run):
                outcomes.append(outcome)
    except KeyboardInterrupt:
        return outcomes, True
    return outcomes, run.was_stopped


@contextlib.contextmanager
def _ctrl_c_stops(run: Application) -> Iterator[None]:
    """Let the first Ctrl-C end the run after the photos in hand, and a second one at once."""

    def first(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        run.stop()
        say("stopping after the photos in hand; Ctrl-C again stops at once")

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _shown(run: Application) -> Iterator[PhotoOutcome]:
    """Pass outcomes on, with a progress bar on a terminal and a line a photo elsewhere."""
    total = len(run.plan.photos)
    problems = _Problems()
    try:
        if messages.is_terminal:
            yield from _with_bar(run, total, problems)
            return
        for number, outcome in enumerate(run, start=1):
            problems.tell(outcome)
            if outcome.status != "failed":
                say(f"[{number}/{total}] {outcome.input}: {outcome.status}")
            yield outcome
    finally:
        problems.tell_how_many()


def _with_bar(
    outcomes: Iterable[PhotoOutcome], total: int, problems: _Problems
) -> Iterator[PhotoOutcome]:
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=messages, transient=True) as progress:
        task = progress.add_task("", total=total, rate="")
        for outcome in outcomes:
            problems.tell(outcome)
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
            progress.update(
                task,
                advance=1,
                description=outcome.input.name,
                rate=f"{speed:.1f} photos/s" if speed else "",
            )
            yield outcome


class _Problems:
    """Tells of what went wrong; of a warning that many photos share, a few times only."""

    def __init__(self) -> None:
        self._told: Counter[str] = Counter()

    def tell(self, outcome: PhotoOutcome) -> None:
        if outcome.error:
            say_error(outcome.error)
        for warning in outcome.warnings:
            self._told[warning] += 1
            if self._told[warning] <= TOLD:
                say_warning(f"{outcome.input}: {warning}")

    def tell_how_many(self) -> None:
        for warning, count in self._told.items():
            if count > TOLD:
                say_warning(f"{count} photos in all, {count - TOLD} of them not named: {warning}")

"""A training run on the terminal: what it will do, how far it is, and what to do with its file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from enhance_cli.cli.console import counted, messages, say

if TYPE_CHECKING:
    from enhance_cli.training.plan import StagePlan
    from enhance_cli.training.trainer import EpochReport, StepReport

MEASURED_STEPS = 10
"""Number of steps of a stage after which it is said how long the stage takes."""

_NETWORKS = {"cenet": "CENet", "prnet": "PRNet"}


class TrainingBar:
    """Progress of a whole run."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = TextColumn("{task.description}"), BarColumn()
        self.progress = Progress(
            *columns,
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=messages,
            transient=True,
            disable=not messages.is_terminal,
        )
        self._task = self.progress.add_task("preparing the first step")
        self._plan: list[StagePlan] = []
        self._measured: set[tuple[str, str]] = set()
        self._first: tuple[tuple[str, str], float, int] | None = None

    def announce(self, plan: list[StagePlan]) -> None:
        """Say what the run will do, before its first step."""
        self._plan = plan
        for one in plan:
            say(_stage_line(one))
        left = sum(one.steps_left for one in plan)
        say(
            f"{counted(left, 'step')} in all; an estimate of the time follows after "
            f"{MEASURED_STEPS} steps"
        )
        self.progress.update(self._task, total=max(1, left))

    def update(self, report: StepReport) -> None:
        """Show the progress after a step, and say how long the stage takes once that is known."""
        self._measure(report)
        self.progress.update(
            self._task,
            description=(
                f"{report.variant} {report.stage} {report.epoch}/{report.epochs}  "
                f"{report.loss_name} loss {report.loss:.5f}"
            ),
            completed=self._steps_done(report),
        )

    def _steps_done(self, report: StepReport) -> int:
        done = 0
        for one in self._plan:
            if (one.variant, one.stage.name) == (report.variant, report.stage):
                return done + (report.epoch - 1 - one.done) * one.steps + report.step
            done += one.steps_left
        return done

    def _measure(self, report: StepReport) -> None:
        """Time the steps of a stage after its first one, which is slow."""
        key, now = (report.variant, report.stage), time.perf_counter()
        if key in self._measured:
            return
        number = (report.epoch - 1) * report.steps + report.step
        if self._first is None or self._first[0] != key:
            self._first = key, now, number
            return
        _, began, first = self._first
        if number - first < MEASURED_STEPS - 1:
            return
        self._measured.add(key)
        pace = (now - began) / (number - first)
        left = report.epochs * report.steps - number
        if left:
            say(
                f"{report.variant} {report.stage}: {pace:.2f} s a step, so the stage takes about "
                f"{_duration(pace * left)} more"
            )


def _stage_line(one: StagePlan) -> str:
    stage = one.stage
    line = (
        f"{one.variant} {stage.name}: {_NETWORKS[stage.trains]}, {counted(stage.epochs, 'epoch')} "
        f"of {counted(one.steps, 'step')}, {stage.loss} loss"
    )
    if one.done >= stage.epochs:
        return f"{line}; finished before"
    return f"{line}; continuing after epoch {one.done}" if one.done else line


def _duration(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} hours"
    if seconds >= 90:
        return f"{seconds / 60:.0f} minutes"
    return counted(max(1, round(seconds)), "second")


def epoch_line(report: EpochReport) -> str:
    """Sum up an epoch in one line."""
    line = (
        f"{report.variant} {report.stage} {report.epoch}/{report.epochs}  "
        f"{report.loss_name} loss {report.loss:.5f}  "
        f"rate {report.learning_rate:.2e}  {report.photos_per_second:.1f} photos/s"
    )
    score = report.score
    if score:
        line += f"  PSNR {score.psnr:.2f} dB  L2 Lab {score.l2_lab:.2f}  SSIM {score.ssim:.3f}"
    return line + ("  best" if report.best else "")


def say_what_to_do_with(out: Path) -> None:
    """Say that weights were written, and how to use and to score them."""
    say(f"wrote {out}")
    if out.is_file():
        say(f"to use it: enhance apply PHOTOS --out DIR --weights {out}")
    say(f"to score it: enhance eval --pairs OTHER_PAIRS --weights {out}")

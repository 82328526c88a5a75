"""``enhance apply``: retouch photos."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from enhance_cli.cli.console import (
    ExitCode,
    error_boundary,
    messages,
    results,
    say,
    say_error,
    say_warning,
)
from enhance_cli.config import LONG_EDGE, ApplyConfig

if TYPE_CHECKING:
    from enhance_cli.engine.application import Application, PhotoOutcome


@error_boundary
def apply(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT", help="Photos and folders; folders with all below them."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results; made if need be.")],
    coarse_only: Annotated[
        bool, typer.Option("--coarse-only", help="Only the global colour map, without refinement.")
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(help="Weights file in place of the one that comes with it.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    long_edge: Annotated[
        int,
        typer.Option(min=1, max=1000, help="Longer edge of the results in pixels; never enlarged."),
    ] = LONG_EDGE,
    quality: Annotated[
        int, typer.Option(min=1, max=100, help="Of JPEG, WebP and AVIF.")
    ] = ApplyConfig.quality,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Redo photos whose result is already there.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run as one JSON document.")
    ] = False,
) -> None:
    """Retouch photos and write the results to a folder of their own.

    Reads JPEG, PNG, TIFF, WebP, AVIF and camera RAW. Originals are never changed.
    """
    outcomes, interrupted = run_batch(
        ApplyConfig(
            inputs=tuple(inputs),
            out=out,
            coarse_only=coarse_only,
            weights=weights,
            device=device,
            long_edge=long_edge,
            overwrite=overwrite,
            quality=quality,
        )
    )
    if as_json:
        print(json.dumps(_document(outcomes), ensure_ascii=False, indent=2))
    else:
        results.print(_summary(outcomes, out, long_edge), markup=False, soft_wrap=True)
    if interrupted:
        say_error("interrupted; the same command goes on where this run stopped")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if any(one.status == "failed" for one in outcomes):
        raise typer.Exit(ExitCode.SOME_FAILED)


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
        for outcome in _shown(run):
            outcomes.append(outcome)
    except KeyboardInterrupt:
        return outcomes, True
    return outcomes, False


def _shown(run: Application) -> Iterator[PhotoOutcome]:
    """Pass outcomes on, with a progress bar on a terminal and a line a photo elsewhere."""
    total = len(run.plan.photos)
    if messages.is_terminal:
        yield from _with_bar(run, total)
        return
    for number, outcome in enumerate(run, start=1):
        _say_problems(outcome)
        if outcome.status != "failed":
            say(f"[{number}/{total}] {outcome.input}: {outcome.status}")
        yield outcome


def _with_bar(outcomes: Iterable[PhotoOutcome], total: int) -> Iterator[PhotoOutcome]:
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
            _say_problems(outcome)
            speed = progress.tasks[0].finished_speed or progress.tasks[0].speed
            progress.update(
                task,
                advance=1,
                description=outcome.input.name,
                rate=f"{speed:.1f} photos/s" if speed else "",
            )
            yield outcome


def _say_problems(outcome: PhotoOutcome) -> None:
    if outcome.error:
        say_error(outcome.error)
    for warning in outcome.warnings:
        say_warning(f"{outcome.input}: {warning}")


def _summary(outcomes: list[PhotoOutcome], out: Path, long_edge: int) -> str:
    count = _counts(outcomes)
    lines = [
        f"{count['done']} done, {count['failed']} failed, {count['skipped']} skipped; in {out}"
    ]
    if count["skipped"]:
        lines.append("Skipped photos have a result there already; --overwrite redoes them.")
    if count["failed"]:
        lines.append("Failed photos are named above, each with the reason.")
    default = " (the default)" if long_edge == LONG_EDGE else ""
    lines.append(
        f"Results measure {long_edge} px on the longer edge{default}, smaller photos keep their "
        "size; --long-edge changes it."
    )
    return "\n".join(lines)


def _document(outcomes: list[PhotoOutcome]) -> dict[str, object]:
    photos = [
        {
            "input": str(one.input),
            "output": str(one.output) if one.output else None,
            "status": str(one.status),
            "error": one.error,
            "seconds": round(one.seconds, 3),
        }
        for one in outcomes
    ]
    return {**_counts(outcomes), "photos": photos}


def _counts(outcomes: list[PhotoOutcome]) -> dict[str, int]:
    statuses = [str(one.status) for one in outcomes]
    return {status: statuses.count(status) for status in ("done", "failed", "skipped")}

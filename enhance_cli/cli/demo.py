"""``enhance demo``: retouch a few photos that come with scikit-image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from enhance_cli.atomic_write import make_folder, remedy
from enhance_cli.cli.apply.progress import run_batch
from enhance_cli.cli.console import ExitCode, error_boundary, say, say_result, say_warning
from enhance_cli.cli.options import device_option
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import OutputError, PlaceTakenError


@error_boundary
def demo(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Folder for photos/, retouched/ and before-after.jpg.",
            show_default="the current folder",
        ),
    ] = Path(),
    device: Annotated[str, device_option()] = ApplyConfig.device,
) -> None:
    """Retouch a few example photos, and show them before and after."""
    from enhance_cli.batch.conflicts import IN_THE_WAY
    from enhance_cli.batch.demo import SHEET, write_demo_photos, write_sheet

    photos, retouched, sheet = folder / "photos", folder / "retouched", folder / SHEET
    try:
        make_folder(photos)
    except OSError as problem:
        raise OutputError(
            f"{folder}: {problem.strerror or problem}; {remedy(problem, 'choose another folder')}"
        ) from problem
    inputs = tuple(write_demo_photos(photos))
    say(f"{len(inputs)} photos are in {photos}")
    end = run_batch(ApplyConfig(inputs=inputs, out=retouched, device=device))
    if end.problem:
        raise end.problem
    if end.interrupted:
        raise KeyboardInterrupt
    outcomes = end.outcomes
    for outcome in outcomes:
        if outcome.reason in IN_THE_WAY:
            say_warning(f"{outcome.output}: {outcome.reason}; it was left as it is")
    shown = False
    try:
        shown = write_sheet(outcomes, sheet, retouched)
    except PlaceTakenError as taken:
        say_warning(str(taken))
    retouched_some = any(one.output and one.reason not in IN_THE_WAY for one in outcomes)
    say_result(
        *([f"Retouched photos are in {retouched}"] if retouched_some else []),
        *([f"Before and after, side by side: {sheet}"] if shown else []),
        f"Your own: enhance apply {photos} --out {retouched}",
    )
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(ExitCode.SOME_FAILED)

"""``enhance demo``: retouch a few photos that come with scikit-image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from enhance_cli.cli.apply_progress import run_batch
from enhance_cli.cli.console import ExitCode, error_boundary, results, say
from enhance_cli.cli.options import device_option
from enhance_cli.config.apply import ApplyConfig


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
    from enhance_cli.batch.demo import SHEET, write_demo_photos, write_sheet

    photos, retouched, sheet = folder / "photos", folder / "retouched", folder / SHEET
    inputs = tuple(write_demo_photos(photos))
    say(f"wrote {len(inputs)} photos to {photos}")
    outcomes, interrupted = run_batch(
        ApplyConfig(inputs=inputs, out=retouched, device=device, on_conflict="overwrite")
    )
    if interrupted:
        raise KeyboardInterrupt
    write_sheet(outcomes, sheet)
    results.print(f"Retouched photos are in {retouched}", markup=False, soft_wrap=True)
    results.print(f"Before and after, side by side: {sheet}", markup=False, soft_wrap=True)
    results.print(f"Your own: enhance apply {photos} --out {retouched}", markup=False)
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(ExitCode.SOME_FAILED)

"""``enhance eval``: score weights on held-out pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import track
from rich.table import Table

from enhance_cli.cli.console import error_boundary, messages, results, say_warning
from enhance_cli.config import EvalConfig

if TYPE_CHECKING:
    from enhance_cli.engine.evaluation import Row


@error_boundary
def evaluate(
    fivek_root: Annotated[
        Path, typer.Option(help="Folder that holds input/ and expertC/ with equal names.")
    ],
    split: Annotated[
        str, typer.Option(help="Photos to score on: random250, validation50, or a file of ids.")
    ] = EvalConfig.split,
    weights: Annotated[
        list[Path] | None, typer.Option(help="Weights to score. May be repeated.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = EvalConfig.device,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Score weights against the expert's versions: PSNR, L2 Lab and SSIM.

    The identity row is the originals themselves. Photos are scored at 500 px on the longer edge.
    """
    from enhance_cli.engine.evaluation import Evaluation

    run = Evaluation(EvalConfig(fivek_root, split, tuple(weights or ()), device))
    total = len(run.pairs) * (1 + len(run.methods))
    for _ in track(run, "scoring", total, console=messages, transient=True):
        pass
    rows = run.rows
    if as_json:
        print(json.dumps(_document(split, len(run.pairs), rows), indent=2))
    else:
        results.print(_table(split, len(run.pairs), rows))
    for row in rows:
        if row.trained_on:
            say_warning(
                f"{row.method} was trained on {row.trained_on} of these {row.photos} photos; "
                "its figures say nothing about new ones"
            )


def _table(split: str, photos: int, rows: list[Row]) -> Table:
    from enhance_cli.imaging.metrics import SSIM_SETTINGS

    table = Table(title=f"{split}: {photos} photos", caption=f"SSIM: {SSIM_SETTINGS}")
    table.add_column("method")
    for heading in ("L2 Lab", "PSNR (dB)", "SSIM", "trained on"):
        table.add_column(heading, justify="right")
    for row in rows:
        one = row.score
        known = f"{row.trained_on} of them" if row.trained_on else ""
        table.add_row(row.method, f"{one.l2_lab:.2f}", f"{one.psnr:.2f}", f"{one.ssim:.3f}", known)
    return table


def _document(split: str, photos: int, rows: list[Row]) -> dict[str, Any]:
    from enhance_cli.imaging.metrics import SSIM_SETTINGS

    return {
        "split": split,
        "photos": photos,
        "ssim": SSIM_SETTINGS,
        "rows": [
            {
                "method": row.method,
                "psnr": row.score.psnr,
                "l2_lab": row.score.l2_lab,
                "ssim": row.score.ssim,
                "photos": row.photos,
                "trained_on": row.trained_on,
                "weights": row.weights,
            }
            for row in rows
        ],
    }

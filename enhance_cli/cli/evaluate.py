"""``enhance eval``: score weights on held-out pairs."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import track
from rich.table import Table

from enhance_cli.cli.console import error_boundary, messages, results, say, say_warning
from enhance_cli.cli.gathering import show_preparation
from enhance_cli.config import DataConfig, EvalConfig, Expert, Source
from enhance_cli.errors import OutputError
from enhance_cli.files import written_whole

if TYPE_CHECKING:
    from enhance_cli.engine.evaluation import Evaluation, Harm, PhotoScore, Row
    from enhance_cli.engine.published import PublishedRow


@error_boundary
def evaluate(
    fivek_root: Annotated[
        Path | None,
        typer.Option(help="A copy of MIT-Adobe FiveK, in any layout in which it is handed on."),
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of pairs: before/ and after/. May be repeated."),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            help="Photos to score on: random250, highvar50, validation50, or a file of ids."
        ),
    ] = "random250",
    expert: Annotated[
        Expert, typer.Option(help="Whose versions of FiveK to score against.")
    ] = DataConfig.expert,
    weights: Annotated[
        list[Path] | None,
        typer.Option(help="Weights to score, or a folder of them. May be repeated."),
    ] = None,
    outputs: Annotated[
        list[Path] | None,
        typer.Option(
            help="A folder of another system's pictures, named as the photos are. May be repeated."
        ),
    ] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="Add what the paper's tables 1 and 2 print.")
    ] = False,
    per_photo: Annotated[
        Path | None, typer.Option(help="Write the figures of every photo to this CSV file.")
    ] = None,
    panel: Annotated[
        Path | None,
        typer.Option(help="Write a comparison of every photo to this folder, as figure 3 does."),
    ] = None,
    with_coarse: Annotated[
        bool,
        typer.Option("--with-coarse", help="Also score CENet's half of the weights alone."),
    ] = False,
    do_no_harm: Annotated[
        bool,
        typer.Option(
            "--do-no-harm", help="Also give the weights the expert's versions, finished already."
        ),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = EvalConfig.device,
    cache_dir: Annotated[Path | None, typer.Option(help="Where prepared photos are kept.")] = None,
    skip_bad_pairs: Annotated[
        bool, typer.Option("--skip-bad-pairs", help="Go on without pairs that do not fit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Score weights against the expert's versions: L2 Lab, PSNR and SSIM, as tables 1 and 2.

    The identity row is the originals themselves. Photos are scored at 500 px on the longer edge.
    """
    from enhance_cli.engine.evaluation import Evaluation

    fivek = [Source("fivek", fivek_root)] if fivek_root else []
    sources = [*fivek, *(Source("pairs", path) for path in pairs or [])]
    data = DataConfig(tuple(sources), split, expert, cache_dir, skip_bad_pairs)
    config = EvalConfig(
        data, tuple(weights or ()), tuple(outputs or ()), panel, with_coarse, do_no_harm, device
    )
    run = Evaluation(config)
    show_preparation(run, run.collection)
    for bad in run.bad:
        say_warning(f"without {bad.key}: {bad.reason}")
    quiet = not messages.is_terminal
    scores = list(track(run, "scoring", run.total, console=messages, transient=True, disable=quiet))
    if per_photo:
        _write_per_photo(per_photo, scores)
    if as_json:
        print(json.dumps(_document(split, expert, run, paper), indent=2))
    else:
        results.print(_table(split, run, paper))
    if panel:
        say(f"wrote {len(run.pairs)} comparisons to {panel}")
    _warn_of_known_photos(run.rows)


def _warn_of_known_photos(rows: list[Row]) -> None:
    for row in rows:
        if row.trained_on:
            say_warning(
                f"{row.method} was trained on {row.trained_on} of these {row.photos} photos; "
                "its figures say nothing about new ones"
            )


def _table(split: str, run: Evaluation, paper: bool) -> Table:
    from enhance_cli.engine.published import PUBLISHED
    from enhance_cli.imaging.metrics import SSIM_SETTINGS

    title = f"{split}: {len(run.pairs)} photos, expert {run.collection.config.expert.upper()}"
    caption = f"SSIM: {SSIM_SETTINGS}"
    if run.harms:
        caption += "\ndo no harm: expert's photos given, and how far they are changed"
    table = Table(title=title, caption=caption)
    table.add_column("method")
    for heading in ("L2 error (LAB)", "PSNR (dB)", "SSIM", "trained on"):
        table.add_column(heading, justify="right")
    for row in run.rows:
        one = row.score
        known = f"{row.trained_on} of them" if row.trained_on else ""
        table.add_row(row.method, f"{one.l2_lab:.2f}", f"{one.psnr:.2f}", f"{one.ssim:.3f}", known)
    if run.harms:
        table.add_section()
        table.add_row("do no harm:")
    for harm in run.harm_rows:
        one = harm.score
        figures = f"{one.l2_lab:.2f}", f"{one.psnr:.2f}", f"{one.ssim:.3f}"
        table.add_row(f"{harm.method}, {harm.visible} above 10", *figures)
    if paper:
        for number in (1, 2):
            table.add_section()
            table.add_row(f"table {number} of the paper:")
            for published in PUBLISHED:
                if published.table == number:
                    table.add_row(f"{published.method}, published", *_printed(published))
    return table


def _printed(row: PublishedRow) -> list[str]:
    figures = ((row.l2_lab, 2), (row.psnr, 2), (row.ssim, 3))
    return ["-" if value is None else f"{value:.{digits}f}" for value, digits in figures]


def _document(split: str, expert: str, run: Evaluation, paper: bool) -> dict[str, Any]:
    from enhance_cli.engine.published import PUBLISHED
    from enhance_cli.imaging.metrics import SSIM_SETTINGS

    document: dict[str, Any] = {
        "split": split,
        "expert": expert,
        "photos": len(run.pairs),
        "ssim": SSIM_SETTINGS,
        "sources": [{"root": str(one.root), "layout": one.layout} for one in run.collection.found],
        "passed_over": [asdict(one) for one in (*run.collection.bad, *run.bad)],
        "rows": [_plain(row) for row in run.rows],
    }
    if run.harms:
        document["do_no_harm"] = [_plain(row) for row in run.harm_rows]
    if paper:
        document["published"] = [asdict(row) for row in PUBLISHED]
    return document


def _plain(row: Row | Harm) -> dict[str, Any]:
    plain = asdict(row)
    return {"method": plain.pop("method"), **plain.pop("score"), **plain}


def _write_per_photo(path: Path, scores: list[PhotoScore]) -> None:
    try:
        with written_whole(path) as unfinished, unfinished.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["photo", "method", "given", "l2_lab", "psnr", "ssim"])
            for one in scores:
                figures = (one.score.l2_lab, one.score.psnr, one.score.ssim)
                written = (f"{value:.6g}" for value in figures)
                writer.writerow([one.key, one.method, one.given, *written])
    except OSError as problem:
        raise OutputError(f"--per-photo {path}: {problem.strerror or problem}") from problem

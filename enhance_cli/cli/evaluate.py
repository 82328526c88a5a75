"""``enhance eval``: score weights on held-out pairs."""

from __future__ import annotations

import contextlib
import csv
import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.markup import escape
from rich.table import Table

from enhance_cli.atomic_write import (
    ANYTHING,
    FileSignature,
    KeepOthers,
    Publisher,
    atomic_write,
    remedy,
)
from enhance_cli.cli.console import (
    counted,
    error_boundary,
    printable,
    result_errors_reported,
    results,
    say,
    say_json,
    say_warning,
    tracked,
)
from enhance_cli.cli.option_effects import Idle, Values, refuse_idle_options
from enhance_cli.cli.options import (
    PHOTOS,
    CacheOption,
    ExpertOption,
    SkipBadPairsOption,
    choice,
    device_option,
    split_option,
)
from enhance_cli.cli.pair_sources import render_pairs
from enhance_cli.config.data import DataConfig, NewOrOverwrite, Source
from enhance_cli.config.evaluation import EvalConfig
from enhance_cli.errors import OutputError, UsageError

if TYPE_CHECKING:
    from enhance_cli.evaluation.evaluator import (
        Evaluator,
        FinishedPhotoChange,
        PhotoScore,
        ResultRow,
    )
    from enhance_cli.evaluation.published import PublishedRow
    from enhance_cli.imaging.metrics import Score

EXAMPLES = """Examples:

enhance eval --fivek-root ./fivek --split random250 --paper

enhance eval --pairs ./my-edits --weights mine.safetensors --json
"""

_COLUMNS = ("photo", "method", "given", "l2_lab", "psnr", "ssim")
"""Columns of the scores of every photo."""

_METHODS, _OUTPUT, _RUN = "What is scored", "Output", "Run"


def _writes_no_file(values: Values) -> bool:
    return not (values["panel"] or values["per_photo"])


def _scores_no_weights(values: Values) -> bool:
    return bool(values["outputs"]) and not values["weights"]


_RULES = (
    Idle("on_conflict", _writes_no_file, "without --panel DIR or --per-photo FILE"),
    Idle("device", _scores_no_weights, "where only --outputs are scored"),
)
"""Options that have no effect beside others."""


@error_boundary
def evaluate(
    context: typer.Context,
    fivek_root: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A copy of MIT-Adobe FiveK, in any layout in which it is distributed.",
            rich_help_panel=PHOTOS,
        ),
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="A folder of pairs, with before/ and after/. Can be repeated.",
            rich_help_panel=PHOTOS,
        ),
    ] = None,
    split: Annotated[
        str | None,
        split_option(
            help="Photos to score on: random250, highvar50, validation50, unseen28, a file of "
            "ids, several of these separated by commas, or all.",
            show_default="random250 of FiveK, all of --pairs",
            rich_help_panel=PHOTOS,
        ),
    ] = None,
    expert: ExpertOption = DataConfig.expert,
    cache_dir: CacheOption = None,
    skip_bad_pairs: SkipBadPairsOption = False,
    weights: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="shipped|FILE|DIR",
            help="Weights file, or a folder of them; shipped are those that come with enhance. "
            "Can be repeated.",
            show_default="those that apply would use; none if --outputs is given",
            rich_help_panel=_METHODS,
        ),
    ] = None,
    outputs: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Results of another system, named like the photos. Can be repeated.",
            rich_help_panel=_METHODS,
        ),
    ] = None,
    with_coarse: Annotated[
        bool,
        typer.Option(
            "--with-coarse",
            help="Also score CENet alone.",
            rich_help_panel=_METHODS,
        ),
    ] = False,
    do_no_harm: Annotated[
        bool,
        typer.Option(
            "--do-no-harm",
            help="Also measure how much the expert's versions, which are finished, are changed.",
            rich_help_panel=_METHODS,
        ),
    ] = False,
    paper: Annotated[
        bool,
        typer.Option(
            "--paper", help="Add the rows of the paper's tables 1 and 2.", rich_help_panel=_OUTPUT
        ),
    ] = False,
    per_photo: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the scores of every photo to a CSV file.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    panel: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write a comparison of every photo, as in figure 3.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    on_conflict: Annotated[
        NewOrOverwrite,
        choice(
            NewOrOverwrite,
            help="If a file is in the way that enhance did not write: stop, or replace it.",
            rich_help_panel=_OUTPUT,
        ),
    ] = EvalConfig.on_conflict,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document.", rich_help_panel=_OUTPUT)
    ] = False,
    device: Annotated[str, device_option(rich_help_panel=_RUN)] = EvalConfig.device,
) -> None:
    """Score weights against the expert's versions: L2 Lab, PSNR and SSIM, as in tables 1 and 2.

    The identity row scores the originals themselves. Photos measure 500 px on the longer edge.
    """
    refuse_idle_options(context, locals(), _RULES)
    from enhance_cli.evaluation.evaluator import Evaluator

    fivek = [Source("fivek", fivek_root)] if fivek_root else []
    sources = [*fivek, *(Source("pairs", path) for path in pairs or [])]
    data = DataConfig(tuple(sources), split, expert, cache_dir, skip_bad_pairs)
    config = EvalConfig(
        data,
        tuple(weights or ()),
        tuple(outputs or ()),
        panel,
        with_coarse,
        do_no_harm,
        on_conflict,
        device,
    )
    publisher = _publisher_of_scores(per_photo, on_conflict)
    run = Evaluator(config)
    render_pairs(run, run.collection)
    for bad in run.bad:
        say_warning(f"skipping {bad.key}: {bad.reason}")
    scores = list(tracked(run, "scoring", run.total))
    if per_photo:
        _write_per_photo(per_photo, scores, publisher)
    if as_json:
        say_json(finite(_document(_shown(split, data), expert, run, paper)))
    else:
        with result_errors_reported():
            results.print(_table(_shown(split, data), run, paper))
    if panel:
        say(f"wrote {counted(len(run.pairs), 'comparison')} to {panel}")
    _warn_of_training_photos(run.rows)


def _shown(split: str | None, data: DataConfig) -> str:
    """Name what is scored; without ``--split``, that depends on the kind of the folders."""
    kinds = {source.kind for source in data.sources}
    names = {"fivek": "random250", "pairs": "all"}
    return split or " + ".join(name for kind, name in names.items() if kind in kinds)


def _warn_of_training_photos(rows: list[ResultRow]) -> None:
    for row in rows:
        if row.trained_on:
            say_warning(
                f"{row.method} was trained on {row.trained_on} of these "
                f"{counted(row.photos, 'photo')}; its scores say nothing about new ones"
            )


def _table(split: str, run: Evaluator, paper: bool) -> Table:
    from enhance_cli.evaluation.published import PUBLISHED
    from enhance_cli.imaging.metrics import SSIM_SETTINGS

    title = f"{split}: {len(run.pairs)} {'photo' if len(run.pairs) == 1 else 'photos'}"
    if _is_of_fivek(run):
        title += f", expert {run.collection.config.expert.upper()}"
    caption = f"SSIM: {SSIM_SETTINGS}"
    if len(run.pairs) > 1:
        caption += "\n±: standard error of the mean over the photos"
    if run.changes:
        caption += "\ndo no harm: the change of the expert's versions, finished already"
    table = Table(title=printable(title), caption=caption)
    table.add_column("method")
    for heading in ("L2 error (LAB)", "PSNR (dB)", "SSIM"):
        table.add_column(heading, justify="right")
    for row in run.rows:
        known = f", trained on {row.trained_on} of them" if row.trained_on else ""
        figures = _figures(row.score, row.standard_error)
        table.add_row(escape(printable(row.method + known)), *figures)
    if run.changes:
        table.add_section()
        table.add_row("do no harm:")
    for change in run.change_rows:
        method = f"{change.method}, {change.above_threshold} above 10"
        figures = _figures(change.score, change.standard_error)
        table.add_row(escape(printable(method)), *figures)
    if paper:
        for number in (1, 2):
            table.add_section()
            table.add_row(f"table {number} of the paper:")
            for published in PUBLISHED:
                if published.table == number:
                    table.add_row(f"{published.method}, published", *_figures(published))
    return table


def _is_of_fivek(run: Evaluator) -> bool:
    """Whether some of the pairs are FiveK's, whose experts have names."""
    return any(source.kind == "fivek" for source in run.collection.config.sources)


def _figures(score: Score | PublishedRow, error: Score | None = None) -> list[str]:
    """The three figures of a row, with their standard errors if there are any."""
    return [
        _figure(getattr(score, name), getattr(error, name, None), digits)
        for name, digits in (("l2_lab", 2), ("psnr", 2), ("ssim", 3))
    ]


def _figure(value: float | None, error: float | None, digits: int) -> str:
    if value is None:
        return "-"
    known = error is not None and math.isfinite(error)
    return f"{value:.{digits}f}" + (f" ± {error:.{digits}f}" if known else "")


def _document(split: str, expert: str, run: Evaluator, paper: bool) -> dict[str, Any]:
    from enhance_cli.evaluation.published import PUBLISHED
    from enhance_cli.imaging.metrics import SSIM_SETTINGS

    document: dict[str, Any] = {
        "split": split,
        "expert": expert if _is_of_fivek(run) else None,
        "photos": len(run.pairs),
        "ssim": SSIM_SETTINGS,
        "sources": [
            {"root": str(found.root), "layout": found.layout} for found in run.collection.found
        ],
        "skipped": [asdict(bad) for bad in (*run.collection.bad, *run.bad)],
        "rows": [_plain(row) for row in run.rows],
    }
    if run.changes:
        document["do_no_harm"] = [_plain(row) for row in run.change_rows]
    if paper:
        document["published"] = [asdict(row) for row in PUBLISHED]
    return document


def finite(value: Any) -> Any:
    """A document in which infinite figures, such as the PSNR of equal photos, are null."""
    if isinstance(value, dict):
        return {key: finite(one) for key, one in cast(dict[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in cast(list[Any], value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(row: ResultRow | FinishedPhotoChange) -> dict[str, Any]:
    plain = asdict(row)
    return {"method": plain.pop("method"), **plain.pop("score"), **plain}


def _publisher_of_scores(path: Path | None, on_conflict: NewOrOverwrite) -> Publisher:
    """Replaces scores of an earlier run, and nothing else unless told to.

    Raises:
        UsageError: Another file is in their place.
    """
    if path is None or on_conflict == "overwrite":
        return ANYTHING
    if os.path.lexists(path) and not _holds_scores(path):
        raise UsageError(
            f"--per-photo {path}: already exists, and enhance did not write it; choose another "
            "file, or replace it with --on-conflict overwrite"
        )
    return KeepOthers(FileSignature.of(path))


def _holds_scores(path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return False
    with contextlib.suppress(OSError), path.open("rb") as file:
        header = ",".join(_COLUMNS).encode()
        return file.read(len(header) + 1).rstrip() == header
    return False


def _write_per_photo(path: Path, scores: list[PhotoScore], publisher: Publisher) -> None:
    try:
        with atomic_write(path, publisher) as temporary, temporary.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            for photo in scores:
                figures = (photo.score.l2_lab, photo.score.psnr, photo.score.ssim)
                written = (f"{value:.6g}" for value in figures)
                writer.writerow([photo.key, photo.method, photo.given, *written])
    except OSError as problem:
        raise OutputError(
            f"--per-photo {path}: {problem.strerror or problem}; "
            + remedy(problem, "choose another file")
        ) from problem

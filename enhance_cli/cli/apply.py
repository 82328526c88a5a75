"""``enhance apply``: retouch photos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from enhance_cli.cli.batch import run_batch
from enhance_cli.cli.console import (
    ExitCode,
    error_boundary,
    results,
    say,
    say_error,
    say_warning,
)
from enhance_cli.config import (
    LONG_EDGE,
    ApplyConfig,
    Encoding,
    Format,
    OnConflict,
    RawPairs,
    Subsampling,
)
from enhance_cli.errors import UsageError

if TYPE_CHECKING:
    from enhance_cli.engine.application import PhotoOutcome


BitDepth = Literal["8", "16"]


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
        int | None,
        typer.Option(
            min=1,
            help="Longer edge of the results in pixels; never enlarged.",
            show_default=str(LONG_EDGE),
        ),
    ] = None,
    full_size: Annotated[
        bool, typer.Option("--full-size", help="Results as large as the photos.")
    ] = False,
    strength: Annotated[
        float, typer.Option(min=0, max=1.5, help="0 leaves photos as they are, 1 is the result.")
    ] = ApplyConfig.strength,
    result_format: Annotated[
        Format, typer.Option("--format", help="keep: the photo's own; JPEG for RAW and HEIC.")
    ] = ApplyConfig.format,
    quality: Annotated[
        int, typer.Option(min=1, max=100, help="Of JPEG, WebP and AVIF.")
    ] = Encoding.quality,
    subsampling: Annotated[
        Subsampling, typer.Option(help="Of colour in JPEG and AVIF.")
    ] = Encoding.subsampling,
    bit_depth: Annotated[
        BitDepth | None,
        typer.Option(help="Of PNG and TIFF.", show_default="the photo's own"),
    ] = None,
    srgb: Annotated[
        bool, typer.Option("--srgb", help="Convert to sRGB photos that have other colours.")
    ] = False,
    strip_gps: Annotated[
        bool, typer.Option("--strip-gps", help="Leave out where photos were taken.")
    ] = False,
    strip_metadata: Annotated[
        bool,
        typer.Option("--strip-metadata", help="Leave out all metadata but the colour profile."),
    ] = False,
    pairs: Annotated[
        RawPairs, typer.Option(help="Of a RAW with the camera's JPEG beside it, what is retouched.")
    ] = ApplyConfig.pairs,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Names or paths to pass over, such as '*_edit.*'. May be repeated.",
        ),
    ] = None,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Photos with more are refused.")
    ] = ApplyConfig.max_pixels,
    lut: Annotated[
        Path | None,
        typer.Option(help="Folder for each photo's coarse colour map, as a .cube file."),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(help="Folder for a picture of each photo before and after.")
    ] = None,
    gallery: Annotated[
        Path | None, typer.Option(help="HTML file that shows all photos before and after.")
    ] = None,
    on_conflict: Annotated[
        OnConflict,
        typer.Option(
            help="Files in the place of results that are not enhance's own, or were changed since."
        ),
    ] = ApplyConfig.on_conflict,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run as one JSON document.")
    ] = False,
) -> None:
    """Retouch photos and write the results to a folder of their own.

    Reads JPEG, PNG, TIFF, WebP, AVIF, HEIC and camera RAW. Originals are never changed.
    """
    if full_size and long_edge:
        raise UsageError("--full-size and --long-edge: give one of the two")
    size = None if full_size else long_edge or LONG_EDGE
    config = ApplyConfig(
        inputs=tuple(inputs),
        out=out,
        coarse_only=coarse_only,
        weights=weights,
        device=device,
        long_edge=size,
        on_conflict=on_conflict,
        strength=strength,
        format=result_format,
        encoding=Encoding(quality, subsampling, int(bit_depth) if bit_depth else None),
        srgb=srgb,
        keep_metadata="none" if strip_metadata else "no-gps" if strip_gps else "all",
        pairs=pairs,
        exclude=tuple(exclude or ()),
        max_pixels=max_pixels,
        lut=lut,
        compare=compare,
        gallery=gallery,
    )
    if dry_run:
        _show_plan(config, as_json)
        return
    outcomes, interrupted = run_batch(config)
    if as_json:
        print(json.dumps(_document(outcomes), ensure_ascii=False, indent=2))
    else:
        results.print(_summary(outcomes, out, size), markup=False, soft_wrap=True)
    if interrupted:
        say_error("interrupted; the same command goes on where this run stopped")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if any(one.status == "failed" for one in outcomes):
        raise typer.Exit(ExitCode.SOME_FAILED)


def _show_plan(config: ApplyConfig, as_json: bool) -> None:
    """Print what a run would do."""
    from enhance_cli.engine.application import Application

    run = Application(config)
    for warning in run.plan.warnings:
        say_warning(warning)
    decisions = run.decisions()
    if as_json:
        photos = [
            {
                "input": str(one.photo.input),
                "output": str(one.photo.output),
                "skipped": one.skipped,
                "reason": str(one.reason),
            }
            for one in decisions
        ]
        print(json.dumps({"photos": photos}, ensure_ascii=False, indent=2))
        return
    for one in decisions:
        what = "skip" if one.skipped else "write"
        line = f"{what} {one.photo.output} from {one.photo.input} ({one.reason})"
        results.print(line, markup=False, soft_wrap=True)
    skipped = sum(one.skipped for one in decisions)
    say(f"{len(decisions) - skipped} to write, {skipped} to skip; nothing was done")


def _summary(outcomes: list[PhotoOutcome], out: Path, long_edge: int | None) -> str:
    from enhance_cli.engine.conflicts import Reason

    count = _counts(outcomes)
    lines = [
        f"{count['done']} done, {count['failed']} failed, {count['skipped']} skipped; in {out}"
    ]
    strangers = sum(one.reason is Reason.NOT_OURS for one in outcomes)
    if strangers:
        lines.append(
            f"{strangers} of the skipped have a file in their place that enhance did not write or "
            "that was changed since; --on-conflict overwrite or rename does them."
        )
    if count["failed"]:
        lines.append("Failed photos are named above, each with the reason.")
    if long_edge:
        default = " (the default)" if long_edge == LONG_EDGE else ""
        lines.append(
            f"Results measure {long_edge} px on the longer edge{default}, smaller photos keep "
            "their size; --full-size keeps the size of all."
        )
    return "\n".join(lines)


def _document(outcomes: list[PhotoOutcome]) -> dict[str, object]:
    photos = [
        {
            "input": str(one.input),
            "output": str(one.output) if one.output else None,
            "status": str(one.status),
            "reason": str(one.reason),
            "error": one.error,
            "warnings": list(one.warnings),
            "seconds": round(one.seconds, 3),
        }
        for one in outcomes
    ]
    return {**_counts(outcomes), "photos": photos}


def _counts(outcomes: list[PhotoOutcome]) -> dict[str, int]:
    statuses = [str(one.status) for one in outcomes]
    return {status: statuses.count(status) for status in ("done", "failed", "skipped")}

"""``enhance apply``: retouch photos."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from enhance_cli.cli.apply.cloud import apply_to_stores, concerns_stores
from enhance_cli.cli.apply.destination import destination
from enhance_cli.cli.apply.effects import idle_on_results
from enhance_cli.cli.apply.file_options import with_options_from_files
from enhance_cli.cli.apply.progress import chosen_verbosity, run_batch
from enhance_cli.cli.apply.report import (
    counts,
    described,
    document,
    numbers_of,
    show_plan,
    summary,
    unread_folders,
)
from enhance_cli.cli.apply.settings import BitDepth, refuse_both, run_config
from enhance_cli.cli.apply.streams import streams
from enhance_cli.cli.console import (
    ExitCode,
    error_boundary,
    say,
    say_error,
    say_json,
    say_json_line,
    say_result,
)
from enhance_cli.cli.options import choice, device_option, number
from enhance_cli.config.apply import (
    CUBE_SIZE,
    HALD_SIZE,
    MAX_JOBS,
    ApplyConfig,
    Encoding,
    Format,
    LutFormat,
    OnConflict,
    RawPairs,
    Subsampling,
)
from enhance_cli.config.dials import MAX_DIAL, MAX_STOPS
from enhance_cli.config.model import LONG_EDGE
from enhance_cli.errors import UsageError

if TYPE_CHECKING:
    from enhance_cli.batch.outcome import PhotoOutcome


EXAMPLES = """Examples:

enhance apply ./photos --out ./retouched

enhance apply ./raws -o ./retouched --full-size --format tiff --bit-depth 16
"""

_PHOTOS, _RESULT, _LOOK, _METADATA, _RUN = "Photos", "Result", "Look", "Metadata", "Run"


def _dial(unit: str, help_text: str, most: float = MAX_DIAL) -> Any:
    """A dial, which is at 0 unless it is turned."""
    return number(
        float, unit, low=-most, high=most, help=help_text, show_default="0", rich_help_panel=_LOOK
    )


@partial(error_boundary, complete=with_options_from_files)
def apply(
    context: typer.Context,
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT",
            help="Photos and folders, with all subfolders; or - for standard input.",
            show_default="required, unless --from names them",
        ),
    ] = None,
    *,
    from_list: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="File with the path of a photo or folder in each line; - is standard input.",
            rich_help_panel=_PHOTOS,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Leave out names or paths like '*_edit.*'. Can be repeated.",
            rich_help_panel=_PHOTOS,
        ),
    ] = None,
    pairs: Annotated[
        RawPairs,
        choice(
            RawPairs,
            help="Which to retouch if the camera's JPEG is beside a RAW.",
            rich_help_panel=_PHOTOS,
        ),
    ] = ApplyConfig.pairs,
    max_pixels: Annotated[
        int,
        number(int, "N", low=1, help="Refuse photos with more pixels.", rich_help_panel=_PHOTOS),
    ] = ApplyConfig.max_pixels,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR|FILE|-",
            help="Folder for the results; for one photo also a file, or - for standard output.",
            show_default="required, or --suffix",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    suffix: Annotated[
        str | None,
        typer.Option(
            metavar="SUFFIX",
            help="Add this to the results' names; without --out, they stand beside the photos.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    full_size: Annotated[
        bool,
        typer.Option("--full-size", help="Keep the size of every photo.", rich_help_panel=_RESULT),
    ] = False,
    long_edge: Annotated[
        int | None,
        number(
            int,
            "PX",
            low=1,
            help="Longer edge of the results. Photos are never enlarged.",
            show_default=str(LONG_EDGE),
            rich_help_panel=_RESULT,
        ),
    ] = None,
    result_format: Annotated[
        Format,
        choice(
            Format,
            "--format",
            "-f",
            help="File format; keep: the photo's own, and JPEG for RAW, HEIC and JPEG 2000.",
            rich_help_panel=_RESULT,
        ),
    ] = ApplyConfig.format,
    quality: Annotated[
        int,
        number(
            int,
            "1-100",
            low=1,
            high=100,
            help="Quality of all lossy formats.",
            rich_help_panel=_RESULT,
        ),
    ] = Encoding.quality,
    subsampling: Annotated[
        Subsampling,
        choice(
            Subsampling,
            help="Chroma subsampling of JPEG, AVIF and HEIC.",
            rich_help_panel=_RESULT,
        ),
    ] = Encoding.subsampling,
    bit_depth: Annotated[
        BitDepth | None,
        choice(
            BitDepth,
            help="Bits per channel of PNG, TIFF and JPEG XL; for HEIC, 16 means 10.",
            show_default="the photo's own",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    srgb: Annotated[
        bool,
        typer.Option(
            "--srgb",
            help="Convert photos in other color spaces to sRGB.",
            rich_help_panel=_RESULT,
        ),
    ] = False,
    on_conflict: Annotated[
        OnConflict,
        choice(
            OnConflict,
            help="What to do about files in the way that enhance did not write or that were "
            "edited; overwrite does all photos again.",
            rich_help_panel=_RESULT,
        ),
    ] = ApplyConfig.on_conflict,
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Also write a before-and-after picture of each photo.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    gallery: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also write an HTML page with all photos before and after.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    lut: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Also write each photo's retouch as a look-up table (LUT) for photo editors.",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    lut_format: Annotated[
        LutFormat | None,
        choice(
            LutFormat,
            help="A .cube file, or a HaldCLUT (PNG) for RawTherapee, GIMP and digiKam.",
            show_default=ApplyConfig.lut_format,
            rich_help_panel=_RESULT,
        ),
    ] = None,
    lut_size: Annotated[
        int | None,
        number(
            int,
            "N",
            low=2,
            high=144,
            help="Grid points along each axis of a LUT; a square number for HaldCLUTs.",
            show_default=f"{CUBE_SIZE}, HaldCLUT: {HALD_SIZE}",
            rich_help_panel=_RESULT,
        ),
    ] = None,
    no_pictures: Annotated[
        bool,
        typer.Option(
            "--no-pictures",
            help="Write the LUTs alone, into the folder of --lut.",
            rich_help_panel=_RESULT,
        ),
    ] = False,
    strength: Annotated[
        float,
        number(
            float,
            "0-1.5",
            low=0,
            high=1.5,
            help="0 leaves photos unchanged, 1 is the full retouch, larger values exaggerate it.",
            rich_help_panel=_LOOK,
        ),
    ] = ApplyConfig.strength,
    exposure: Annotated[
        float,
        _dial("STOPS", "Lighter or darker after the retouch.", MAX_STOPS),
    ] = 0.0,
    warmth: Annotated[
        float, _dial("MIRED", "Warmer or cooler, as by a filter: a Wratten 81A is 18.")
    ] = 0.0,
    tint: Annotated[
        float, _dial("TINT", "Towards magenta or, below 0, green; in Camera Raw's units.")
    ] = 0.0,
    contrast: Annotated[float, _dial("%", "More or less contrast around mid-grey.")] = 0.0,
    saturation: Annotated[float, _dial("%", "Stronger or weaker colors; -100 has none.")] = 0.0,
    coarse_only: Annotated[
        bool,
        typer.Option(
            "--coarse-only",
            help="Use CENet's global color map alone, without PRNet and without a style.",
            rich_help_panel=_LOOK,
        ),
    ] = False,
    series: Annotated[
        str,
        typer.Option(
            metavar="auto|off|FILE",
            help="Give photos of one scene one look; FILE has a line of photos for each series.",
            rich_help_panel=_LOOK,
        ),
    ] = "off",
    series_gap: Annotated[
        float,
        number(
            float,
            "SECONDS",
            low=0,
            help="Longest time between two photos of a series.",
            rich_help_panel=_LOOK,
        ),
    ] = ApplyConfig.series_gap,
    sync_from: Annotated[
        Path | None,
        typer.Option(
            metavar="IMG", help="Give all photos the look of this one.", rich_help_panel=_LOOK
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Weights file.",
            show_default="ENHANCE_WEIGHTS, your data folder, or the one that comes with enhance",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    new_times: Annotated[
        bool,
        typer.Option(
            "--new-times",
            help="Give results the present time, not that of their photo.",
            rich_help_panel=_METADATA,
        ),
    ] = False,
    strip_gps: Annotated[
        bool,
        typer.Option("--strip-gps", help="Leave out the location.", rich_help_panel=_METADATA),
    ] = False,
    strip_metadata: Annotated[
        bool,
        typer.Option(
            "--strip-metadata",
            help="Leave out all metadata but the color profile.",
            rich_help_panel=_METADATA,
        ),
    ] = False,
    device: Annotated[str, device_option(rich_help_panel=_RUN)] = ApplyConfig.device,
    no_toml: Annotated[
        bool,
        typer.Option(
            "--no-toml",
            help="Ignore enhance.toml in the photos' folders and above.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    jobs: Annotated[
        int | None,
        number(
            int,
            "N",
            low=1,
            high=MAX_JOBS,
            help="Photos processed side by side.",
            show_default="one for each core, at most 8, and one more",
            rich_help_panel=_RUN,
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Do one of N parts, counted from 1; other machines do the others.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Work on a Ray cluster: auto, HOST:6379 or ray://HOST:10001.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            "-n",
            help="Print what would be done, without doing it.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the run as one JSON document.", rich_help_panel=_RUN),
    ] = False,
    json_lines: Annotated[
        bool,
        typer.Option(
            "--json-lines",
            help="Print a line of JSON as each photo ends, and one for the run.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print only errors and warnings.", rich_help_panel=_RUN),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Print a line for each photo.", rich_help_panel=_RUN),
    ] = False,
) -> None:
    """Retouch photos and write the results to another folder, to a file, or beside the photos.

    Reads JPEG, PNG, TIFF, WebP, AVIF, HEIC, JPEG XL, JPEG 2000 and camera RAW. Originals are never
    changed.
    """
    values = locals()
    if not inputs:
        raise UsageError("no INPUT: give photos or folders, or --from FILE")
    refuse_both("--json", as_json, "--json-lines", json_lines)
    place = destination(values)
    config = run_config(values, place)
    verbosity = chosen_verbosity(quiet, verbose)
    idle = partial(idle_on_results, context, values)
    size_is_told = quiet or not config.pictures or config.long_edge != LONG_EDGE

    def tell_size() -> None:
        nonlocal size_is_told
        if not size_is_told:
            say(f"results measure {LONG_EDGE} px; --full-size keeps the size of the photos")
            size_is_told = True

    if concerns_stores(config, shard, cluster):
        options = shard, cluster, dry_run, as_json, json_lines, verbosity, tell_size
        count, interrupted = apply_to_stores(config, *options)
        _end(interrupted, count["failed"])
        return
    if dry_run:
        _end(interrupted=False, failed=show_plan(config, as_json, json_lines, quiet, idle))
        return

    def report(outcome: PhotoOutcome) -> None:
        if outcome.status == "done":
            tell_size()
        if json_lines:
            say_json_line({"event": "photo", **described(outcome, config)})

    with streams(config, place) as run:
        end = run_batch(run.config, verbosity, report, run.told, run.original, idle)
        if run.to_stdout and not (end.interrupted or end.problem):
            run.send(*end.outcomes)
    if as_json:
        say_json(document(end, config))
    elif json_lines:
        say_json_line({"event": "end", **numbers_of(end)})
    elif not (quiet or run.to_stdout or (end.problem and not end.outcomes)):
        say_result(*summary(end.outcomes, config, end.gallery))
    if end.problem:
        raise end.problem
    failed = counts(end.outcomes)["failed"] + unread_folders(end.warnings)
    _end(end.interrupted, failed, goes_on=not run.to_stdout)


def _end(interrupted: bool, failed: int, goes_on: bool = True) -> None:
    """End with the exit code of what happened."""
    if interrupted:
        more = "; the same command continues from here" if goes_on else ""
        say_error(f"interrupted{more}")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if failed:
        raise typer.Exit(ExitCode.SOME_FAILED)

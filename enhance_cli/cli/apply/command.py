"""``enhance apply``: retouch photos."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from enhance_cli.cli.apply.file_options import with_options_from_files
from enhance_cli.cli.apply.progress import Verbosity, run_batch
from enhance_cli.cli.apply.report import counts, described, document, show_plan, summary
from enhance_cli.cli.console import (
    ExitCode,
    error_boundary,
    say,
    say_error,
    say_json,
    say_json_line,
    say_result,
    say_warning,
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
from enhance_cli.config.dials import MAX_DIAL, MAX_STOPS, Dials
from enhance_cli.config.model import LONG_EDGE
from enhance_cli.errors import UsageError

if TYPE_CHECKING:
    from enhance_cli.batch.outcome import PhotoOutcome


BitDepth = Literal["8", "16"]

_EIGHT_BITS = {"jpg", "webp", "avif"}
"""Formats whose results have 8 bits."""

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
            help="Photos and folders, with all subfolders.",
            show_default="required, unless --from names them",
        ),
    ] = None,
    *,
    from_list: Annotated[  # noqa: ARG001, with_options_from_files has read it
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
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder for the results; created if missing.",
            show_default="required",
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
            help="Bits per channel of PNG, TIFF and JPEG XL; 10 of 16 in HEIC.",
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
            help="If a file is in the way that enhance did not write, or that was edited since.",
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
            help="Use CENet's global color map alone, without PRNet.",
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
            show_default="the one that comes with enhance",
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
            show_default="one for each core, at most 8",
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
    """Retouch photos and write the results to another folder.

    Reads JPEG, PNG, TIFF, WebP, AVIF, HEIC, JPEG XL, JPEG 2000 and camera RAW. Originals are never
    changed.
    """
    if not inputs:
        raise UsageError("no INPUT: give photos or folders, or --from FILE")
    _refuse_both("--full-size", full_size, "--long-edge", long_edge)
    _refuse_both("--quiet", quiet, "--verbose", verbose)
    _refuse_both("--json", as_json, "--json-lines", json_lines)
    if no_pictures and (compare or gallery):
        raise UsageError("--no-pictures: leave out --compare and --gallery, which show results")
    size = None if full_size else long_edge or LONG_EDGE
    table = _lut_format(lut, lut_format, lut_size)
    folder = _result_folder(out, lut, no_pictures)
    config = ApplyConfig(
        inputs=tuple(inputs),
        out=folder,
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
        keep_times=not new_times,
        pairs=pairs,
        exclude=tuple(exclude or ()),
        max_pixels=max_pixels,
        lut=lut,
        lut_format=table,
        lut_size=lut_size or (HALD_SIZE if table == "hald" else CUBE_SIZE),
        pictures=not no_pictures,
        compare=compare,
        gallery=gallery,
        dials=Dials(exposure, warmth, tint, contrast, saturation),
        look_files=not no_toml,
        given=context.obj,
        series=_series(series),
        series_gap=series_gap,
        sync_from=sync_from,
        jobs=jobs,
    )
    if bit_depth == "16" and result_format in _EIGHT_BITS:
        say_warning(
            f"--bit-depth 16: {result_format} holds 8 bits; choose --format tiff, png or jxl"
        )
    if dry_run:
        show_plan(config, as_json or json_lines)
        return
    verbosity = Verbosity.QUIET if quiet else Verbosity.VERBOSE if verbose else Verbosity.NORMAL

    size_is_told = quiet or not config.pictures or config.long_edge != LONG_EDGE

    def report(outcome: PhotoOutcome) -> None:
        nonlocal size_is_told
        if not size_is_told:
            say(f"results measure {LONG_EDGE} px; --full-size keeps the size of the photos")
            size_is_told = True
        if json_lines:
            say_json_line({"event": "photo", **described(outcome, config)})

    outcomes, interrupted = run_batch(config, verbosity, report)
    if as_json:
        say_json(document(outcomes, config))
    elif json_lines:
        say_json_line({"event": "end", **counts(outcomes), "interrupted": interrupted})
    elif not quiet:
        say_result(*summary(outcomes, config))
    if interrupted:
        say_error("interrupted; the same command continues from here")
        raise typer.Exit(ExitCode.INTERRUPTED)
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(ExitCode.SOME_FAILED)


def _refuse_both(one: str, first: object, other: str, second: object) -> None:
    if first and second:
        raise UsageError(f"{one} and {other}: give one of the two")


def _result_folder(out: Path | None, lut: Path | None, no_pictures: bool) -> Path:
    """The folder for results, or for look-up tables if they are all that is written.

    Raises:
        UsageError: A folder is missing, or there is one too many.
    """
    if not no_pictures:
        if out is None:
            raise UsageError("--out DIR is missing: the folder for the results")
        return out
    if lut is None:
        raise UsageError("--no-pictures writes LUTs alone: give their folder, --lut DIR")
    if out is not None:
        raise UsageError("--no-pictures writes into the folder of --lut alone; leave out --out")
    return lut


def _series(value: str) -> str | Path:
    """A word in any case, or else a file."""
    word = value.strip().lower()
    return word if word in {"auto", "off"} else Path(value)


def _lut_format(lut: Path | None, chosen: LutFormat | None, size: int | None) -> LutFormat:
    """The format of look-up tables.

    Raises:
        UsageError: No tables are wanted, or their size does not fit the format.
    """
    if lut is None and (chosen or size):
        option = "--lut-format" if chosen else "--lut-size"
        raise UsageError(f"{option} has no effect without --lut DIR")
    if chosen == "hald" and size and math.isqrt(size) ** 2 != size:
        raise UsageError(
            f"--lut-size {size}: a HaldCLUT has 4, 9, 16, 25, 36, 49, 64, 81, 100, 121 or 144 "
            "grid points along each axis"
        )
    return chosen or ApplyConfig.lut_format

"""``enhance watch``: retouch photos as they come."""

from __future__ import annotations

import contextlib
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from enhance_cli.cli.apply.command import apply
from enhance_cli.cli.apply.destination import STREAM, destination
from enhance_cli.cli.apply.file_options import with_options_from_files
from enhance_cli.cli.apply.progress import Verbosity, chosen_verbosity, signals_stop
from enhance_cli.cli.apply.report import described
from enhance_cli.cli.apply.settings import run_config
from enhance_cli.cli.console import (
    ExitCode,
    error_boundary,
    say,
    say_error,
    say_json_line,
    say_result,
    say_warning,
)
from enhance_cli.cli.options import number, with_options_of
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.model import LONG_EDGE
from enhance_cli.errors import UsageError
from enhance_cli.freed_memory import return_freed_memory

if TYPE_CHECKING:
    from enhance_cli.batch.outcome import PhotoOutcome
    from enhance_cli.batch.watch.watcher import Trouble, Watcher

_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM)

SETTLE = 2.0
"""Seconds for which a photo must be still, unless the user says otherwise."""

EXAMPLES = """Examples:

enhance watch ./incoming --out ./retouched --full-size

enhance watch ./card --suffix _enhanced --poll
"""

_WITHOUT_EFFECT = ("gallery", "no_pictures", "dry_run", "as_json")

OF_ONE_RUN = (
    *("inputs", "from_list", "series", "series_gap", "shard", "cluster"),
    *_WITHOUT_EFFECT,
)
"""Parameters of ``enhance apply`` that need all photos at once, or end with the run."""

SHARED = (
    *("context", "exclude", "pairs", "max_pixels"),
    *("out", "suffix", "full_size", "long_edge", "result_format", "quality", "subsampling"),
    *("bit_depth", "srgb", "on_conflict", "compare", "lut", "lut_format", "lut_size"),
    *("strength", "exposure", "warmth", "tint", "contrast", "saturation", "coarse_only"),
    *("sync_from", "weights", "new_times", "strip_gps", "strip_metadata"),
    *("device", "no_toml", "jobs", "json_lines", "quiet", "verbose"),
)
"""Parameters of ``enhance apply`` that hold for each photo as it comes; no others are taken."""


@partial(error_boundary, complete=with_options_from_files)
@with_options_of(apply, only=SHARED)
def watch(
    context: typer.Context,
    inputs: Annotated[
        list[Path], typer.Argument(metavar="DIR", help="Folders, with all subfolders.")
    ],
    *,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder for the results; created if missing.",
            show_default="required, or --suffix",
            rich_help_panel="Result",
        ),
    ] = None,
    settle: Annotated[
        float,
        number(
            float,
            "SECONDS",
            low=0,
            high=3600,
            help="How long a file must stay unchanged before it is retouched.",
            rich_help_panel="Run",
        ),
    ] = SETTLE,
    poll: Annotated[
        bool,
        typer.Option(
            "--poll",
            help="Scan the folders at intervals, as for network drives, in place of file events.",
            rich_help_panel="Run",
        ),
    ] = False,
    **options: Any,
) -> None:
    """Watch folders, and retouch new and changed photos as they come.

    Photos that came before the start are done first. Ctrl-C ends it. Options in an enhance.toml are
    read at the start; its strength and dials are read again for each photo.
    """
    values = dict.fromkeys(_WITHOUT_EFFECT) | options
    values |= {"context": context, "inputs": inputs, "out": out}
    if Path(STREAM) in inputs or out == STREAM:
        raise UsageError("- is a single photo: give folders, and a folder for --out")
    verbosity = chosen_verbosity(options["quiet"], options["verbose"])
    config = run_config(values, destination(values))
    from enhance_cli.batch.watch.watcher import Watcher

    return_freed_memory()
    watcher = Watcher(config, settle, poll)
    report = _Report(config, verbosity, options["json_lines"])
    report.begin(watcher)
    with (
        contextlib.suppress(KeyboardInterrupt),
        signals_stop(watcher, _ENDING_SIGNALS, lambda: watcher.is_busy),
    ):
        for happened in watcher:
            report.show(happened)
    report.end()
    raise typer.Exit(ExitCode.INTERRUPTED)


class _Report:
    """What is said of a watch; it holds no more than numbers.

    Args:
        config: The settings.
        verbosity: How much is printed.
        json_lines: Whether each photo is printed as a line of JSON.
    """

    def __init__(self, config: ApplyConfig, verbosity: Verbosity, json_lines: bool) -> None:
        self._config = config
        self._verbosity = verbosity
        self._json_lines = json_lines
        self._counts: dict[str, int] = {"done": 0, "failed": 0, "skipped": 0}

    def begin(self, watcher: Watcher) -> None:
        """Say what is watched, and how it is ended."""
        if self._verbosity is Verbosity.QUIET:
            return
        folders = ", ".join(str(path) for path in self._config.inputs)
        how = f", looked at every {watcher.changes.every:g} s" if watcher.changes.polls else ""
        say(f"watching {folders}{how}; Ctrl-C ends it")
        if self._config.long_edge == LONG_EDGE:
            say(f"results measure {LONG_EDGE} px; --full-size keeps the size of the photos")

    def show(self, happened: PhotoOutcome | Trouble) -> None:
        """Show the outcome of a photo, or what keeps the watch from its work."""
        from enhance_cli.batch.watch.watcher import Trouble

        if isinstance(happened, Trouble):
            say_warning(happened.text)
            if self._json_lines:
                say_json_line({"event": "trouble", "text": happened.text})
            return
        self._counts[happened.status] += 1
        if self._json_lines:
            say_json_line({"event": "photo", **described(happened, self._config)})
        if happened.error:
            say_error(happened.error)
        for warning in happened.warnings:
            say_warning(f"{happened.input}: {warning}")
        self._say_line(happened)

    def _say_line(self, outcome: PhotoOutcome) -> None:
        verbose = self._verbosity is Verbosity.VERBOSE
        up_to_date = outcome.reason == "up to date"
        if outcome.error or self._verbosity is Verbosity.QUIET or (up_to_date and not verbose):
            return
        line = f"{outcome.input}: {outcome.status}"
        if verbose:
            line += f" ({outcome.reason}), {outcome.seconds:.2f} s, {outcome.output}"
        elif outcome.status == "skipped":
            line += f" ({outcome.reason})"
        say(line)

    def end(self) -> None:
        """Say how many photos there were."""
        if self._json_lines:
            say_json_line({"event": "end", **self._counts, "interrupted": True})
        elif self._verbosity is not Verbosity.QUIET:
            say_result(", ".join(f"{count} {status}" for status, count in self._counts.items()))

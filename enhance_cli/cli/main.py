"""The ``enhance`` command."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
import warnings
from typing import Annotated

import typer

from enhance_cli import __version__
from enhance_cli.cli import demo, evaluate, status, watch
from enhance_cli.cli.apply import command as apply
from enhance_cli.cli.console import ExitCode, error_boundary, open_missing_streams, say_result
from enhance_cli.cli.help_format import Command, Group
from enhance_cli.cli.train import command as train

app = typer.Typer(
    name="enhance",
    cls=Group,
    help="Retouch photographs the way a good photographer would.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("apply", cls=Command, epilog=apply.EXAMPLES)(apply.apply)
app.command("watch", cls=Command, epilog=watch.EXAMPLES)(watch.watch)
app.command("train", cls=Command, epilog=train.EXAMPLES)(train.train)
app.command("eval", cls=Command, epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command("status", cls=Command, epilog=status.EXAMPLES)(status.status)
app.command("demo", cls=Command)(demo.demo)


@error_boundary
def _show_version(wanted: bool) -> None:
    if wanted:
        say_result(f"enhance {__version__}")
        raise typer.Exit


@app.callback()
def _enhance(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_show_version, is_eager=True, help="Show the version."
        ),
    ] = False,
) -> None:
    """Retouch photographs the way a good photographer would."""


def main() -> None:
    """Run the command line, and end the process."""
    open_missing_streams()
    # Importing PyTorch creates half a million objects, all of which stay. Garbage collection would
    # examine them again and again, for half a second at the start.
    gc.set_threshold(100_000, 50, 50)
    # Pillow's remarks on damaged metadata; enhance reports them itself, photo by photo.
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    ended = SystemExit(ExitCode.STOPPED)
    atexit.register(lambda: _leave(ended))
    try:
        app()
    except KeyboardInterrupt:
        ended.code = ExitCode.INTERRUPTED
        raise ended from None
    except SystemExit as end:
        ended.code = end.code
        raise


def _leave(ended: SystemExit) -> None:
    """End the process without taking it apart first.

    Called when threads have ended and all other exit functions have been. To free all objects and
    to unload PyTorch's libraries, one by one, takes half a second and 100 MB more memory than the
    whole run.
    """
    with contextlib.suppress(OSError, ValueError):  # a full disk behind messages stops no run
        sys.stderr.flush()
    try:
        if sys.stdout is not None:  # pyright: ignore[reportUnnecessaryComparison]
            sys.stdout.flush()
    except (OSError, ValueError):
        return  # the interpreter reports this as it ends
    if isinstance(ended.code, int):
        os._exit(ended.code)

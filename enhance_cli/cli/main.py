"""The ``enhance`` command."""

from __future__ import annotations

import gc
import sys
import warnings
from typing import Annotated

import typer

from enhance_cli import __version__
from enhance_cli.cli import apply, demo, evaluate, train
from enhance_cli.cli.console import ExitCode, error_boundary, open_missing_streams, say_result
from enhance_cli.cli.help_format import Command, Group

app = typer.Typer(
    name="enhance",
    cls=Group,
    help="Retouch photographs the way a good photographer would.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("apply", cls=Command, epilog=apply.EXAMPLES)(apply.apply)
app.command("train", cls=Command, epilog=train.EXAMPLES)(train.train)
app.command("eval", cls=Command, epilog=evaluate.EXAMPLES)(evaluate.evaluate)
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
    """Run the command line."""
    open_missing_streams()
    # Importing PyTorch creates half a million objects, all of which stay. Garbage collection would
    # examine them again and again: half a second at the start, and most of one at the end.
    gc.set_threshold(100_000, 50, 50)
    # Pillow's remarks on damaged metadata; enhance reports them itself, photo by photo.
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    finally:
        gc.freeze()

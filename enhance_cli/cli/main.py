"""The ``enhance`` command."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from enhance_cli import __version__
from enhance_cli.cli import apply, demo, evaluate, train
from enhance_cli.cli.console import ExitCode

app = typer.Typer(
    name="enhance",
    help="Retouch photographs the way a good photographer would.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("apply")(apply.apply)
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("demo")(demo.demo)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"enhance {__version__}")
        raise typer.Exit


@app.callback()
def _enhance(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Retouch photographs the way a good photographer would."""


def main() -> None:
    """Run the command line."""
    # Importing PyTorch makes half a million objects, all of which stay: looking through them again
    # and again for garbage takes half a second at the start, and most of one at the end.
    gc.set_threshold(100_000, 50, 50)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    finally:
        gc.freeze()

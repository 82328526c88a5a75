"""What the commands share: output streams, exit codes, and the handling of errors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import IntEnum
from typing import ParamSpec

import typer
from rich.console import Console
from rich.markup import escape

from enhance_cli.errors import EnhanceError, UsageError

P = ParamSpec("P")

results = Console(highlight=False, emoji=False)
"""Standard output: results."""

messages = Console(stderr=True, highlight=False, emoji=False)
"""Standard error: progress, warnings and errors."""


class ExitCode(IntEnum):
    """Exit codes of all commands."""

    DONE = 0
    STOPPED = 1
    USAGE = 2
    SOME_FAILED = 3
    INTERRUPTED = 130


def error_boundary(command: Callable[P, None]) -> Callable[P, None]:
    """Turn expected errors into one line and an exit code; others keep their traceback."""

    @functools.wraps(command)
    def bounded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except EnhanceError as error:
            say_error(str(error))
            usage = isinstance(error, UsageError)
            raise typer.Exit(ExitCode.USAGE if usage else ExitCode.STOPPED) from error
        except KeyboardInterrupt as interruption:
            say_error("interrupted")
            raise typer.Exit(ExitCode.INTERRUPTED) from interruption

    return bounded


def say(text: str) -> None:
    """Print a line to standard error; long lines are not wrapped."""
    messages.print(text, markup=False, soft_wrap=True)


def say_error(text: str) -> None:
    """Print an error to standard error."""
    messages.print(f"[bold red]error:[/] {escape(text)}", soft_wrap=True)


def say_warning(text: str) -> None:
    """Print a warning to standard error."""
    messages.print(f"[yellow]warning:[/] {escape(text)}", soft_wrap=True)

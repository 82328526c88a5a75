"""What the commands share: output streams, exit codes, and the handling of errors."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import re
import sys
from collections.abc import Callable, Generator, Iterable
from enum import IntEnum
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from enhance_cli.errors import EnhanceError, OutputError, UsageError

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


Item = TypeVar("Item")
Command = Callable[..., None]
Values = dict[str, Any]


def error_boundary(command: Command, complete: Callable[[Values], Values] | None = None) -> Command:
    """Turn expected errors into one line and an exit code; others keep their traceback.

    Args:
        command: The function of a command.
        complete: Completes the values of its parameters before it is called.
    """

    @functools.wraps(command)
    def bounded(**values: Any) -> None:
        with errors_end_command():
            command(**(complete(values) if complete else values))

    return bounded


@contextlib.contextmanager
def errors_end_command() -> Generator[None]:
    """Turn expected errors into one line and an exit code; others keep their traceback.

    Raises:
        typer.Exit: There was an expected error, or Ctrl-C.
    """
    try:
        yield
    except EnhanceError as error:
        say_error(str(error))
        usage = isinstance(error, UsageError)
        raise typer.Exit(ExitCode.USAGE if usage else ExitCode.STOPPED) from error
    except KeyboardInterrupt as interruption:
        say_error("interrupted")
        raise typer.Exit(ExitCode.INTERRUPTED) from interruption


_STEERING = r"\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Characters that steer a terminal or turn a line around, and bytes of names that are no text."""


def printable(text: str) -> str:
    """A text in which file names cannot steer the terminal: such characters are escaped."""
    return re.sub(f"[{_STEERING}]", lambda one: one[0].encode("unicode_escape").decode(), text)


def counted(number: int, what: str) -> str:
    """``1 shard``, ``2,000 shards``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def say(text: str) -> None:
    """Print a line to standard error; long lines are not wrapped."""
    with contextlib.suppress(OSError):  # a full disk behind standard error stops no run
        messages.print(printable(text), markup=False, soft_wrap=True)


def say_error(text: str) -> None:
    """Print an error to standard error."""
    with contextlib.suppress(OSError):
        messages.print(f"[bold red]error:[/] {escape(printable(text))}", soft_wrap=True)


def say_warning(text: str) -> None:
    """Print a warning to standard error."""
    with contextlib.suppress(OSError):
        messages.print(f"[yellow]warning:[/] {escape(printable(text))}", soft_wrap=True)


def say_result(*lines: str) -> None:
    """Print lines to standard output; long ones are not wrapped.

    Raises:
        OutputError: Standard output is closed or full.
    """
    with result_errors_reported():
        for line in lines:
            results.print(printable(line), markup=False, soft_wrap=True)


def say_json(document: dict[str, object]) -> None:
    """Print a JSON document to standard output.

    Raises:
        OutputError: Standard output is closed or full.
    """
    _print_json(document, indent=2)


def say_json_line(document: dict[str, object]) -> None:
    """Print a JSON document to standard output, on one line.

    Raises:
        OutputError: Standard output is closed or full.
    """
    _print_json(document, indent=None)


def _print_json(document: dict[str, object], indent: int | None) -> None:
    with result_errors_reported():
        ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
        text = json.dumps(document, ensure_ascii=ascii_only, indent=indent, allow_nan=False)
        print(re.sub(f"(?!\n)[{_STEERING}]", lambda one: f"\\u{ord(one[0]):04x}", text))


@contextlib.contextmanager
def result_errors_reported() -> Generator[None]:
    """Report that results cannot be printed.

    Raises:
        OutputError: Standard output is closed or full.
    """
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise OutputError("standard output is closed, so that results cannot be printed")
    try:
        yield
        sys.stdout.flush()
    except OSError as problem:
        with contextlib.suppress(OSError, io.UnsupportedOperation):
            # Or the interpreter would try again at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError(
            f"standard output: results cannot be printed ({problem.strerror or problem})"
        ) from problem


def open_missing_streams() -> None:
    """Put nothing in the place of closed standard streams.

    Otherwise, the first file that is opened would get their number, and what libraries print would
    go into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def tracked(items: Iterable[Item], doing: str, total: int) -> Iterable[Item]:
    """Show a progress bar while items are iterated, if standard error is a terminal.

    Args:
        items: What to iterate.
        doing: What is being done, in a word.
        total: Number of items; no bar is shown for none.
    """
    from rich.progress import track  # late: a start shows something before it needs a bar

    hidden = not total or not messages.is_terminal
    return track(items, doing, total, console=messages, transient=True, disable=hidden)

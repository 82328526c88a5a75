"""Help texts without the noise that Typer adds to them, and errors in the form of all others."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from enhance_cli.cli.console import ExitCode, errors_end_command, result_errors_reported
from enhance_cli.cli.misplaced_urls import refuse_misplaced_urls
from enhance_cli.cli.usage_errors import (
    in_home,
    refuse_empty_words,
    refuse_wrong_dashes,
    unknown_command,
    usage_errors_in_one_line,
)


class Command(TyperCommand):
    """A command whose help shows no Python types."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The arguments and options, with ``--help`` in the last panel."""
        parameters = _without_types(super().get_params(ctx))
        *own, help_option = parameters
        help_option.rich_help_panel = own[-1].rich_help_panel
        return parameters

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; this prints help and completion scripts, if they ask for it."""

        def parse() -> list[str]:
            refuse_empty_words(args)
            refuse_wrong_dashes(self, args)
            refuse_misplaced_urls(self, args)
            with usage_errors_in_one_line(ctx):
                return super(Command, self).parse_args(ctx, [in_home(word) for word in args])

        return _parsed(parse)


class Group(TyperGroup):
    """The program itself; its help shows no Python types."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The options, with those for shell completion."""
        return _without_types(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; this prints help and completion scripts, if they ask for it."""

        def parse() -> list[str]:
            with usage_errors_in_one_line(ctx) if args else contextlib.nullcontext():
                return super(Group, self).parse_args(ctx, args)

        return _parsed(parse, shows_help=not args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; one that does not exist is an error that suggests another."""
        with errors_end_command():
            if args and args[0] not in self.commands:
                raise unknown_command(args, self.commands)
        return super().resolve_command(ctx, args)


def _parsed(parse: Callable[[], list[str]], shows_help: bool = False) -> list[str]:
    """Read arguments; what is printed meanwhile ends the command if it cannot be printed."""
    with errors_end_command():
        if sys.stdout is not None or shows_help:  # pyright: ignore[reportUnnecessaryComparison]
            with result_errors_reported():
                return parse()
        try:
            return parse()
        except typer.Exit as end:
            if end.exit_code == ExitCode.DONE:  # a help text has been printed to nowhere
                with result_errors_reported():
                    raise
            raise


def _without_types(parameters: list[Any]) -> list[Any]:
    """Remove ``<bool>`` from flags, and ``<list[Path]>`` and the like from arguments."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
        elif parameter.param_type_name == "argument":
            parameter.display_type_rich = _no_type
    return parameters


def _no_type(ctx: Any) -> None:
    """Stand in for the method of Typer that describes an argument's type."""

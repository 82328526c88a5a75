"""Mistakes on the command line, told in one line that suggests what was probably meant."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, cast

import typer

from enhance_cli.cli.console import ExitCode, say_error
from enhance_cli.config.settings import did_you_mean
from enhance_cli.errors import UsageError

ClickUsageError = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""The class of all mistakes that the parser finds: Click's own, or the copy of newer Typers."""

_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
"""The hyphen, and what word processors and web pages make of one or two of it."""


@contextlib.contextmanager
def usage_errors_in_one_line(context: Any) -> Generator[None]:
    """Turn what the parser of the command line finds wrong into one line and an exit code.

    Args:
        context: The command, as Typer describes it while it parses.

    Raises:
        typer.Exit: There was something wrong.
    """
    try:
        yield
    except ClickUsageError as problem:
        say_error(_in_one_line(problem, context))
        raise typer.Exit(ExitCode.USAGE) from problem


def refuse_wrong_dashes(command: Any, words: Sequence[str]) -> None:
    """Refuse long options that begin with one hyphen, or with dashes that are no hyphens.

    ``-out results`` would be read as ``-o ut`` and a photo ``results``.

    Args:
        command: The command, as Typer has made it.
        words: Its arguments.

    Raises:
        UsageError: There is such an option.
    """
    known = _long_options(command)
    for word in _outside_values(command, words):
        name, sign, value = word.partition("=")
        meant = f"--{name.strip(_DASHES).lower()}"
        if name[:1] in _DASHES and name[:2] != "--" and meant in known:
            raise UsageError(
                f"{word}: a long option begins with two hyphens; did you mean {meant}{sign}{value}?"
            )


def refuse_empty_words(words: Sequence[str]) -> None:
    """Refuse empty arguments and values, which would name the current folder.

    Raises:
        UsageError: There is one.
    """
    for before, word in zip(("", *words), words, strict=False):
        name, sign, value = word.partition("=")
        is_option = name.startswith("--") and sign
        if not (value if is_option else word):
            what = name if is_option else before if before.startswith("-") else "an argument"
            raise UsageError(f"{what} is empty: give a value; perhaps a variable is not set")


def in_home(word: str) -> str:
    """An argument whose ``~/`` the shell has left as it is: ``--out=~/x``, or one in quotes."""
    start = re.match("(--[a-z-]+=)?(?=~/)", word)
    if start is None:
        return word
    return start[0] + os.path.expanduser(word[start.end() :])  # noqa: PTH111


def unknown_command(words: Sequence[str], commands: Iterable[str]) -> UsageError:
    """The error for a command that does not exist.

    Args:
        words: The arguments of the program; the first is the command.
        commands: The commands that exist.
    """
    name, names = words[0], list(commands)
    guess = did_you_mean(name, names)
    if guess and not os.path.lexists(name):
        return UsageError(f"{name}: no such command; {guess}")
    if os.path.lexists(name) or re.search(r"[/\\.*?-]", name):
        more = " ..." if len(words) > 1 else " --out DIR"
        return UsageError(
            f"{name}: no such command; did you mean enhance apply {shlex.quote(name)}{more}?"
        )
    return UsageError(
        f"{name}: no such command; the commands are {', '.join(names)}, as in "
        "enhance apply ./photos --out ./retouched; enhance -h tells more"
    )


def _in_one_line(problem: Any, context: Any) -> str:
    """What, where and what to do next, in the form of all other errors."""
    path = context.command_path
    if hasattr(problem, "possibilities"):
        option = problem.option_name
        return f"{option}: no such option; {_meant(option, context)}"
    if hasattr(problem, "param_type"):  # a missing parameter
        return f"{_name(problem)} is missing; {path} -h tells more"
    if isinstance(problem, typer.BadParameter):
        return f"{_name(problem)}: {problem.message}"
    text = re.sub("^Option '(.*?)' ", r"\1: ", problem.format_message().rstrip("."))
    return f"{text[:1].lower()}{text[1:]}; {path} -h tells more"


def _name(problem: Any) -> str:
    """The name of an option or argument that is missing, or has a wrong value."""
    if problem.param_hint is not None or problem.param is None:
        return str(problem.param_hint)
    param = problem.param
    return param.metavar if param.param_type_name == "argument" else max(param.opts, key=len)


def _meant(option: str, context: Any) -> str:
    """A guess which option was meant, or which command has it, or else where all are listed."""
    word = option.lower().strip("-")
    names = [name.removeprefix("--") for name in _long_options(context.command)]
    longer = [name for name in names if len(word) > 1 and name.startswith(word)]
    guess = did_you_mean(longer[0] if len(longer) == 1 else word, names, prefix="--")
    if guess:
        return guess
    having = list(_commands_with(option, context))
    if having:
        return f"it is an option of {', '.join(having)}"
    return f"{context.command_path} -h lists all options"


def _commands_with(option: str, context: Any) -> Iterator[str]:
    """The commands of the program that have an option."""
    program = context.find_root()
    for name, command in program.command.commands.items():
        if option in _options(command):
            yield f"{program.command_path} {name}"


def _long_options(command: Any) -> list[str]:
    return [name for name in _options(command) if name.startswith("--")]


def _options(command: Any) -> list[str]:
    own = (name for one in command.params if one.param_type_name == "option" for name in one.opts)
    return [*own, "-h", "--help"]


def _outside_values(command: Any, words: Sequence[str]) -> Iterator[str]:
    """The words that are no values of options, as far as a ``--``."""
    takers = (one for one in command.params if not getattr(one, "is_flag", True))
    with_value = {name for one in takers for name in one.opts}
    is_value = False
    for word in words:
        if word == "--":
            return
        if not is_value:
            yield word
        is_value = not is_value and word in with_value

"""URLs on the command line where none can be used: without this, they would name local folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from enhance_cli.config.urls import refuse_unusable_url

_ARGUMENT = ""
_PLACES = {"apply": (_ARGUMENT, "-o", "--out"), "status": (_ARGUMENT,)}
"""The arguments and options of each command that take URLs of object stores."""

_OTHER_URLS = ("--cluster", "--exclude")
"""Options whose values may look like URLs, and are no places."""


def refuse_misplaced_urls(command: Any, words: Sequence[str]) -> None:
    """Refuse URLs of what cannot be read or written, without a bucket, or where none is taken.

    Args:
        command: The command, as Typer has made it.
        words: Its arguments.

    Raises:
        UsageError: There is one.
    """
    places = _PLACES.get(command.name, ())
    for option, value in _with_options(command, words):
        if option not in _OTHER_URLS:
            refuse_unusable_url(value, f"{option} {value}".lstrip(), stores=option in places)


def _with_options(command: Any, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each argument and each option's value, behind the option's name."""
    takers = (one for one in command.params if not getattr(one, "is_flag", False))
    with_value = {name for one in takers for name in one.opts if name.startswith("-")}
    option, ended = _ARGUMENT, False
    for word in words:
        if option != _ARGUMENT or ended or not word.startswith("-"):
            yield option, word
            option = _ARGUMENT
        elif word == "--":
            ended = True
        elif word in with_value:
            option = word
        elif word.startswith("--"):
            name, _, value = word.partition("=")
            yield name, value

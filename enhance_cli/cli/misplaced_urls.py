"""URLs on the command line where none can be used: without this, they would name local folders."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from enhance_cli.errors import UsageError

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)", re.IGNORECASE)

_STORES = frozenset({"s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss"})
_DISK = "file"

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
        found = _URL.fullmatch(value)
        if found is None or option in _OTHER_URLS:
            continue
        what = f"{option} {value}".lstrip()
        scheme = found["scheme"].lower()
        if scheme not in {*_STORES, _DISK}:
            raise UsageError(f"{what}: {scheme} cannot be listed; use s3, gs, az or file")
        if option not in places:
            raise UsageError(f"{what}: must be on a disk of this machine, given by its path")
        if not found["rest"].strip("/") and scheme != _DISK:
            raise UsageError(f"{what}: names no bucket; give one, as in {scheme}://bucket/folder")


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

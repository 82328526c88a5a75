"""What ``enhance apply`` reads from files: lists of photos, and options of an ``enhance.toml``."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from enhance_cli.cli.apply.destination import STREAM
from enhance_cli.cli.options import is_given
from enhance_cli.cloud.places import on_disk
from enhance_cli.config.look_files import (
    LOOK,
    RUN_OPTIONS,
    LookFile,
    find_look_files,
    unknown_option,
)
from enhance_cli.config.urls import refuse_unusable_url
from enhance_cli.errors import UsageError
from enhance_cli.imaging.codecs.formats import PHOTOS

_ALTERNATIVES = frozenset({"full-size", "long-edge"})
"""If one of them is given on the command line, a file does not set the other."""


def with_options_from_files(values: dict[str, Any]) -> dict[str, Any]:
    """Let files beside the inputs, and above them, set what the command line leaves open.

    The names of the settings of the look on the command line become the context's object.

    Args:
        values: The values of all parameters of ``enhance apply``.

    Raises:
        UsageError: A file is wrong, or two of them contradict each other.
    """
    context: typer.Context = values["context"]
    from_list: Path | None = values.get("from_list")
    streams = Path(STREAM) in (values["inputs"] or ()), str(from_list) == STREAM
    if all(streams):
        raise UsageError("- and --from -: standard input is a photo or a list, not both")
    values = values | {"inputs": [*(values["inputs"] or ()), *_listed(from_list)]}
    parameters = {_long_name(one): one for one in context.command.params}
    given = {name for name, one in parameters.items() if is_given(context, one.name or "")}
    context.obj = tuple(sorted(given & set(LOOK)))
    if values["no_toml"]:
        return values
    places = [place for place in values["inputs"] if place != Path(STREAM)]
    found = _from_files(context, parameters, places, given)
    return values | {parameters[name].name or "": value for name, value in found.items()}


def _listed(source: Path | None) -> list[Path]:
    """The photos and folders that a file names, one a line, or separated by NUL.

    Raises:
        UsageError: The list cannot be read, or names nothing.
    """
    if source is None:
        return []
    if source.suffix.lower() in PHOTOS:
        raise UsageError(f"--from {source}: is a photo, not a list of photos; give it as an INPUT")
    try:
        content = sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
        content = _without_mark(content)
    except OSError as problem:
        raise UsageError(f"--from {source}: cannot be read: {problem.strerror}") from problem
    except UnicodeError as problem:
        raise UsageError(f"--from {source}: damaged text; save it in UTF-8") from problem
    names = content.split(b"\0") if b"\0" in content else content.splitlines()
    places = [os.fsdecode(name) for name in names if name.strip()]
    if not places:
        raise UsageError(f"--from {source}: names no photo")
    for place in places:
        refuse_unusable_url(place, f"--from {source}: {place}")
    return [Path(place) for place in places]


def _without_mark(content: bytes) -> bytes:
    """A text in UTF-8, or in whatever the system uses, without the mark of editors on Windows.

    Raises:
        UnicodeError: It is marked as UTF-16 or UTF-32, and is something else.
    """
    marked = next((coding for mark, coding in _MARKS if content.startswith(mark)), None)
    if marked is None:
        return content.removeprefix(codecs.BOM_UTF8)
    return content.decode(marked).encode()


_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""First bytes of texts that are not in UTF-8, and their encodings."""


def _from_files(
    context: typer.Context, parameters: dict[str, Any], inputs: Iterable[Path], given: set[str]
) -> dict[str, Any]:
    closed = given | _ALTERNATIVES if given & _ALTERNATIVES else given
    chosen: dict[str, tuple[Any, LookFile]] = {}
    for place in (path for path in map(on_disk, inputs) if path is not None):
        own: dict[str, tuple[Any, LookFile]] = {}
        for file in find_look_files(place):
            if _ALTERNATIVES & file.options.keys():  # the nearer file decides between the two
                own = {name: value for name, value in own.items() if name not in _ALTERNATIVES}
            for name, value in file.options.items():
                if name not in RUN_OPTIONS:
                    raise unknown_option(file, name)
                own[name] = _converted(context, parameters[name], name, value, file), file
        own = {name: value for name, value in own.items() if name not in closed}
        _refuse_contradiction(chosen, own)
        chosen |= own
    return {name: value for name, (value, _) in chosen.items()}


def _refuse_contradiction(
    chosen: dict[str, tuple[Any, LookFile]], own: dict[str, tuple[Any, LookFile]]
) -> None:
    for name in chosen.keys() & own.keys():
        if chosen[name][0] != own[name][0]:
            raise UsageError(
                f"{chosen[name][1].path} and {own[name][1].path}: {name} differs, but holds for "
                f"the whole run; give --{name}, or run once for each folder"
            )
    sizes = [(chosen | own).get(name) for name in sorted(_ALTERNATIVES)]
    files = dict.fromkeys(str(one[1].path) for one in sizes if one is not None and one[0])
    if all(one is not None and one[0] for one in sizes):
        raise UsageError(f"{' and '.join(files)}: full-size and long-edge: give one of the two")


def _converted(
    context: typer.Context, parameter: Any, name: str, value: object, file: LookFile
) -> object:
    """Check a value as the command line does."""
    where = f"{file.path}: {name} = {value!r}"
    if parameter.is_flag:
        if not isinstance(value, bool):
            raise UsageError(f"{where}: must be true or false")
        return value
    if parameter.multiple:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):  # pyright: ignore[reportUnknownVariableType]
            raise UsageError(f'{where}: must be a list of texts, like ["*_edit.*"]')
        return value  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, bool | list | dict):
        raise UsageError(f"{where}: must be one value, as for --{name}")
    if name == "weights":
        refuse_unusable_url(str(value), where, stores=False)
        return file.path.parent / str(value)
    try:
        return parameter.process_value(context, str(value))
    except typer.BadParameter as problem:
        raise UsageError(f"{file.path}: {name}: {problem.message}") from problem


def _long_name(parameter: Any) -> str:
    return max(parameter.opts, key=len).removeprefix("--")

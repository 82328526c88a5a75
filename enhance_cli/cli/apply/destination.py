"""Where results go: into a folder, a file, standard output, or beside their photos."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from enhance_cli.cli.options import is_given
from enhance_cli.config.apply import Format
from enhance_cli.errors import OutputError, UsageError
from enhance_cli.imaging.codecs.formats import (
    OTHER_PICTURES,
    PHOTOS,
    SUFFIXES,
    suffixes_written,
)

STREAM = "-"
"""Standard input in the place of a photo, and standard output in that of ``--out``."""


class Destination(NamedTuple):
    """Where results go.

    Attributes:
        out: Folder; None if each result stands beside its photo.
        name: Name of the only result in that folder, or None.
        format: Format of the results.
        from_stdin: Whether the photo comes from standard input.
        to_stdout: Whether the result goes to standard output.
    """

    out: Path | None
    name: str | None
    format: Format
    from_stdin: bool = False
    to_stdout: bool = False


def destination(values: Mapping[str, Any]) -> Destination:
    """Find out where results go.

    Args:
        values: The values of all parameters of the command.

    Raises:
        UsageError: Options contradict each other, or one is missing.
        OutputError: A file is in the place of a folder.
    """
    _refuse_unusable_suffix(values)
    from_stdin, out = Path(STREAM) in values["inputs"], values["out"]
    if from_stdin or out == STREAM:
        _refuse_beside_streams(values, from_stdin)
    if out == STREAM:
        stream = Path(STREAM)
        return Destination(stream, None, values["result_format"], from_stdin, to_stdout=True)
    if values["no_pictures"]:
        return Destination(_folder_of_tables(out, values["lut"]), None, values["result_format"])
    if out is None:
        if values["suffix"] is None:
            raise UsageError("--out DIR is missing: the folder for the results")
        return Destination(None, None, values["result_format"])
    place = _file(out, values)
    if from_stdin and place is None:
        raise UsageError(
            f"--out {out}: a photo from standard input has no name; give that of its result, such "
            f"as {Path(out) / 'photo.jpg'}"
        )
    return place or Destination(Path(out), None, values["result_format"])


def _refuse_unusable_suffix(values: Mapping[str, Any]) -> None:
    suffix = values["suffix"]
    if suffix == "":
        raise UsageError("--suffix is empty: results need other names than their photos")
    ending = Path("name" + (suffix or "")).suffix.lower()
    if ending in PHOTOS:
        raise UsageError(
            f"--suffix {suffix}: leave out {ending}, the file's own suffix follows; --format "
            "chooses the format"
        )


def _refuse_beside_streams(values: Mapping[str, Any], from_stdin: bool) -> None:
    """Refuse what needs a photo or a folder with a name, or standard output for itself.

    Raises:
        UsageError: There is such an option.
    """
    out, inputs = values["out"], list(dict.fromkeys(values["inputs"]))
    if from_stdin and len(inputs) > 1:
        raise UsageError("-, standard input, is one photo: leave out the other INPUTs")
    if out == STREAM and (len(inputs) > 1 or os.path.isdir(inputs[0])):  # noqa: PTH112
        raise UsageError("--out -, standard output, takes one photo; choose a folder for several")
    refused = ["suffix", "dry_run", "no_pictures"]
    if out == STREAM:
        refused += ["as_json", "json_lines", "compare", "gallery", "lut"]
    names = {"as_json": "json"}
    for name in refused:
        if values[name]:
            option = names.get(name, name).replace("_", "-")
            where = "--out -" if out == STREAM else "standard input"
            raise UsageError(f"--{option} does not go with {where}; use files and folders")
    if from_stdin and out is None:
        raise UsageError("--out FILE is missing: the file for the result, or - (standard output)")


def _file(out: str, values: Mapping[str, Any]) -> Destination | None:
    """A file in which the only result goes; None if a folder is meant.

    Raises:
        UsageError: There may be several results, or the file's format is not the chosen one.
        OutputError: There may be several results, and the file is there already.
    """
    path, inputs = Path(out), dict.fromkeys(values["inputs"])
    ending = path.suffix.lower()
    if out.endswith(("/", os.sep)) or os.path.isdir(path):  # noqa: PTH112
        return None
    one = len(inputs) == 1 and not os.path.isdir(next(iter(inputs)))  # noqa: PTH112
    if ending not in PHOTOS | OTHER_PICTURES:
        if one and not os.path.exists(path):  # noqa: PTH110
            _refuse_misspelt(out, ending)
        return None
    kind = _format_of(ending)
    if not one:
        if os.path.exists(path):  # noqa: PTH110
            raise OutputError(f"--out {out}: is a file, not a folder; choose another folder")
        if kind is None:
            return None
        raise UsageError(
            f"--out {out}: names a file, which takes the result of one photo; choose a folder, or "
            f"end it with / if it is to be one"
        )
    if kind is None:
        raise UsageError(
            f"--out {out}: {ending} files are not written; choose {suffixes_written()}"
        )
    if values["suffix"]:
        raise UsageError(f"--suffix and --out {out}: give the name of the file, or a suffix")
    chosen: Format = values["result_format"]
    given = is_given(values["context"], "result_format")
    if given and chosen not in ("keep", kind):
        raise UsageError(f"--format {chosen} and --out {out}: the formats differ; leave out one")
    return Destination(path.parent, path.name, kind, Path(STREAM) in inputs)


def _refuse_misspelt(out: str, ending: str) -> None:
    """Refuse a name that is nearly that of a picture; it would become a folder's.

    Raises:
        UsageError: It is.
    """
    written = sorted({suffix for suffixes in SUFFIXES.values() for suffix in suffixes})
    close = difflib.get_close_matches(ending, written, n=1, cutoff=0.75)
    if close:
        raise UsageError(
            f"--out {out}: no picture ends with {ending}; did you mean {close[0]}? End it with / "
            "if it is to be a folder"
        )


def _format_of(ending: str) -> Format | None:
    """The format that a file suffix names; None if it is not written."""
    for kind, endings in SUFFIXES.items():
        if kind != "keep" and ending in endings:
            return kind
    return None


def _folder_of_tables(out: str | None, lut: Path | None) -> Path:
    """The folder of look-up tables that are all that is written.

    Raises:
        UsageError: A folder is missing, or there is one too many.
    """
    if lut is None:
        raise UsageError("--no-pictures writes LUTs alone: give their folder, --lut DIR")
    if out is not None:
        raise UsageError("--no-pictures writes into the folder of --lut alone; leave out --out")
    return lut

"""Reads the file that names series by hand: a line of names or patterns for each of them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from enhance_cli.errors import UsageError


def read_series_file(path: Path, photos: Sequence[Path]) -> tuple[list[list[int]], list[str]]:
    """Find the photos of each series.

    Every line names the photos of a series: names, or patterns with ``*`` and ``?``, separated by
    spaces and quoted like words of a shell. A pattern with folders fits the end of a photo's path.
    What follows a ``#`` is a comment.

    Args:
        path: The file, in UTF-8.
        photos: The photos of the run.

    Returns:
        The positions of the photos of each series, in ascending order, and a warning for each
        pattern that fits none.

    Raises:
        UsageError: The file cannot be read, or names a photo in two series.
    """
    series: list[list[int]] = []
    warnings: list[str] = []
    taken: dict[int, int] = {}
    for number, patterns in enumerate(_lines(path), 1):
        members: set[int] = set()
        for pattern in patterns:
            fitting = {i for i, photo in enumerate(photos) if _fits(photo, pattern)}
            if not fitting:
                warnings.append(f"--series {path}, line {number}: {pattern} fits no photo")
            members |= fitting
        for index in sorted(members):
            if index in taken:
                raise UsageError(
                    f"--series {path}, line {number}: {photos[index]} is in the series of line "
                    f"{taken[index]}, too; name it once"
                )
            taken[index] = number
        if members:
            series.append(sorted(members))
    return series, warnings


def _lines(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise UsageError(
            f"--series {path}: {problem.strerror}; give auto, off, or a text file with a line of "
            "photos for each series"
        ) from problem
    except UnicodeDecodeError as problem:
        raise UsageError(f"--series {path}: not a text file in UTF-8") from problem
    lines: list[list[str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            lines.append(shlex.split(line, comments=True))
        except ValueError as problem:
            raise UsageError(f"--series {path}, line {number}: {problem}") from problem
    return lines


def _fits(photo: Path, pattern: str) -> bool:
    return photo.name == pattern or photo.absolute().match(pattern.removeprefix("./"))

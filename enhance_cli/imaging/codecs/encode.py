"""Writing a photo to a file, which appears whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

from enhance_cli.atomic_write import atomic_write
from enhance_cli.config.apply import Encoding
from enhance_cli.errors import OutputError, PhotoError
from enhance_cli.imaging.codecs.avif import write_avif
from enhance_cli.imaging.codecs.formats import AVIF, JPEG, PNG, TIFF, WEBP
from enhance_cli.imaging.codecs.jpeg import METADATA_LIMITS, write_jpeg
from enhance_cli.imaging.codecs.png import write_png
from enhance_cli.imaging.codecs.tiff.write import write_tiff
from enhance_cli.imaging.codecs.webp import write_webp
from enhance_cli.imaging.metadata import extended_xmp
from enhance_cli.imaging.metadata.metadata import NO_METADATA, Metadata
from enhance_cli.imaging.photo import Photo

Writer = Callable[[Photo, Path, Encoding, Metadata], None]

_WRITERS: dict[frozenset[str], Writer] = {
    JPEG: write_jpeg,
    PNG: write_png,
    TIFF: write_tiff,
    WEBP: write_webp,
    AVIF: write_avif,
}

WRITERS = {suffix: write for suffixes, write in _WRITERS.items() for suffix in suffixes}
"""The writer for each suffix, in lower case."""

DEFAULT_ENCODING = Encoding()

_AFFECTS_EVERY_FILE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
)
"""Errors that would occur with every further photo."""


def write_photo(
    photo: Photo,
    path: Path,
    encoding: Encoding = DEFAULT_ENCODING,
    metadata: Metadata = NO_METADATA,
) -> tuple[str, ...]:
    """Write a photo with its color profile, in the format of the path's suffix.

    The file appears under its name only when it is complete.

    Args:
        photo: The photo; its transparent parts are blended with white in a JPEG.
        path: The file; missing folders are created.
        encoding: Quality and depth of the file.
        metadata: Metadata to write, from
            :func:`enhance_cli.imaging.metadata.metadata.metadata_for_result`.

    Returns:
        A line for each part of the metadata that was left out.

    Raises:
        ValueError: No format that can be written has this suffix.
        OutputError: The disk is full or read-only, so that further photos would fail as well.
        PhotoError: This file cannot be written.
    """
    metadata, lost = _fit_metadata(metadata, path.suffix.lower())
    try:
        _write(photo, path, encoding, metadata)
    except PhotoError:
        if metadata == NO_METADATA:
            raise
        _write(photo, path, encoding, NO_METADATA)  # a photo never fails for its metadata
        return (*lost, "its metadata cannot be written and was left out")
    return lost


def _write(photo: Photo, path: Path, encoding: Encoding, metadata: Metadata) -> None:
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise ValueError(f"no format that can be written has the suffix {path.suffix}")
    with _errors_reported(path), atomic_write(path) as temporary:
        write(photo, temporary, encoding, metadata)


def _fit_metadata(metadata: Metadata, suffix: str) -> tuple[Metadata, tuple[str, ...]]:
    """Leave out the metadata for which the format has no place, or too little.

    Returns:
        The rest, and a line for each part that was left out.
    """
    lost: list[str] = []
    if suffix not in JPEG and metadata.xmp and metadata.long_xmp:
        whole = extended_xmp.merged(metadata.xmp, metadata.long_xmp)
        lost += [] if whole else ["its XMP is too long for this format and was left out"]
        metadata = replace(metadata, xmp=whole, long_xmp=())
    if suffix in JPEG:
        for name, limit in METADATA_LIMITS.items():
            if len(getattr(metadata, name) or b"") > limit:
                metadata = replace(metadata, **{name: None})
                lost.append(f"its {name.upper()} is too long for a JPEG and was left out")
    elif metadata.iptc and suffix not in TIFF:
        metadata = replace(metadata, iptc=None)
        lost.append("its IPTC records have no place in this format and were left out")
    return metadata, tuple(lost)


@contextlib.contextmanager
def _errors_reported(path: Path) -> Generator[None]:
    """Translate exceptions of the operating system and of the codecs."""
    try:
        yield
    # Codecs raise exceptions of any type for pixels or metadata that they cannot handle.
    except Exception as problem:
        if isinstance(problem, OSError) and problem.errno in _AFFECTS_EVERY_FILE:
            raise OutputError(
                f"{path.parent}: {os.strerror(problem.errno or 0)}; free some space or choose "
                "another --out, and run the same command again: finished results are kept"
            ) from problem
        if isinstance(problem, MemoryError):
            raise PhotoError(f"{path}: too large for this machine's memory") from problem
        raise PhotoError(f"{path}: cannot be written ({problem})") from problem

"""Writing a photo to a file, which appears whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

from enhance_cli.atomic_write import ANYTHING, Publisher, atomic_write, remedy
from enhance_cli.config.apply import Encoding, Format
from enhance_cli.errors import EnhanceError, OutputError, PhotoError, UsageError
from enhance_cli.imaging.codecs.formats import AVIF, HEIF, JPEG, JPEG_XL, PNG, TIFF, WEBP, mime_type
from enhance_cli.imaging.codecs.isobmff.avif import write_avif
from enhance_cli.imaging.codecs.isobmff.heif import can_write_heif, write_heif
from enhance_cli.imaging.codecs.jpeg import METADATA_LIMITS, write_jpeg
from enhance_cli.imaging.codecs.jpegxl.write import write_jpegxl
from enhance_cli.imaging.codecs.png import write_png
from enhance_cli.imaging.codecs.tiff.write import unreadable_tags, write_tiff
from enhance_cli.imaging.codecs.webp.write import write_webp
from enhance_cli.imaging.metadata import extended_xmp, xmp
from enhance_cli.imaging.metadata.exif import PREFIX
from enhance_cli.imaging.metadata.lost_tags import LEFT_OUT, TOO_LONG, describe_tags, shortened
from enhance_cli.imaging.metadata.metadata import GAIN_MAP_LOST, NO_METADATA, Metadata
from enhance_cli.imaging.photo import Photo

Writer = Callable[[Photo, Path, Encoding, Metadata], None]

_WRITERS: dict[frozenset[str], Writer] = {
    JPEG: write_jpeg,
    PNG: write_png,
    TIFF: write_tiff,
    WEBP: write_webp,
    AVIF: write_avif,
    HEIF: write_heif,
    JPEG_XL: write_jpegxl,
}

WRITERS = {suffix: write for suffixes, write in _WRITERS.items() for suffix in suffixes}
"""The writer for each suffix, in lower case."""

DEFAULT_ENCODING = Encoding()

AFFECTS_EVERY_FILE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors that would occur with every further photo."""

_PASSING = frozenset({errno.EIO, errno.ESTALE, errno.EAGAIN, errno.ETIMEDOUT})
"""Errors of a disk or a network drive that may be over at the next attempt."""

_PAUSES = (0.1, 0.5)
"""Seconds before the second attempt and before the third."""


def refuse_missing_encoder(kind: Format) -> None:
    """Raise a UsageError if this installation cannot write the format."""
    if kind == "heic" and not can_write_heif():
        raise UsageError(
            "--format heic: this build of pillow-heif has no HEVC encoder; choose avif or jpg, or "
            "install the wheel from PyPI"
        )


def write_photo(
    photo: Photo,
    path: Path,
    encoding: Encoding = DEFAULT_ENCODING,
    metadata: Metadata = NO_METADATA,
    publisher: Publisher = ANYTHING,
) -> tuple[str, ...]:
    """Write a photo with its color profile, in the format of the path's suffix.

    The file appears under its name only when it is complete.

    Args:
        photo: The photo; its transparent parts are blended with white in a JPEG.
        path: The file; missing folders are created.
        encoding: Quality and depth of the file.
        metadata: Metadata to write, from
            :func:`enhance_cli.imaging.metadata.metadata.metadata_for_result`.
        publisher: Decides whether a file that is there may be replaced.

    Returns:
        A line for each part of the metadata that was left out, and for a gain map: JPEG alone holds
        one.

    Raises:
        ValueError: No format that can be written has this suffix.
        OutputError: The disk is full or read-only, so that further photos would fail as well.
        PhotoError: This file cannot be written.
        PlaceTakenError: A file is there that may not be replaced.
    """
    metadata, lost = _fit_metadata(metadata, path.suffix.lower())
    if photo.gain_map is not None and path.suffix.lower() not in JPEG:
        lost = (*lost, GAIN_MAP_LOST)
    for _ in range(2):  # Pillow does not always say that it was the disk
        try:
            _write(photo, path, encoding, metadata, publisher)
        except PhotoError as problem:
            if metadata == NO_METADATA or not _is_of_codec(problem.__cause__):
                raise
        else:
            return lost
    _write(photo, path, encoding, NO_METADATA, publisher)  # a photo never fails for its metadata
    return (*lost, "its metadata cannot be written and was left out")


def _is_of_codec(cause: BaseException | None) -> bool:
    """Whether a codec refused to write, for which the metadata may be the reason."""
    return not (isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno))


def _write(
    photo: Photo, path: Path, encoding: Encoding, metadata: Metadata, publisher: Publisher
) -> None:
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise ValueError(f"no format that can be written has the suffix {path.suffix}")

    def attempt() -> None:
        with atomic_write(path, publisher) as temporary:
            write(photo, temporary, encoding, metadata)

    with write_errors_reported(path):
        retried(attempt)


def retried(attempt: Callable[[], None]) -> None:
    """Write a file, and try again after an error of the disk or the network that may pass.

    Raises:
        OSError: The error has not passed.
    """
    for pause in _PAUSES:
        try:
            attempt()
        except OSError as problem:
            if problem.errno not in _PASSING:
                raise
            time.sleep(pause)
        else:
            return
    attempt()


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
    if metadata.xmp:
        metadata = replace(metadata, xmp=xmp.with_format(metadata.xmp, mime_type(suffix).encode()))
    if suffix in TIFF:
        lost += describe_tags(unreadable_tags(metadata), LEFT_OUT)
    if suffix in JPEG:
        metadata = _with_short_exif(metadata, lost)
        for name, limit in METADATA_LIMITS.items():
            if len(getattr(metadata, name) or b"") > limit:
                metadata = replace(metadata, **{name: None})
                lost.append(f"its {name.upper()} is too long for a JPEG and was left out")
    elif metadata.iptc and suffix not in TIFF:
        metadata = replace(metadata, iptc=None)
        lost.append("its IPTC records have no place in this format and were left out")
    return metadata, tuple(lost)


def _with_short_exif(metadata: Metadata, lost: list[str]) -> Metadata:
    """Leave out the tags for which a JPEG has no room; ``lost`` gets a line that names them."""
    block, limit = metadata.exif_block, METADATA_LIMITS["exif"]
    if block is None or len(block) <= limit:
        return metadata
    short, tags = shortened(block.removeprefix(PREFIX), limit - len(PREFIX))
    if short is None:
        return metadata
    lost += describe_tags(tags, TOO_LONG)
    return replace(metadata, exif=PREFIX + short)


@contextlib.contextmanager
def write_errors_reported(path: Path) -> Generator[None]:
    """Translate exceptions of the operating system and of the codecs.

    Raises:
        OutputError: The disk is full or read-only, so that further files would fail as well.
        PhotoError: This file cannot be written.
    """
    try:
        yield
    except EnhanceError:
        raise
    # Codecs raise exceptions of any type for pixels or metadata that they cannot handle.
    except Exception as problem:
        if isinstance(problem, OSError) and problem.errno in AFFECTS_EVERY_FILE:
            raise OutputError(
                f"{path.parent}: {os.strerror(problem.errno or 0)}; "
                f"{remedy(problem, 'choose another --out')}, and run the same command again: "
                "finished results are kept"
            ) from problem
        if isinstance(problem, MemoryError):
            raise PhotoError(f"{path}: too large for this machine's memory") from problem
        raise PhotoError(f"{path}: cannot be written ({_reason(problem)})") from problem


def _reason(problem: Exception) -> str:
    """What went wrong, without the name of the temporary file."""
    return problem.strerror or str(problem) if isinstance(problem, OSError) else str(problem)

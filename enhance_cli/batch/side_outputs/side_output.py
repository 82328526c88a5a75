"""A file that is written for each photo beside its result, and what it is made of."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from enhance_cli.atomic_write import Publisher
from enhance_cli.batch.output_paths import Job
from enhance_cli.config.look_files import Look
from enhance_cli.errors import OutputError
from enhance_cli.imaging.photo import Photo

if TYPE_CHECKING:
    from enhance_cli.inference.retouch import Retouch


class RetouchedPhoto(NamedTuple):
    """A photo whose result is written.

    Attributes:
        job: The photo and its output path.
        before: Preview before retouching; None if no side output shows photos.
        after: Preview after retouching, or None.
        retouch: Retouch that was applied; None if the photo was left unchanged.
        look: Strength and dials of the photo.
    """

    job: Job
    before: Photo | None
    after: Photo | None
    retouch: Retouch | None
    look: Look


class SideOutput(Protocol):
    """A kind of file that is written for each photo.

    Attributes:
        option: The option that asks for it.
        folder: Its folder.
        settings: What it depends on besides the settings of the results.
    """

    option: str
    folder: Path
    settings: str

    def path(self, relative: Path) -> Path:
        """The file for a result, whose path below ``--out`` is ``relative``."""
        ...

    def write(self, photo: RetouchedPhoto, path: Path, publisher: Publisher) -> None:
        """Write the file.

        Args:
            photo: The photo.
            path: The file.
            publisher: Decides whether a file that is there may be replaced.
        """
        ...


@contextlib.contextmanager
def errors_reported(option: str, path: Path) -> Generator[None]:
    """Turn an OSError into an OutputError that names the option and its place."""
    try:
        yield
    except OSError as problem:
        raise OutputError(
            f"{option} {path}: {problem.strerror or problem}; choose another place"
        ) from problem

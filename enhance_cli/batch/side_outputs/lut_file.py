"""The retouch of each photo as a look-up table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from enhance_cli.atomic_write import ANYTHING, Publisher
from enhance_cli.batch.output_paths import Job, lut_name
from enhance_cli.batch.side_outputs.side_output import RetouchedPhoto
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.look_files import Look
from enhance_cli.imaging.codecs.encode import retried, write_errors_reported
from enhance_cli.imaging.color_space import Floats
from enhance_cli.imaging.lut import write_lut

if TYPE_CHECKING:
    from enhance_cli.inference.retouch import Retouch


class LutFile:
    """The tables of ``--lut``; see :class:`SideOutput`.

    Args:
        config: The run's settings.
        folder: The folder of the tables.
    """

    option = "--lut"

    def __init__(self, config: ApplyConfig, folder: Path) -> None:
        self._config = config
        self.folder = folder
        self.settings = f"/{config.lut_size}"

    def path(self, relative: Path) -> Path:
        """See :meth:`SideOutput.path`."""
        return self.folder / lut_name(relative, self._config.lut_format)

    def write(self, photo: RetouchedPhoto, path: Path, publisher: Publisher) -> None:
        """See :meth:`SideOutput.write`."""
        write_retouch_as_lut(photo.retouch, photo.look, photo.job, path, self._config, publisher)


def write_retouch_as_lut(
    retouch: Retouch | None,
    look: Look,
    job: Job,
    path: Path,
    config: ApplyConfig,
    publisher: Publisher = ANYTHING,
) -> None:
    """Write a photo's retouch as a look-up table, strength and dials included.

    Args:
        retouch: The retouch; None leaves all colors to the dials.
        look: Strength and dials of the photo.
        job: The photo.
        path: The file.
        config: The run's settings.
        publisher: Decides whether a file that is there may be replaced.

    Raises:
        OutputError: The disk is full or read-only.
        PhotoError: The file cannot be written.
        PlaceTakenError: A file is there that may not be replaced.
    """

    def function(colors: Floats) -> Floats:
        if retouch is None:
            from enhance_cli.inference.dials import turn_dials  # late: see enhance_cli.batch.runner

            return turn_dials(colors, look.dials)
        return retouch.colors(colors, look.strength, look.dials)

    def attempt() -> None:
        name, kind, size = job.input.name, config.lut_format, config.lut_size
        write_lut(function, path, name, kind, size, publisher)

    with write_errors_reported(path):
        retried(attempt)

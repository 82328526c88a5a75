"""A before-and-after picture of each photo."""

from __future__ import annotations

import os
from pathlib import Path

from enhance_cli.atomic_write import Publisher, identity
from enhance_cli.batch.output_paths import comparison_name
from enhance_cli.batch.side_outputs.side_output import RetouchedPhoto
from enhance_cli.errors import UsageError
from enhance_cli.imaging.preview import write_comparison


class Comparison:
    """The pictures of ``--compare``; see :class:`SideOutput`.

    Args:
        folder: Their folder.
        out: The folder of results; None if each stands beside its photo.

    Raises:
        UsageError: Both are the same folder.
    """

    option = "--compare"
    settings = ""

    def __init__(self, folder: Path, out: Path | None) -> None:
        here = identity(folder)
        if out is not None and (
            os.path.realpath(folder) == os.path.realpath(out)
            or (here is not None and here == identity(out))
        ):
            raise UsageError(f"--compare {folder}: choose a folder other than --out")
        self.folder = folder

    def path(self, relative: Path) -> Path:
        """See :meth:`SideOutput.path`; the name keeps its suffix, so that no two are equal."""
        return self.folder / comparison_name(relative)

    def write(self, photo: RetouchedPhoto, path: Path, publisher: Publisher) -> None:
        """See :meth:`SideOutput.write`."""
        if photo.before is not None and photo.after is not None:
            write_comparison(photo.before, photo.after, path, publisher)

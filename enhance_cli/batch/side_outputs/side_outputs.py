"""All that a run writes beside its results."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path

from enhance_cli.batch.conflicts import SidePlace, listed
from enhance_cli.batch.output_paths import Job, refuse_folder_of_originals
from enhance_cli.batch.ownership import Claim, Ownership
from enhance_cli.batch.record_places import records_for
from enhance_cli.batch.side_outputs.gallery import Gallery
from enhance_cli.batch.side_outputs.gallery_page import GalleryEntry
from enhance_cli.batch.side_outputs.photo_files import PhotoFiles
from enhance_cli.batch.side_outputs.side_output import RetouchedPhoto
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.look_files import Look
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.preview import COMPARISON_EDGE


class SideOutputs:
    """All side outputs of a run: the files of each photo, and the gallery.

    Args:
        config: The run's settings.
        ownership: Tells whose a file is.
        photos: Number of photos in the run; the more, the smaller the pictures in the gallery.

    Attributes:
        passed_over: Places of side outputs of skipped photos in which others' files are.

    Raises:
        UsageError: One of them would be among the originals or the results, or is not an HTML file.
    """

    def __init__(
        self, config: ApplyConfig, ownership: Ownership | None = None, photos: int = 1
    ) -> None:
        owners = ownership or Ownership(records_for(config, ()))
        self.passed_over: list[Path] = []
        self._warnings: list[str] = []
        self._files = PhotoFiles(config, owners)
        self._gallery: Gallery | None = None
        if config.gallery:
            self._gallery = Gallery(config.gallery, config, owners, photos, self._warnings)
        for option, folder in self._folders():
            refuse_folder_of_originals(option, folder, owners.originals)
        edges = [COMPARISON_EDGE] if config.compare else []
        edges += [self._gallery.picture_edge] if self._gallery else []
        self._preview_edge = max(edges, default=None)

    def _folders(self) -> Iterator[tuple[str, Path]]:
        yield from self._files.folders()
        if self._gallery is not None:
            yield "--gallery", self._gallery.folder

    @property
    def gallery(self) -> Path | None:
        """The gallery that the last run has written; None if it has written none."""
        return self._gallery.written if self._gallery else None

    @contextlib.contextmanager
    def opened(self) -> Generator[None]:
        """Try all places, start the gallery, and finish it at the end of the context.

        Raises:
            OutputError: A place cannot be written.
        """
        self._files.try_folders()
        with self._gallery.opened() if self._gallery else contextlib.nullcontext():
            yield

    def rehearse(self, jobs: Iterable[Job]) -> None:
        """Raise what keeps a run from its side outputs, or warn of it; for dry runs.

        Args:
            jobs: The photos that would be retouched.

        Raises:
            OutputError: A place cannot be written.
            UsageError: A file is in the gallery's place, and that is an error; or it is an
                original.
        """
        self._files.rehearse_folders()
        if self._gallery is not None:
            self._gallery.rehearse()
        for job in jobs:
            self._warnings += (f"{job.input}: {problem}" for problem in self._files.problems(job))

    def refuse_originals(self) -> None:
        """Refuse folders that are left out of a run although they hold photos to retouch.

        Raises:
            UsageError: The folder of comparisons or of look-up tables is one.
        """
        self._files.refuse_originals()

    def places(self, job: Job) -> Iterator[SidePlace]:
        """The places of a photo's side outputs."""
        return self._files.places(job)

    def take_warnings(self) -> list[str]:
        """Take the warnings of the whole run that have not been reported yet."""
        warnings = self._warnings.copy()
        self._warnings.clear()
        left, self.passed_over = self.passed_over, []
        if left:
            warnings.append(
                f"{len(left)} comparisons or look-up tables were not written, since files are "
                "there that enhance did not write for these photos; use "
                f"--on-conflict overwrite or rename: {listed(left)}"
            )
        return warnings

    def preview(self, photo: Photo) -> Photo | None:
        """A small version for the comparison and the gallery; None if neither is wanted."""
        return photo.fit_within(self._preview_edge) if self._preview_edge else None

    def preview_of_result(self, job: Job) -> Photo | None:
        """A small version of a result from an earlier run; None if no preview is wanted.

        Raises:
            PhotoError: It cannot be read.
        """
        return decode(job.output, self._preview_edge) if self._preview_edge else None

    def write(
        self, photo: RetouchedPhoto, claim: Claim
    ) -> tuple[GalleryEntry | None, tuple[str, ...]]:
        """Write a photo's files and build its gallery entry; called from several threads.

        Args:
            photo: The photo.
            claim: Publishes the outputs of the photo.

        Returns:
            The entry, and a line for each file that was not written.

        Raises:
            OutputError: Nothing can be written at all.
        """
        problems = self._files.write(photo, claim)
        return self._gallery.entry(photo) if self._gallery else None, problems

    def entry_for_existing(self, job: Job, look_of: Callable[[Photo], Look]) -> GalleryEntry | None:
        """See :meth:`Gallery.entry_for_existing`; None if there is no gallery."""
        return self._gallery.entry_for_existing(job, look_of) if self._gallery else None

    def show(
        self,
        job: Job,
        entry: GalleryEntry | None,
        not_shown: str | None,
        series: int | None = None,
    ) -> None:
        """See :meth:`Gallery.show`; nothing is done if there is no gallery."""
        if self._gallery is not None:
            self._gallery.show(job, entry, not_shown, series)

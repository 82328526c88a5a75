"""The gallery of a run: where its page goes, and which photos it shows."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

from enhance_cli.atomic_write import rehearse_folder
from enhance_cli.batch.conflicts import refuse_original
from enhance_cli.batch.output_paths import Job
from enhance_cli.batch.ownership import Claim, Owner, Ownership
from enhance_cli.batch.side_outputs.gallery_page import GalleryEntry, GalleryPage, picture_edge
from enhance_cli.batch.side_outputs.side_output import RetouchedPhoto, errors_reported
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.look_files import Look
from enhance_cli.errors import UsageError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.preview import thumbnail
from enhance_cli.run_records import Origin

_OPTION = "--gallery"


class Gallery:
    """The page of a run that shows every photo before and after.

    Args:
        wanted: The HTML file.
        config: The run's settings.
        owners: Tells whose a file is.
        photos: Number of photos in the run; the more, the smaller the pictures.
        warnings: Gets a line if the page cannot be written.

    Attributes:
        picture_edge: Longer edge of the pictures, in pixels.
        written: The file that the last run has written; None if it has written none.

    Raises:
        UsageError: The file is not an HTML file.
    """

    def __init__(
        self,
        wanted: Path,
        config: ApplyConfig,
        owners: Ownership,
        photos: int,
        warnings: list[str],
    ) -> None:
        if wanted.suffix.lower() not in {".html", ".htm"}:
            raise UsageError(f"{_OPTION} {wanted}: give the name of an .html file")
        self.picture_edge = picture_edge(photos)
        self.written: Path | None = None
        self._wanted = wanted
        self._out, self._on_conflict = config.out, config.on_conflict
        self._owners = owners
        self._warnings = warnings
        self._claim: Claim | None = None
        self._page: GalleryPage | None = None

    @property
    def folder(self) -> Path:
        """The folder of the page."""
        return self._wanted.parent

    @contextlib.contextmanager
    def opened(self) -> Generator[None]:
        """Start the page, and finish it at the end of the context.

        Raises:
            OutputError: It cannot be written.
            UsageError: A file is in its place, and that is an error; or it is an original.
        """
        self.written = None
        path = self._settle_place("was not written")
        if path is None:
            yield
            return
        self._claim = self._owners.claim(Origin("", "", None, None, ""))
        with errors_reported(_OPTION, path):
            self._page = GalleryPage(path, self._claim)
        try:
            yield
        finally:
            try:
                with errors_reported(_OPTION, path):
                    self._page.close()
                self.written = path
            finally:
                self._page.discard()
                self._page = None

    def rehearse(self) -> None:
        """Raise what keeps a run from writing the page, or warn of it; nothing is written.

        Raises:
            OutputError: Its folder cannot be written.
            UsageError: A file is in its place, and that is an error; or it is an original.
        """
        path = self._settle_place("would not be written")
        if path is not None:
            with errors_reported(_OPTION, path):
                rehearse_folder(path.parent)

    def entry(self, photo: RetouchedPhoto) -> GalleryEntry | None:
        """The entry of a photo; None if no page is open, or if the photo has no previews."""
        if self._page is None or photo.before is None or photo.after is None:
            return None
        return self._entry(photo.job, photo.before, photo.after, photo.look)

    def entry_for_existing(self, job: Job, look_of: Callable[[Photo], Look]) -> GalleryEntry | None:
        """The entry of a photo whose result is from an earlier run; None if there is no result.

        Args:
            job: The photo and its output path.
            look_of: Finds the look of the photo, once it has been read.

        Raises:
            PhotoError: The photo or its result cannot be read.
        """
        if self._page is None or not job.output.exists():
            return None
        after = decode(job.output, self.picture_edge)
        before = decode(job.input, max(after.size))
        return self._entry(job, before, after, look_of(before))

    def show(
        self, job: Job, entry: GalleryEntry | None, not_shown: str | None, series: int | None
    ) -> None:
        """Add a photo of a series to the page, or the reason why it cannot be shown.

        Raises:
            OutputError: The page cannot be written.
        """
        if self._page is None or self._claim is None:
            return
        with errors_reported(_OPTION, self._page.path):
            if entry is not None:
                self._claim.restrict_to(job.input)
                scene = f"Series {series}" if series else None
                self._page.add(replace(entry, scene=scene))
            if not_shown is not None:
                name = job.below(self._out).with_name(job.input.name)
                self._page.add_failed(str(name), _without_folders(not_shown, job))

    def _settle_place(self, what_happens: str) -> Path | None:
        """The file to be written; None if none can be, of which a warning tells.

        Args:
            what_happens: To a page in whose place a file is.

        Raises:
            UsageError: A file is in its place, and that is an error; or it is an original.
        """
        path, number = self._wanted, 0
        while self._on_conflict == "rename" and not self._is_free(path):
            number += 1
            path = self._wanted.with_stem(f"{self._wanted.stem}-{number}")
        owner = self._owners.look(path).owner
        if self._owners.overwrite:
            refuse_original(owner, path)
        if self._owners.may_replace(owner):
            return path
        if self._on_conflict == "error":
            raise UsageError(
                f"{_OPTION} {path}: already exists; choose another name or another --on-conflict"
            )
        self._warnings.append(
            f"{_OPTION} {path}: {what_happens}, since a file is there that enhance did not "
            "write; choose another name or another --on-conflict"
        )
        return None

    def _is_free(self, path: Path) -> bool:
        return self._owners.look(path).owner in {Owner.NOBODY, Owner.OURS}

    def _entry(self, job: Job, before: Photo, after: Photo, look: Look) -> GalleryEntry:
        small = after.fit_within(self.picture_edge)
        return GalleryEntry(
            name=str(job.below(self._out)),
            before=thumbnail(before, self.picture_edge),
            after=thumbnail(small, self.picture_edge),
            size=small.size,
            output=job.output,
            look=str(look),
        )


def _without_folders(text: str, job: Job) -> str:
    """A message without the paths of folders, for a page that is sent to others."""
    text = text.removeprefix(f"{job.input}: ")
    for folder in (job.input.parent, job.output.parent):
        text = text.replace(f"{folder}{os.sep}", "").replace(f"{folder}: ", "")
    return text

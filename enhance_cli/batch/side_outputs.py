"""What a run writes beside its results: comparisons, look-up tables, a gallery."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from enhance_cli.batch.gallery import Gallery, GalleryEntry
from enhance_cli.batch.output_paths import Job, lut_name
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import OutputError, PhotoError, UsageError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.color_space import Floats
from enhance_cli.imaging.lut import write_lut
from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.preview import (
    COMPARISON_EDGE,
    THUMBNAIL_EDGE,
    thumbnail,
    write_comparison,
)

if TYPE_CHECKING:
    from enhance_cli.inference.retouch import Retouch


class SideOutput(Protocol):
    """A file that is written for each photo."""

    def path(self, relative: Path) -> Path:
        """The file for a result, whose path below ``--out`` is ``relative``."""
        ...

    def write(
        self, job: Job, before: Photo | None, after: Photo | None, retouch: Retouch | None
    ) -> None:
        """Write the file.

        Args:
            job: The photo and its output path.
            before: Preview before retouching; None if no side output shows photos.
            after: Preview after retouching, or None.
            retouch: Retouch that was applied; None if the photo was left unchanged.
        """
        ...


class Comparison:
    """A before-and-after picture of each photo."""

    def __init__(self, folder: Path, out: Path) -> None:
        if folder.resolve() == out.resolve():
            raise UsageError(f"--compare {folder}: choose a folder other than --out")
        self._folder, self._out = folder, out

    def path(self, relative: Path) -> Path:
        """See :meth:`SideOutput.path`; the name keeps its suffix, so that no two are equal."""
        return self._folder / relative.with_name(f"{relative.name}.jpg")

    def write(
        self,
        job: Job,
        before: Photo | None,
        after: Photo | None,
        retouch: Retouch | None,  # noqa: ARG002
    ) -> None:
        """See :meth:`SideOutput.write`."""
        if before is not None and after is not None:
            write_comparison(before, after, self.path(job.output.relative_to(self._out)))


class LutFile:
    """The retouch of each photo as a look-up table.

    Args:
        config: The run's settings, with a folder for the tables.
        folder: That folder.
    """

    def __init__(self, config: ApplyConfig, folder: Path) -> None:
        self._config, self._folder = config, folder

    def path(self, relative: Path) -> Path:
        """See :meth:`SideOutput.path`."""
        return self._folder / lut_name(relative, self._config.lut_format)

    def write(
        self,
        job: Job,
        before: Photo | None,  # noqa: ARG002
        after: Photo | None,  # noqa: ARG002
        retouch: Retouch | None,
    ) -> None:
        """See :meth:`SideOutput.write`."""
        path = self.path(job.output.relative_to(self._config.out))
        write_retouch_as_lut(retouch, job, path, self._config)


def write_retouch_as_lut(
    retouch: Retouch | None, job: Job, path: Path, config: ApplyConfig
) -> None:
    """Write a photo's retouch as a look-up table, at the strength of the run.

    Args:
        retouch: The retouch; None leaves all colors unchanged.
        job: The photo.
        path: The file.
        config: The run's settings.

    Raises:
        OutputError: The file cannot be written.
    """

    def function(colors: Floats) -> Floats:
        return colors if retouch is None else retouch.colors(colors, config.strength)

    try:
        write_lut(function, path, job.input.name, config.lut_format, config.lut_size)
    except OSError as problem:
        raise _unwritable("--lut", path, problem) from problem


class SideOutputs:
    """All side outputs of a run.

    Args:
        config: The run's settings.

    Raises:
        UsageError: One of them would overwrite results, or is not an HTML file.
    """

    def __init__(self, config: ApplyConfig) -> None:
        self._out = config.out
        self._files: list[SideOutput] = []
        if config.lut and config.pictures:
            self._files.append(LutFile(config, config.lut))
        if config.compare:
            self._files.append(Comparison(config.compare, config.out))
        self._needs_preview = bool(config.compare or config.gallery)
        self._gallery_path = config.gallery
        self._gallery: Gallery | None = None
        if config.gallery and config.gallery.suffix.lower() not in {".html", ".htm"}:
            raise UsageError(f"--gallery {config.gallery}: give the name of an .html file")

    @contextlib.contextmanager
    def opened(self) -> Generator[None]:
        """Start the gallery, and finish it at the end of the context.

        Raises:
            OutputError: It cannot be written.
        """
        if self._gallery_path is None:
            yield
            return
        with _errors_reported(self._gallery_path):
            self._gallery = Gallery(self._gallery_path)
        try:
            yield
        finally:
            try:
                with _errors_reported(self._gallery_path):
                    self._gallery.close()
            finally:
                self._gallery.discard()
                self._gallery = None

    def missing(self, job: Job) -> bool:
        """Whether a side output of a photo does not exist yet."""
        relative = job.output.relative_to(self._out)
        return any(not file.path(relative).exists() for file in self._files)

    def preview(self, photo: Photo) -> Photo | None:
        """A small version for the comparison and the gallery; None if neither is wanted."""
        return photo.fit_within(COMPARISON_EDGE) if self._needs_preview else None

    def write(
        self, job: Job, before: Photo | None, after: Photo | None, retouch: Retouch | None
    ) -> tuple[GalleryEntry | None, tuple[str, ...]]:
        """Write a photo's files and build its gallery entry; called from several threads.

        Args:
            job: The photo and its output path.
            before: Preview before retouching, or None.
            after: Preview after retouching, or None.
            retouch: Retouch that was applied; None if the photo was left unchanged.

        Returns:
            The entry, and a line for each file that could not be written.

        Raises:
            OutputError: Nothing can be written at all.
        """
        try:
            for file in self._files:
                file.write(job, before, after, retouch)
            if self._gallery is None or before is None or after is None:
                return None, ()
            return self._entry(job, before, after, retouch), ()
        except PhotoError as problem:
            return None, (str(problem),)

    def entry_for_existing(self, job: Job) -> GalleryEntry | None:
        """The gallery entry of a photo whose result is from an earlier run.

        Raises:
            PhotoError: The photo or its result cannot be read.
        """
        if self._gallery is None or not job.output.exists():
            return None
        before, after = (decode(path, THUMBNAIL_EDGE) for path in (job.input, job.output))
        return self._entry(job, before, after, None)

    def show(self, job: Job, entry: GalleryEntry | None, not_shown: str | None) -> None:
        """Add a photo to the gallery, or the reason why it cannot be shown.

        Raises:
            OutputError: The gallery cannot be written.
        """
        if self._gallery is None:
            return
        if entry is not None:
            with _errors_reported(self._gallery.path):
                self._gallery.add(entry)
        if not_shown is not None:
            self._gallery.add_failed(str(job.input), not_shown.removeprefix(f"{job.input}: "))

    def _entry(
        self, job: Job, before: Photo, after: Photo, retouch: Retouch | None
    ) -> GalleryEntry:
        small = after.fit_within(THUMBNAIL_EDGE)
        return GalleryEntry(
            name=str(job.output.relative_to(self._out)),
            before=thumbnail(before),
            after=thumbnail(small),
            size=small.size,
            output=job.output,
            coarse=retouch.function.matrix if retouch and retouch.has_cenet else None,
        )


@contextlib.contextmanager
def _errors_reported(gallery: Path) -> Generator[None]:
    try:
        yield
    except OSError as problem:
        raise _unwritable("--gallery", gallery, problem) from problem


def _unwritable(option: str, path: Path, problem: OSError) -> OutputError:
    return OutputError(f"{option} {path}: {problem.strerror or problem}; choose another place")

"""What a run writes beside its results: comparisons, look-up tables, a gallery."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from enhance_cli.atomic_write import (
    ANYTHING,
    Publisher,
    identity,
    make_folder,
    rehearse_folder,
)
from enhance_cli.batch.conflicts import (
    SidePlace,
    free_path,
    listed,
    refuse_original,
    why_unwritable,
)
from enhance_cli.batch.gallery import Gallery, GalleryEntry, picture_edge
from enhance_cli.batch.manifest import Manifest
from enhance_cli.batch.output_paths import (
    Job,
    comparison_name,
    lut_name,
    refuse_folder_of_originals,
)
from enhance_cli.batch.ownership import Claim, Owner, Ownership
from enhance_cli.batch.record_places import records_for
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.look_files import Look
from enhance_cli.errors import OutputError, PhotoError, PlaceTakenError, UsageError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import retried, write_errors_reported
from enhance_cli.imaging.color_space import Floats
from enhance_cli.imaging.lut import write_lut
from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.preview import (
    COMPARISON_EDGE,
    thumbnail,
    write_comparison,
)
from enhance_cli.run_records import Origin

if TYPE_CHECKING:
    from enhance_cli.inference.retouch import Retouch


class SideOutput(Protocol):
    """A file that is written for each photo.

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

    def write(
        self,
        job: Job,
        path: Path,
        before: Photo | None,
        after: Photo | None,
        retouch: Retouch | None,
        look: Look,
        publisher: Publisher,
    ) -> None:
        """Write the file.

        Args:
            job: The photo and its output path.
            path: The file.
            before: Preview before retouching; None if no side output shows photos.
            after: Preview after retouching, or None.
            retouch: Retouch that was applied; None if the photo was left unchanged.
            look: Strength and dials of the photo.
            publisher: Decides whether a file that is there may be replaced.
        """
        ...


class Comparison:
    """A before-and-after picture of each photo."""

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

    def write(
        self,
        job: Job,  # noqa: ARG002
        path: Path,
        before: Photo | None,
        after: Photo | None,
        retouch: Retouch | None,  # noqa: ARG002
        look: Look,  # noqa: ARG002
        publisher: Publisher,
    ) -> None:
        """See :meth:`SideOutput.write`."""
        if before is not None and after is not None:
            write_comparison(before, after, path, publisher)


class LutFile:
    """The retouch of each photo as a look-up table.

    Args:
        config: The run's settings, with a folder for the tables.
        folder: That folder.
    """

    option = "--lut"

    def __init__(self, config: ApplyConfig, folder: Path) -> None:
        self._config = config
        self.folder = folder
        self.settings = f"/{config.lut_size}"

    def path(self, relative: Path) -> Path:
        """See :meth:`SideOutput.path`."""
        return self.folder / lut_name(relative, self._config.lut_format)

    def write(
        self,
        job: Job,
        path: Path,
        before: Photo | None,  # noqa: ARG002
        after: Photo | None,  # noqa: ARG002
        retouch: Retouch | None,
        look: Look,
        publisher: Publisher,
    ) -> None:
        """See :meth:`SideOutput.write`."""
        write_retouch_as_lut(retouch, look, job, path, self._config, publisher)


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


class SideOutputs:
    """All side outputs of a run.

    Args:
        config: The run's settings.
        ownership: Tells whose a file is.
        photos: Number of photos in the run; the more, the smaller the pictures in the gallery.

    Attributes:
        gallery: The gallery that the last run has written; None if it has written none.
        passed_over: Places of side outputs of skipped photos in which others' files are.

    Raises:
        UsageError: One of them would be among the originals or the results, or is not an HTML file.
    """

    def __init__(
        self, config: ApplyConfig, ownership: Ownership | None = None, photos: int = 1
    ) -> None:
        self._config = config
        self._picture_edge = picture_edge(photos)
        self._out = config.out
        self._owners = ownership or Ownership(records_for(config, ()))
        self._files: list[SideOutput] = []
        if config.lut and config.pictures:
            self._files.append(LutFile(config, config.lut))
        if config.compare:
            self._files.append(Comparison(config.compare, config.out))
        edges = [COMPARISON_EDGE] if config.compare else []
        edges += [self._picture_edge] if config.gallery else []
        self._preview_edge = max(edges, default=None)
        self._gallery_path = config.gallery
        self.gallery: Path | None = None
        self._gallery: Gallery | None = None
        self._gallery_claim: Claim | None = None
        self._renamed: dict[Path, Path] = {}
        self._warnings: list[str] = []
        self.passed_over: list[Path] = []
        if config.gallery and config.gallery.suffix.lower() not in {".html", ".htm"}:
            raise UsageError(f"--gallery {config.gallery}: give the name of an .html file")
        for option, folder in self._folders():
            refuse_folder_of_originals(option, folder, self._owners.originals)

    def _folders(self) -> Iterator[tuple[str, Path]]:
        yield from ((file.option, file.folder) for file in self._files)
        if self._gallery_path is not None:
            yield "--gallery", self._gallery_path.parent

    @contextlib.contextmanager
    def opened(self) -> Generator[None]:
        """Try all places, start the gallery, and finish it at the end of the context.

        Raises:
            OutputError: A place cannot be written.
        """
        for file in self._files:
            with _errors_reported(file.option, file.folder):
                _try_folder(file.folder, self._owners.manifest)
        self.gallery = None
        if self._gallery_path is None or not self._claim_gallery("was not written"):
            yield
            return
        with _errors_reported("--gallery", self._gallery_path):
            assert self._gallery_claim is not None
            self._gallery = Gallery(self._gallery_path, self._gallery_claim)
        try:
            yield
        finally:
            try:
                with _errors_reported("--gallery", self._gallery_path):
                    self._gallery.close()
                self.gallery = self._gallery_path
            finally:
                self._gallery.discard()
                self._gallery = None

    def rehearse(self, jobs: Iterable[Job]) -> None:
        """Raise what keeps a run from its side outputs, or warn of it; for dry runs.

        Args:
            jobs: The photos that would be retouched.

        Raises:
            OutputError: A place cannot be written.
            UsageError: A file is in the gallery's place, and that is an error; or it is an
                original.
        """
        for file in self._files:
            with _errors_reported(file.option, file.folder):
                rehearse_folder(file.folder)
        if self._gallery_path is not None and self._claim_gallery("would not be written"):
            with _errors_reported("--gallery", self._gallery_path):
                rehearse_folder(self._gallery_path.parent)
        for job in jobs:
            problems = (self._problem(place.path, job) for place in self.places(job))
            self._warnings += (f"{job.input}: {problem}" for problem in problems if problem)

    def _problem(self, path: Path, job: Job) -> str | None:
        """Why a photo's side output would not be written; None if it would be."""
        if not self._owners.overwrite and self._owners.is_in_the_way(path, job.input):
            return (
                f"{path}: would not be written, since a file is there that enhance did not write "
                "for this photo"
            )
        return why_unwritable(path)

    def _claim_gallery(self, what_happens: str) -> bool:
        """Whether the gallery can be written; if not, a warning says so.

        Args:
            what_happens: To a gallery in whose place a file is.

        Raises:
            UsageError: A file is in its place, and that is an error; or it is an original.
        """
        wanted = path = self._config.gallery
        assert wanted is not None and path is not None
        number, on_conflict = 0, self._config.on_conflict
        while on_conflict == "rename" and not self._is_free(path):
            number += 1
            path = wanted.with_stem(f"{wanted.stem}-{number}")
        self._gallery_path = path
        self._gallery_claim = self._owners.claim(Origin("", "", None, None, ""))
        owner = self._owners.look(path).owner
        if self._owners.overwrite:
            refuse_original(owner, path)
        if self._owners.may_replace(owner):
            return True
        if on_conflict == "error":
            raise UsageError(
                f"--gallery {path}: already exists; choose another name or another --on-conflict"
            )
        self._warnings.append(
            f"--gallery {path}: {what_happens}, since a file is there that enhance did not "
            "write; choose another name or another --on-conflict"
        )
        return False

    def _is_free(self, path: Path) -> bool:
        return self._owners.look(path).owner in {Owner.NOBODY, Owner.OURS}

    def refuse_originals(self) -> None:
        """Refuse folders that are left out of a run although they hold photos to retouch.

        Raises:
            UsageError: The folder of comparisons or of look-up tables is one.
        """
        for file in self._files:
            self._owners.refuse_photos_below(file.option, file.folder)

    def places(self, job: Job) -> Iterator[SidePlace]:
        """The places of a photo's side outputs."""
        for file in self._files:
            yield SidePlace(self._place(file, job), file.settings)

    def _place(self, file: SideOutput, job: Job) -> Path:
        path = file.path(job.below(self._out))
        if self._config.on_conflict != "rename":
            return path
        if path not in self._renamed:
            self._renamed[path] = free_path(path, job.input, self._owners)
        return self._renamed[path]

    def take_warnings(self) -> list[str]:
        """Take the warnings of the whole run that have not been reported yet."""
        warnings, self._warnings = self._warnings, []
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
        self,
        job: Job,
        before: Photo | None,
        after: Photo | None,
        retouch: Retouch | None,
        look: Look,
        claim: Claim,
    ) -> tuple[GalleryEntry | None, tuple[str, ...]]:
        """Write a photo's files and build its gallery entry; called from several threads.

        Args:
            job: The photo and its output path.
            before: Preview before retouching, or None.
            after: Preview after retouching, or None.
            retouch: Retouch that was applied; None if the photo was left unchanged.
            look: Strength and dials of the photo.
            claim: Publishes the outputs of the photo.

        Returns:
            The entry, and a line for each file that was not written.

        Raises:
            OutputError: Nothing can be written at all.
        """
        problems: list[str] = []
        for file in self._files:
            own = claim.for_side_output(file.settings)
            try:
                self._write_one(file, job, before, after, retouch, look, own)
            except (PhotoError, PlaceTakenError) as problem:
                problems.append(str(problem))
        if self._gallery is None or before is None or after is None:
            return None, tuple(problems)
        return self._entry(job, before, after, look), tuple(problems)

    def _write_one(
        self,
        file: SideOutput,
        job: Job,
        before: Photo | None,
        after: Photo | None,
        retouch: Retouch | None,
        look: Look,
        claim: Claim,
    ) -> None:
        """Write a file; with ``rename``, beside one that has come into its place meanwhile."""
        path = self._place(file, job)
        try:
            file.write(job, path, before, after, retouch, look, claim)
        except PlaceTakenError:
            if self._config.on_conflict != "rename":
                raise
            self._renamed.pop(file.path(job.below(self._out)), None)
            file.write(job, self._place(file, job), before, after, retouch, look, claim)

    def entry_for_existing(self, job: Job, look_of: Callable[[Photo], Look]) -> GalleryEntry | None:
        """The gallery entry of a photo whose result is from an earlier run.

        Args:
            job: The photo and its output path.
            look_of: Finds the look of the photo, once it has been read.

        Raises:
            PhotoError: The photo or its result cannot be read.
        """
        if self._gallery is None or not job.output.exists():
            return None
        after = decode(job.output, self._picture_edge)
        before = decode(job.input, max(after.size))
        return self._entry(job, before, after, look_of(before))

    def show(
        self,
        job: Job,
        entry: GalleryEntry | None,
        not_shown: str | None,
        series: int | None = None,
    ) -> None:
        """Add a photo of a series to the gallery, or the reason why it cannot be shown.

        Raises:
            OutputError: The gallery cannot be written.
        """
        if self._gallery is None:
            return
        assert self._gallery_claim is not None
        with _errors_reported("--gallery", self._gallery.path):
            if entry is not None:
                self._gallery_claim.restrict_to(job.input)
                scene = f"Series {series}" if series else None
                self._gallery.add(replace(entry, scene=scene))
            if not_shown is not None:
                name = job.below(self._out).with_name(job.input.name)
                self._gallery.add_failed(str(name), _without_folders(not_shown, job))

    def _entry(self, job: Job, before: Photo, after: Photo, look: Look) -> GalleryEntry:
        small = after.fit_within(self._picture_edge)
        return GalleryEntry(
            name=str(job.below(self._out)),
            before=thumbnail(before, self._picture_edge),
            after=thumbnail(small, self._picture_edge),
            size=small.size,
            output=job.output,
            look=str(look),
        )


def _try_folder(folder: Path, manifest: Manifest) -> None:
    """Write and remove a file in a folder, so that a whole run does not fail at its first photo.

    Raises:
        OSError: It cannot be written.
    """
    make_folder(folder)
    path = manifest.unfinished.temporary_path(folder / "trial")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    path.unlink()


def _without_folders(text: str, job: Job) -> str:
    """A message without the paths of folders, for a page that is sent to others."""
    text = text.removeprefix(f"{job.input}: ")
    for folder in (job.input.parent, job.output.parent):
        text = text.replace(f"{folder}{os.sep}", "").replace(f"{folder}: ", "")
    return text


@contextlib.contextmanager
def _errors_reported(option: str, path: Path) -> Generator[None]:
    try:
        yield
    except OSError as problem:
        raise OutputError(
            f"{option} {path}: {problem.strerror or problem}; choose another place"
        ) from problem

"""The files that a run writes for each photo: where they go, and what is in their way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from enhance_cli.atomic_write import make_folder, rehearse_folder
from enhance_cli.batch.conflicts import SidePlace, free_path, why_unwritable
from enhance_cli.batch.manifest import Manifest
from enhance_cli.batch.output_paths import Job
from enhance_cli.batch.ownership import Claim, Ownership
from enhance_cli.batch.side_outputs.comparison import Comparison
from enhance_cli.batch.side_outputs.lut_file import LutFile
from enhance_cli.batch.side_outputs.side_output import (
    RetouchedPhoto,
    SideOutput,
    errors_reported,
)
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import PhotoError, PlaceTakenError


class PhotoFiles:
    """Comparisons and look-up tables, as far as a run writes them.

    Args:
        config: The run's settings.
        owners: Tells whose a file is.

    Raises:
        UsageError: Comparisons would be among the results.
    """

    def __init__(self, config: ApplyConfig, owners: Ownership) -> None:
        self._config = config
        self._owners = owners
        self._kinds: list[SideOutput] = []
        if config.lut and config.pictures:
            self._kinds.append(LutFile(config, config.lut))
        if config.compare:
            self._kinds.append(Comparison(config.compare, config.out))
        self._renamed: dict[Path, Path] = {}

    def folders(self) -> Iterator[tuple[str, Path]]:
        """Each folder, after the option that names it."""
        return ((kind.option, kind.folder) for kind in self._kinds)

    def try_folders(self) -> None:
        """Write into each folder, so that a whole run does not fail at its first photo.

        Raises:
            OutputError: One cannot be written.
        """
        for option, folder in self.folders():
            with errors_reported(option, folder):
                _try_folder(folder, self._owners.manifest)

    def rehearse_folders(self) -> None:
        """Raise what :meth:`try_folders` would raise; nothing is written.

        Raises:
            OutputError: A folder cannot be written.
        """
        for option, folder in self.folders():
            with errors_reported(option, folder):
                rehearse_folder(folder)

    def problems(self, job: Job) -> Iterator[str]:
        """Why files of a photo would not be written, one line for each of these."""
        for place in self.places(job):
            problem = self._problem(place.path, job)
            if problem:
                yield problem

    def refuse_originals(self) -> None:
        """Refuse folders that are left out of a run although they hold photos to retouch.

        Raises:
            UsageError: The folder of comparisons or of look-up tables is one.
        """
        for option, folder in self.folders():
            self._owners.refuse_photos_below(option, folder)

    def places(self, job: Job) -> Iterator[SidePlace]:
        """The places of a photo's files."""
        for kind in self._kinds:
            yield SidePlace(self._place(kind, job), kind.settings)

    def write(self, photo: RetouchedPhoto, claim: Claim) -> tuple[str, ...]:
        """Write a photo's files; called from several threads.

        Args:
            photo: The photo.
            claim: Publishes the outputs of the photo.

        Returns:
            A line for each file that was not written.

        Raises:
            OutputError: Nothing can be written at all.
        """
        problems: list[str] = []
        for kind in self._kinds:
            try:
                self._write_one(kind, photo, claim.for_side_output(kind.settings))
            except (PhotoError, PlaceTakenError) as problem:
                problems.append(str(problem))
        return tuple(problems)

    def _write_one(self, kind: SideOutput, photo: RetouchedPhoto, claim: Claim) -> None:
        """Write a file; with ``rename``, beside one that has come into its place meanwhile."""
        try:
            kind.write(photo, self._place(kind, photo.job), claim)
        except PlaceTakenError:
            if self._config.on_conflict != "rename":
                raise
            self._renamed.pop(self._wanted(kind, photo.job), None)
            kind.write(photo, self._place(kind, photo.job), claim)

    def _wanted(self, kind: SideOutput, job: Job) -> Path:
        """A photo's file under its own name, whatever is there."""
        return kind.path(job.below(self._config.out))

    def _place(self, kind: SideOutput, job: Job) -> Path:
        path = self._wanted(kind, job)
        if self._config.on_conflict != "rename":
            return path
        if path not in self._renamed:
            self._renamed[path] = free_path(path, job.input, self._owners)
        return self._renamed[path]

    def _problem(self, path: Path, job: Job) -> str | None:
        """Why a photo's file would not be written; None if it would be."""
        if not self._owners.overwrite and self._owners.is_in_the_way(path, job.input):
            return (
                f"{path}: would not be written, since a file is there that enhance did not write "
                "for this photo"
            )
        return why_unwritable(path)


def _try_folder(folder: Path, manifest: Manifest) -> None:
    """Write and remove a file in a folder.

    Raises:
        OSError: It cannot be written.
    """
    make_folder(folder)
    path = manifest.unfinished.temporary_path(folder / "trial")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    path.unlink()

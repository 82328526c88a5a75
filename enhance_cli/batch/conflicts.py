"""Decides what to do if results already exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from enhance_cli.atomic_write import rehearse_new_file
from enhance_cli.batch.manifest import Manifest
from enhance_cli.batch.output_paths import Job, casefold_key
from enhance_cli.batch.ownership import Owner, Ownership
from enhance_cli.batch.series.looks import without_burst
from enhance_cli.config.apply import OnConflict
from enhance_cli.errors import PhotoError, UsageError
from enhance_cli.imaging.codecs.encode import write_errors_reported
from enhance_cli.run_records import Record

MAX_LISTED = 3
"""Number of files that a message lists by name."""


class Reason(StrEnum):
    """Why a photo is retouched or skipped."""

    NEW = "new"
    REPLACED = "replaces an existing file"
    PHOTO_CHANGED = "the photo has changed"
    SETTINGS_CHANGED = "settings, weights or sidecar have changed"
    RESULT_EMPTY = "the result was empty"
    SIDE_OUTPUT_MISSING = "a comparison or .cube file is missing"
    UP_TO_DATE = "up to date"
    FOREIGN_FILE = "output exists and was not written by enhance"
    OTHER_PHOTO = "output exists and is that of another photo"


SKIPPED = frozenset({Reason.UP_TO_DATE, Reason.FOREIGN_FILE, Reason.OTHER_PHOTO})
IN_THE_WAY = frozenset({Reason.FOREIGN_FILE, Reason.OTHER_PHOTO})


class Decision(NamedTuple):
    """What to do with a photo, and why."""

    job: Job
    reason: Reason

    @property
    def skipped(self) -> bool:
        """Whether the photo is skipped."""
        return self.reason in SKIPPED


class SidePlace(NamedTuple):
    """The place of a side output, and what it depends on besides the settings of the result."""

    path: Path
    settings: str = ""


def decide(
    jobs: tuple[Job, ...],
    manifest: Manifest,
    settings: Callable[[Path], str],
    on_conflict: OnConflict,
    ownership: Ownership | None = None,
    side_places: Callable[[Job], Iterable[SidePlace]] = lambda _job: (),
    passed_over: list[Path] | None = None,
) -> tuple[Decision, ...]:
    """Decide what to do with every photo, before the first one is read.

    A result that an earlier run wrote, and that has not been changed since, is redone if the photo
    or a setting has changed, and kept otherwise. Any other file in its place is a foreign file, and
    so is the result of another photo: ``skip`` leaves it, ``overwrite`` replaces it, ``rename``
    writes beside it, and ``error`` stops the run. The same goes for side outputs.

    Args:
        jobs: The photos and their output paths.
        manifest: Records of earlier runs.
        settings: Returns the digest of the settings that affect a photo's result; called if an
            earlier run has left one.
        on_conflict: What to do about foreign files.
        ownership: Tells whose a file is; None goes by the manifest alone.
        side_places: Returns the places of a photo's side outputs.
        passed_over: Gets those of them in which files are in the way of photos that are skipped;
            who writes the others will find them.

    Raises:
        UsageError: There are foreign files, and ``on_conflict`` is ``"error"``; or an original
            would be replaced.
    """
    owners = ownership or Ownership(manifest, overwrite=on_conflict == "overwrite")
    owners.begin(casefold_key(job.output) for job in jobs)
    decisions = [_decide_one(job, owners, settings, on_conflict) for job in jobs]
    in_the_way = [job.output for job, reason in decisions if reason in IN_THE_WAY]
    for index, (job, reason) in enumerate(decisions):
        if reason in IN_THE_WAY:
            continue
        blocked: list[Path] = []
        for place in side_places(job):
            needed = _side_reason(place, job, owners, settings)
            if needed in IN_THE_WAY:
                blocked.append(place.path)
            elif needed is not Reason.UP_TO_DATE and reason is Reason.UP_TO_DATE:
                decisions[index] = Decision(job, Reason.SIDE_OUTPUT_MISSING)
        in_the_way += blocked
        if passed_over is not None and decisions[index].skipped:
            passed_over += blocked
    if in_the_way and on_conflict == "error":
        raise already_there(in_the_way)
    return tuple(decisions)


def already_there(places: Sequence[Path | str]) -> UsageError:
    """The error for files that are in the way."""
    return UsageError(
        f"{listed(places)}: already exists; choose another --out or another --on-conflict"
    )


def listed(paths: Sequence[Path | str], most: int = MAX_LISTED) -> str:
    """The first paths of a list, and how many more there are."""
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(str(path) for path in paths[:most]) + more


def _decide_one(
    job: Job,
    owners: Ownership,
    settings: Callable[[Path], str],
    on_conflict: OnConflict,
) -> Decision:
    if on_conflict == "rename":
        job = replace(job, output=free_path(job.output, job.input, owners))
    owner, record = owners.look(job.output)
    if owner is Owner.NOBODY:
        return Decision(job, Reason.NEW)
    if on_conflict == "overwrite":
        refuse_original(owner, job.output)
        return Decision(job, Reason.REPLACED)
    if owner is not Owner.OURS:
        return Decision(job, Reason.FOREIGN_FILE)
    return Decision(job, _staleness(record, job, owners, settings))


def refuse_original(owner: Owner, path: Path | str) -> None:
    """Refuse to replace an original.

    Raises:
        UsageError: It is one.
    """
    if owner is Owner.ORIGINAL:
        raise UsageError(
            f"{path}: would replace an original, or a file among originals; "
            "choose a folder that does not hold the photos"
        )


def _side_reason(
    place: SidePlace, job: Job, owners: Ownership, settings: Callable[[Path], str]
) -> Reason:
    owner, record = owners.look(place.path)
    if owner is Owner.NOBODY:
        return Reason.NEW
    if owners.overwrite:
        refuse_original(owner, place.path)
        return Reason.REPLACED
    if owner is not Owner.OURS:
        return Reason.FOREIGN_FILE
    return _staleness(record, job, owners, lambda photo: settings(photo) + place.settings)


def _staleness(
    record: Record | None, job: Job, owners: Ownership, settings: Callable[[Path], str]
) -> Reason:
    if record is None:
        return Reason.RESULT_EMPTY
    if not owners.is_of(record, job.input):
        return Reason.OTHER_PHOTO
    if owners.has_changed(record, job.input):
        return Reason.PHOTO_CHANGED
    same = without_burst(record.settings) == without_burst(settings(job.input))
    return Reason.UP_TO_DATE if same else Reason.SETTINGS_CHANGED


def why_unwritable(path: Path) -> str | None:
    """What would be told of a file if it were to be written now; None if it can be.

    Raises:
        OutputError: No further file could be written either.
    """
    try:
        with write_errors_reported(path):
            rehearse_new_file(path)
    except PhotoError as problem:
        return str(problem)
    return None


def free_path(wanted: Path, photo: Path, owners: Ownership) -> Path:
    """The path itself, or one with a number, at which no file is in the way of a photo's output.

    Args:
        wanted: The path.
        photo: The photo.
        owners: Tells whose a file is, and which paths are taken; the new one is added to them.
    """
    number, path = 0, wanted
    while owners.is_in_the_way(path, photo) or (number and casefold_key(path) in owners.taken):
        number += 1
        path = wanted.with_stem(f"{wanted.stem}-{number}")
    owners.taken.add(casefold_key(path))
    return path

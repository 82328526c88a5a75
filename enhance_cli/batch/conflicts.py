"""Decides what to do if results already exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from enhance_cli.batch.manifest import FileSignature, Manifest, Record
from enhance_cli.batch.output_paths import Job, casefold_key
from enhance_cli.config.apply import OnConflict
from enhance_cli.errors import UsageError

MAX_LISTED = 3
"""Number of files that a message lists by name."""


class Reason(StrEnum):
    """Why a photo is retouched or skipped."""

    NEW = "new"
    REPLACED = "replaces an existing file"
    PHOTO_CHANGED = "the photo has changed"
    SETTINGS_CHANGED = "settings or weights have changed"
    SIDE_OUTPUT_MISSING = "a comparison or .cube file is missing"
    UP_TO_DATE = "up to date"
    FOREIGN_FILE = "output exists and was not written by enhance"


SKIPPED = frozenset({Reason.UP_TO_DATE, Reason.FOREIGN_FILE})


class Decision(NamedTuple):
    """What to do with a photo, and why."""

    job: Job
    reason: Reason

    @property
    def skipped(self) -> bool:
        """Whether the photo is skipped."""
        return self.reason in SKIPPED


def decide(
    jobs: tuple[Job, ...],
    manifest: Manifest,
    settings: Callable[[], str],
    on_conflict: OnConflict,
    side_output_missing: Callable[[Job], bool] = lambda _job: False,
) -> tuple[Decision, ...]:
    """Decide what to do with every photo, before the first one is read.

    A result that an earlier run wrote, and that has not been changed since, is redone if the photo
    or a setting has changed, and kept otherwise. Any other file in its place is a foreign file:
    ``skip`` leaves it, ``overwrite`` replaces it, ``rename`` writes beside it, and ``error`` stops
    the run.

    Args:
        jobs: The photos and their output paths.
        manifest: Records of earlier runs.
        settings: Returns the digest of the settings that affect results; called if an earlier run
            has left a result.
        on_conflict: What to do about foreign files.
        side_output_missing: Tells whether a side output of a photo is missing.

    Raises:
        UsageError: There are foreign files, and ``on_conflict`` is ``"error"``.
    """
    taken = {casefold_key(job.output) for job in jobs}
    decisions = [_decide_one(job, manifest, settings, on_conflict, taken) for job in jobs]
    for index, (job, reason) in enumerate(decisions):
        if reason is Reason.UP_TO_DATE and side_output_missing(job):
            decisions[index] = Decision(job, Reason.SIDE_OUTPUT_MISSING)
    in_the_way = [job.output for job, reason in decisions if reason is Reason.FOREIGN_FILE]
    if in_the_way and on_conflict == "error":
        listed = ", ".join(str(path) for path in in_the_way[:MAX_LISTED])
        more = f" and {len(in_the_way) - MAX_LISTED} more" if len(in_the_way) > MAX_LISTED else ""
        raise UsageError(
            f"{listed}{more}: already exists; choose another --out or another --on-conflict"
        )
    return tuple(decisions)


def _decide_one(
    job: Job,
    manifest: Manifest,
    settings: Callable[[], str],
    on_conflict: OnConflict,
    taken: set[str],
) -> Decision:
    if on_conflict == "rename":
        job = _renamed(job, manifest, taken)
    if on_conflict == "overwrite":
        reason = Reason.REPLACED if job.output.exists() else Reason.NEW
        return Decision(job, reason)
    record = manifest.lookup(job.output)
    if not job.output.exists():
        return Decision(job, Reason.NEW)
    if record is None or not _is_unchanged(record, job.output):
        return Decision(job, Reason.FOREIGN_FILE)
    return Decision(job, _staleness(record, job, settings))


def _staleness(record: Record, job: Job, settings: Callable[[], str]) -> Reason:
    same_photo = record.input == str(job.input.resolve())
    if not same_photo or record.source != FileSignature.of(job.input):
        return Reason.PHOTO_CHANGED
    return Reason.UP_TO_DATE if record.settings == settings() else Reason.SETTINGS_CHANGED


def _is_unchanged(record: Record, output: Path) -> bool:
    return record.result == FileSignature.of(output)


def _renamed(job: Job, manifest: Manifest, taken: set[str]) -> Job:
    """The job with an output path at which there is no foreign file."""
    number, output = 0, job.output
    while _is_in_the_way(output, job, manifest) or (number and casefold_key(output) in taken):
        number += 1
        output = job.output.with_stem(f"{job.output.stem}-{number}")
    taken.add(casefold_key(output))
    return replace(job, output=output)


def _is_in_the_way(output: Path, job: Job, manifest: Manifest) -> bool:
    if not output.exists():
        return False
    record = manifest.lookup(output)
    ours = record is not None and _is_unchanged(record, output)
    return not (ours and record is not None and record.input == str(job.input.resolve()))

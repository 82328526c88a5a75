"""What is to be done about results that are there already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from enhance_cli.config import OnConflict
from enhance_cli.engine.manifest import Manifest, Record, Stamp
from enhance_cli.engine.planning import PlannedPhoto, folded
from enhance_cli.errors import UsageError

NAMED = 3
"""Files that a message names, of many."""


class Reason(StrEnum):
    """Why a photo is retouched, or not."""

    NEW = "new"
    REPLACED = "replaces what is there"
    PHOTO_CHANGED = "the photo has changed"
    SETTINGS_CHANGED = "settings or weights have changed"
    NOT_SHOWN = "what is to stand beside the result is not there"
    UP_TO_DATE = "up to date"
    NOT_OURS = "there already, and not as enhance left it"


SKIPPED = frozenset({Reason.UP_TO_DATE, Reason.NOT_OURS})


@dataclass(frozen=True)
class Decision:
    """A planned photo, and what becomes of it."""

    photo: PlannedPhoto
    reason: Reason

    @property
    def skipped(self) -> bool:
        """Whether the photo is passed over."""
        return self.reason in SKIPPED


def decide(
    photos: tuple[PlannedPhoto, ...],
    manifest: Manifest,
    settings: str,
    on_conflict: OnConflict,
    lacks: Callable[[PlannedPhoto], bool] = lambda _photo: False,
) -> tuple[Decision, ...]:
    """Decide for every photo before the first is read.

    A result that an earlier run wrote and nobody has touched since is redone where photo or
    settings have changed, and left where they have not. Any other file in its place is somebody's
    own work: ``skip`` leaves it, ``overwrite`` replaces it, ``rename`` writes beside it, and
    ``error`` stops the run.

    Args:
        photos: The plan.
        manifest: What earlier runs left.
        settings: Digest of what shapes results now.
        on_conflict: What to do about files that are in the way.
        lacks: Whether something else is still to be made from a photo.

    Raises:
        UsageError: Files are in the way, and that is to be an error.
    """
    taken = {folded(photo.output) for photo in photos}
    decisions = [_decided(photo, manifest, settings, on_conflict, taken) for photo in photos]
    decisions = [
        replace(one, reason=Reason.NOT_SHOWN)
        if one.reason is Reason.UP_TO_DATE and lacks(one.photo)
        else one
        for one in decisions
    ]
    in_the_way = [one.photo.output for one in decisions if one.reason is Reason.NOT_OURS]
    if in_the_way and on_conflict == "error":
        named = ", ".join(str(path) for path in in_the_way[:NAMED])
        more = f" and {len(in_the_way) - NAMED} more" if len(in_the_way) > NAMED else ""
        raise UsageError(
            f"{named}{more}: there already; choose another --out or another --on-conflict"
        )
    return tuple(decisions)


def _decided(
    photo: PlannedPhoto,
    manifest: Manifest,
    settings: str,
    on_conflict: OnConflict,
    taken: set[str],
) -> Decision:
    if on_conflict == "rename":
        photo = _beside(photo, manifest, taken)
    if on_conflict == "overwrite":
        reason = Reason.REPLACED if photo.output.exists() else Reason.NEW
        return Decision(photo, reason)
    record = manifest.of_output(photo.output)
    if not photo.output.exists():
        return Decision(photo, Reason.NEW)
    if record is None or not _is_untouched(record, photo.output):
        return Decision(photo, Reason.NOT_OURS)
    return Decision(photo, _staleness(record, photo, settings))


def _staleness(record: Record, photo: PlannedPhoto, settings: str) -> Reason:
    same_photo = record.input == str(photo.input.resolve())
    if not same_photo or record.source != Stamp.of(photo.input):
        return Reason.PHOTO_CHANGED
    return Reason.UP_TO_DATE if record.settings == settings else Reason.SETTINGS_CHANGED


def _is_untouched(record: Record, output: Path) -> bool:
    return record.result == Stamp.of(output)


def _beside(photo: PlannedPhoto, manifest: Manifest, taken: set[str]) -> PlannedPhoto:
    """The photo with a path where nobody's file is in the way."""
    number, output = 0, photo.output
    while _is_in_the_way(output, photo, manifest) or (number and folded(output) in taken):
        number += 1
        output = photo.output.with_stem(f"{photo.output.stem}-{number}")
    taken.add(folded(output))
    return replace(photo, output=output)


def _is_in_the_way(output: Path, photo: PlannedPhoto, manifest: Manifest) -> bool:
    if not output.exists():
        return False
    record = manifest.of_output(output)
    ours = record is not None and _is_untouched(record, output)
    return not (ours and record is not None and record.input == str(photo.input.resolve()))

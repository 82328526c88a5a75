"""Decides what to do if results already exist, as a run over folders does."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from typing import NamedTuple

from enhance_cli.batch.conflicts import IN_THE_WAY, Reason, refuse_original
from enhance_cli.batch.manifest import Manifest
from enhance_cli.batch.ownership import Owner
from enhance_cli.cloud.look_folders import Source
from enhance_cli.cloud.planning.originals import PlacesOfPhotos
from enhance_cli.cloud.records import Record, Records
from enhance_cli.cloud.shard import CloudPhoto
from enhance_cli.cloud.stores import Store, StoredObject
from enhance_cli.config.apply import OnConflict


class Verdict(NamedTuple):
    """What to do with a photo.

    Attributes:
        key: Key of its result.
        reason: Why it is retouched or skipped.
        present: What is in the place of the result, or None.
        record: What was noted of that, or None.
    """

    key: str
    reason: Reason
    present: StoredObject | None = None
    record: Record | None = None


class Judge:
    """Decides about the photos of a shard; called from several threads.

    Args:
        out: The output.
        records: The records that concern the shard.
        present: What is in the places of the planned results.
        on_conflict: What to do about strangers' objects.
        originals: Where the photos are.
        manifest: Records of runs over folders into the same folder, or None.
    """

    def __init__(
        self,
        out: Store,
        records: Records,
        present: dict[str, StoredObject],
        on_conflict: OnConflict,
        originals: PlacesOfPhotos,
        manifest: Manifest | None = None,
    ) -> None:
        self.records = records
        self._originals = originals
        self._manifest = manifest
        self._out, self._present = out, present
        self._on_conflict: OnConflict = on_conflict
        self._taken: dict[str, str] = {}
        self._deciding = threading.Lock()

    def decide(self, photo: CloudPhoto, source: Source, settings: str) -> Verdict:
        """What to do with a photo.

        Args:
            photo: The photo.
            source: What it is known by.
            settings: Digest of all that affects its result.

        Raises:
            UsageError: An original, or a file among originals, would be replaced.
        """
        with self._deciding:
            if self._on_conflict == "rename":
                return self._beside_others(photo, source, settings)
            return self._look(photo.result, photo, source, settings)

    def may_overwrite(self, key: str) -> bool:
        """Whether an object may be replaced that has come into a place unseen."""
        return self._on_conflict == "overwrite" and not self._originals.surround(key)

    def look_again(self, key: str) -> None:
        """Look at a place anew, into which something has come meanwhile."""
        found = self._out.heads([key]).get(key)
        with self._deciding:
            if found is None:
                self._present.pop(key, None)
            else:
                self._present[key] = found

    def _look(self, key: str, photo: CloudPhoto, source: Source, settings: str) -> Verdict:
        present = self._present.get(key)
        if present is None:
            return Verdict(key, Reason.NEW)
        if self._on_conflict == "overwrite":
            self._refuse_original(present, photo, source)
            return Verdict(key, Reason.REPLACED, present)
        record = self.records.of(present) or self._unnoted(present, photo, source)
        if record is None:
            emptied = present.version and not present.size and self.records.any_on(key)
            reason = Reason.RESULT_EMPTY if emptied else Reason.FOREIGN_FILE
        else:
            same = record.settings == settings
            kept = Reason.UP_TO_DATE if same else Reason.SETTINGS_CHANGED
            reason = _difference(record, photo, source) or kept
        return Verdict(key, reason, present, record)

    def _refuse_original(self, present: StoredObject, photo: CloudPhoto, source: Source) -> None:
        """Refuse to replace what is among originals, unless a run has ever written it."""
        key = present.key
        if not self._originals.surround(key) or self.records.any_on(key):
            return
        if self._manifest is not None and self._manifest.records(self._manifest.folder / key):
            return
        if self._labelled(present, photo, source) is None:
            refuse_original(Owner.ORIGINAL, self._out.name(key))

    def _beside_others(self, photo: CloudPhoto, source: Source, settings: str) -> Verdict:
        stem, dot, suffix = photo.result.rpartition(".")
        number, key = 0, photo.result
        while True:
            if number and key not in self._present:
                found = self._out.heads([key]).get(key)
                if found is not None:
                    self._present[key] = found
            verdict = self._look(key, photo, source, settings)
            free = verdict.reason not in IN_THE_WAY
            if free and self._taken.setdefault(key, photo.key) == photo.key:
                return verdict
            number += 1
            key = f"{stem}-{number}{dot}{suffix}"

    def _unnoted(self, present: StoredObject, photo: CloudPhoto, source: Source) -> Record | None:
        if self._manifest is not None:
            return self._of_folder_run(self._manifest, present, photo)
        return self._labelled(present, photo, source)

    @staticmethod
    def _of_folder_run(
        manifest: Manifest, present: StoredObject, photo: CloudPhoto
    ) -> Record | None:
        """A result of a run over folders."""
        found = manifest.lookup(manifest.folder / present.key)
        if found is None:
            return None
        source = found.source
        return Record(
            photo=0,
            input=found.input,
            source=f"{source.size}-{source.modified}" if source else "",
            wanted=photo.result,
            output=present.key,
            size=present.size,
            version=present.version,
            folder=found.folder,
            content=found.content or "",
            settings=found.settings,
        )

    def _labelled(self, present: StoredObject, photo: CloudPhoto, source: Source) -> Record | None:
        """A result that a killed worker stored and did not note; the label beside it tells."""
        found = parse_label(self._out.label(present.key))
        if found is None:
            return None
        made_from, version, settings = found
        for one in self.records.any_on(present.key):
            if (one.source, one.settings) == (version, settings):
                return None  # what was stored then was noted, and has been changed since
        here = made_from == _digest(source.place)
        return Record(
            photo=0,
            input=source.name if here else made_from,
            source=version,
            wanted=photo.result,
            output=present.key,
            size=present.size,
            version=present.version,
            folder=source.folder if here else "",
            settings=settings,
        )


def _difference(record: Record, photo: CloudPhoto, source: Source) -> Reason | None:
    """How a photo differs from that of a result; None if it does not, wherever it is now."""
    same = record.source == photo.version
    if source.was_read_for(record):
        return None if same else Reason.PHOTO_CHANGED
    if record.content and source.path is not None:
        same = record.content == source.content
    return None if same else Reason.OTHER_PHOTO


def label(source: Source, version: str, settings: str) -> str:
    """What a store with metadata notes beside a result: short, and in ASCII."""
    return json.dumps([_digest(source.place), version, settings], separators=(",", ":"))


def _digest(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16]


def parse_label(text: str | None) -> tuple[str, str, str] | None:
    """Photo, its version and settings from a label; None if it is none of ours."""
    with contextlib.suppress(ValueError, TypeError):
        photo, source, settings = json.loads(text or "")
        return str(photo), str(source), str(settings)
    return None

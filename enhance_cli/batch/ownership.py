"""Whose is the file in the place of an output? Asked before every write.

Only what nobody has, and what an earlier run wrote and nobody changed, may be written over without
asking. A stranger's file may be replaced if the user says so. An original never is.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from enhance_cli.atomic_write import (
    FileSignature,
    Identity,
    Publisher,
    identity,
    make_durable,
)
from enhance_cli.atomic_write import rename_to_free_path as rename_if_free
from enhance_cli.batch.manifest import Manifest
from enhance_cli.errors import PlaceTakenError, UsageError
from enhance_cli.imaging.codecs.formats import photos_below
from enhance_cli.run_records import Origin, Record, content_digest, folder_digest

_TRIES = 3
"""How often a place is looked at that changes hands while a file is being published."""


class Owner(StrEnum):
    """Whose file is in the place of an output."""

    NOBODY = "nobody"
    OURS = "enhance"
    STRANGER = "somebody else"
    ORIGINAL = "an original"


class Place(NamedTuple):
    """What is in the place of an output.

    Attributes:
        owner: Whose it is.
        record: What a run noted of it, if it is as that run left it.
    """

    owner: Owner
    record: Record | None = None


@dataclass(frozen=True)
class Originals:
    """The photos of a run, and where they are; compared by device and inode, not by name.

    Attributes:
        files: The photos.
        trees: The input folders, and all folders below them that hold photos.
        outputs: Folders below them that the run writes to.
        folders: The folders of photos that were named one by one.
    """

    files: frozenset[Identity] = frozenset()
    trees: frozenset[Identity] = frozenset()
    outputs: frozenset[Identity] = frozenset()
    folders: frozenset[Identity] = frozenset()

    @classmethod
    def of(
        cls, inputs: Iterable[Path], photos: Iterable[Path], outputs: Iterable[Path] = ()
    ) -> Originals:
        """Look at the inputs of a run, and at the photos that were found in them.

        Args:
            inputs: Files and folders that the user named.
            photos: The photos found in them.
            outputs: Folders found in them that the run writes to.
        """
        files = list(photos)
        roots = {path for path in inputs if os.path.isdir(path)}  # noqa: PTH112
        parents = {path.parent for path in files}
        trees = {path for path in parents if not roots.isdisjoint((path, *path.parents))}
        return cls(
            _identities(files),
            _identities({*roots, *trees}),
            _identities(outputs),
            _identities(parents - trees),
        )

    @classmethod
    def only(cls, photos: Iterable[Path]) -> Originals:
        """The photos alone; other files beside them are not taken for photos."""
        return cls(_identities(photos))

    def include(self, path: Path) -> bool:
        """Whether a file is one of the photos."""
        return identity(path) in self.files

    def are_in(self, folder: Path) -> bool:
        """Whether a folder is an input, or photos were found in it."""
        return identity(folder) in self.trees

    def surround(self, path: Path) -> bool:
        """Whether a file is beside a photo, or anywhere below an input folder."""
        return identity(path.parent) in self.folders or self.are_above(path.parent)

    def are_above(self, folder: Path) -> bool:
        """Whether a folder is an input, or anywhere below one."""
        real = Path(os.path.realpath(folder))
        found = map(identity, (real, *real.parents))
        return any(one in self.trees or one in self.outputs for one in found)


def _identities(paths: Iterable[Path]) -> frozenset[Identity]:
    return frozenset(found for found in map(identity, paths) if found is not None)


NO_ORIGINALS = Originals()


class Ownership:
    """Tells whose file is in a place, and puts outputs there.

    Args:
        manifest: Records of what earlier runs wrote.
        originals: The photos of the run.
        overwrite: Whether strangers' files may be replaced.

    Attributes:
        taken: Paths of the run's outputs as a case-insensitive file system sees them.
    """

    def __init__(
        self, manifest: Manifest, originals: Originals = NO_ORIGINALS, overwrite: bool = False
    ) -> None:
        self.manifest = manifest
        self.originals = originals
        self.overwrite = overwrite
        self.taken: set[str] = set()
        self._published: set[Identity] = set()
        self._publishing = threading.Lock()

    def begin(self, taken: Iterable[str]) -> None:
        """Begin a run over outputs with these paths; nothing has been published yet."""
        self.taken = set(taken)
        self._published.clear()

    def look(self, path: Path) -> Place:
        """Look at what is in the place of an output."""
        try:
            state = path.lstat()
        except OSError:
            return Place(Owner.NOBODY)
        if self.originals.include(path):
            return Place(Owner.ORIGINAL)
        record = self.manifest.lookup(path)
        if record is not None:
            return Place(Owner.OURS, record)
        written = self.manifest.records(path)
        if written and stat.S_ISREG(state.st_mode) and not state.st_size:
            return Place(Owner.OURS)  # a crash or a full disk has emptied it
        if not written and self.originals.surround(path):
            return Place(Owner.ORIGINAL)
        return Place(Owner.STRANGER)

    def refuse_photos_below(self, option: str, folder: Path) -> None:
        """Refuse a folder among the originals that holds photos, and none that enhance wrote.

        Raises:
            UsageError: The folder is one.
        """
        if not self.originals.are_above(folder) or self.manifest.has_records_below(folder):
            return
        found = next(photos_below(folder), None)
        if found is not None:
            raise UsageError(
                f"{option} {folder}: holds {found.name}, which enhance did not write, and lies "
                "among the photos; choose an empty folder"
            )

    def may_replace(self, owner: Owner) -> bool:
        """Whether an output may be written over a file."""
        return owner is not Owner.ORIGINAL and (owner is not Owner.STRANGER or self.overwrite)

    def is_of(self, record: Record, photo: Path) -> bool:
        """Whether an output was made from this photo, which may have been moved or changed."""
        return _is_same_path(record, photo) or _is_same_content(record, photo)

    def has_changed(self, record: Record, photo: Path) -> bool:
        """Whether the photo of an output has been changed since; one that was moved was not.

        Photos of a burst may have one size and time, and may have been renamed since.
        """
        now = FileSignature.of(photo)
        if record.source == now:
            renamed = now is not None and now.may_be_another(record.source)
            return renamed and not _is_same_content(record, photo)
        return _is_same_path(record, photo) or not _is_same_content(record, photo)

    def is_in_the_way(self, path: Path, photo: Path) -> bool:
        """Whether a file is in a place that is not a photo's own earlier output."""
        owner, record = self.look(path)
        if owner is Owner.OURS:
            last = record or self.manifest.records(path)[-1]
            return not self.is_of(last, photo)
        return owner is not Owner.NOBODY

    def claim(self, origin: Origin, photo: Path | None = None, keep_times: bool = False) -> Claim:
        """Claim places for outputs.

        Args:
            origin: What they are made from.
            photo: The photo whose permissions they take; None for outputs of the whole run.
            keep_times: Whether the result takes the photo's times, too.
        """
        return Claim(self, origin, photo, keep_times)

    def put(self, temporary: Path, path: Path, origin: Origin) -> None:
        """Put a finished file into its place; the record is written first.

        Raises:
            PlaceTakenError: A file is there that may not be replaced.
            OSError: The record cannot be written, or the file cannot be renamed.
        """
        for _ in range(_TRIES):
            with self._publishing:
                owner, record = self.look(path)
                if record is not None and not self.overwrite and not _is_of_origin(record, origin):
                    raise PlaceTakenError(
                        f"{path}: an output of another photo is there; it was left as it is"
                    )
                if not self.may_replace(owner) or identity(path) in self._published:
                    break
                self.manifest.announce(origin, path, temporary)
                with contextlib.suppress(FileExistsError):
                    own = identity(temporary)
                    if owner is Owner.NOBODY:
                        rename_if_free(temporary, path)
                    else:
                        temporary.replace(path)
                    if own is not None:
                        self._published.add(own)
                    return
        raise PlaceTakenError(
            f"{path}: a file is there that enhance did not write; it was left as it is"
        )


class Claim(Publisher):
    """Publishes outputs of one photo, with its permissions.

    Attributes:
        origin: What they are made from.
    """

    mode = 0o600  # nobody else reads a private photo while it is being written

    def __init__(
        self, ownership: Ownership, origin: Origin, photo: Path | None, keep_times: bool
    ) -> None:
        self.origin = origin
        self._ownership = ownership
        self._permissions = 0o644
        self._times: tuple[int, int] | None = None
        if photo is None:
            return
        with contextlib.suppress(OSError):  # whoever reads the photo will report it
            state = photo.stat()
            self._permissions = stat.S_IMODE(state.st_mode) & 0o777
            if keep_times:
                self._times = state.st_atime_ns, state.st_mtime_ns

    def temporary_path(self, path: Path) -> Path:
        """See :meth:`Publisher.temporary_path`; the next run knows it if this one is killed."""
        return self._ownership.manifest.unfinished.temporary_path(path)

    def publish(self, temporary: Path, path: Path) -> None:
        """Put a finished file into its place.

        Raises:
            PlaceTakenError: A file is there that may not be replaced.
            OSError: The record cannot be written, or the file cannot be renamed.
        """
        if self._times is not None:
            with contextlib.suppress(OSError):  # a disk that keeps none
                os.utime(temporary, ns=self._times)
        make_durable(temporary, self._permissions)
        self._ownership.put(temporary, path, self.origin)

    def restrict_to(self, photo: Path) -> None:
        """Let nobody read an output of the whole run who may not read this photo."""
        with contextlib.suppress(OSError):
            self._permissions &= stat.S_IMODE(photo.stat().st_mode)

    def for_side_output(self, settings: str) -> Claim:
        """The same for an output that depends on more settings; its time is its own."""
        other = copy(self)
        other.origin = replace(self.origin, settings=self.origin.settings + settings)
        other._times = None
        return other


def _is_same_path(record: Record, photo: Path) -> bool:
    return record.input == photo.name and record.folder == folder_digest(photo)


def _is_of_origin(record: Record, origin: Origin) -> bool:
    """Whether an output was made from the same photo as another one."""
    if (record.input, record.folder) == (origin.input, origin.folder):
        return True
    if record.content is None:
        return record.source is not None and record.source == origin.source
    return record.content == origin.content


def _is_same_content(record: Record, photo: Path) -> bool:
    if record.content is None:
        return record.source is not None and record.source == FileSignature.of(photo)
    return record.content == content_digest(photo)

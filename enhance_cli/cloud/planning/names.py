"""Chooses the names of results while photos are still being listed.

The names are those of a run over folders. What such a run settles once for all photos is settled
here folder by folder:

- A photo that keeps its suffix gets its name at once: only those listed before it can have taken
  it.
- Any other, such as a RAW file, lets all go first that keep their suffix. So it waits until no
  photo can come any more whose name might clash with its own; see
  :mod:`enhance_cli.cloud.planning.look_ahead`.
- With ``--pairs raw`` or ``jpeg``, all photos wait likewise: either may be left out for the other.
- Where names do clash in another case, or the store cannot be asked, photos wait until their folder
  has been listed; if there are many, on the disk.
- Folders whose paths differ in case alone share their names, and the one listed first chooses
  first. In a run over folders, photos that keep their suffix choose first in all of them.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Container, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import IO, Protocol

from enhance_cli.batch.output_paths import casefold_key, free_name, result_suffix
from enhance_cli.cloud.planning.inputs import suffix_of
from enhance_cli.cloud.planning.listing import Found
from enhance_cli.cloud.planning.look_ahead import LookAhead
from enhance_cli.cloud.shard import CloudPhoto
from enhance_cli.cloud.stores import StoredObject
from enhance_cli.config.apply import Format, RawPairs
from enhance_cli.errors import UsageError
from enhance_cli.imaging.codecs.formats import HEIF, JPEG, RAW

_MANY = 20_000
"""Photos of a folder that wait in memory; more of them wait on the disk."""

_WINDOW = 1000
"""Photos of a folder that wait for their neighbours before the store is asked for others."""

_NUMBERED = re.compile(r"(.+)-(?:[2-9]|[1-9][0-9]+)", re.DOTALL)
"""A name that may be another one with a number, as it is given if two names are equal."""


class Folders(Protocol):
    """The folders that are being listed; see :class:`Listing`."""

    def folder(self, source: int, folder: str) -> Iterable[Found]:
        """List the photos of one folder again."""
        ...

    def names_after(self, source: int, folder: str, name: str) -> list[str] | None:
        """Some of the names in a folder that follow a name; None if that cannot be told."""
        ...


class NameSettler:
    """Gives each photo the key of its result.

    Args:
        kind: Format of the results.
        pairs: Which of a RAW file and the camera's JPEG beside it to keep.
        folders: Tells more of a folder, by its input and the folder of its results.
        addition: Added to each name, in front of its suffix.
    """

    def __init__(self, kind: Format, pairs: RawPairs, folders: Folders, addition: str = "") -> None:
        self._addition = addition
        self._suffix = cache(lambda suffix: result_suffix(Path(f"a{suffix}"), kind))
        self._pairs: RawPairs = pairs
        self._folders = folders
        self._seen: dict[str, list[tuple[int, str]]] = {}

    def settle(self, photos: Iterable[Found]) -> Iterator[CloudPhoto]:
        """Settle the names of photos; all that is below a folder must come in one piece.

        Raises:
            UsageError: It does not.
        """
        root = self._open(0, "")
        nested: list[_Folder] = []
        for photo in photos:
            while nested and not f"{photo.folder}/".startswith(f"{nested[-1].path}/"):
                yield from nested.pop().close()
            if not photo.folder:
                folder = root
            elif nested and nested[-1].path == photo.folder:
                folder = nested[-1]
            else:
                folder = self._open(photo.source, photo.folder)
                nested.append(folder)
            yield from folder.add(photo)
        while nested:
            yield from nested.pop().close()
        yield from root.close()

    def _open(self, source: int, path: str) -> _Folder:
        earlier = self._seen.setdefault(path.casefold(), [])
        if any(other == path for _, other in earlier):
            raise UsageError(
                f"{path}: the store does not list its objects in the order of their names; "
                "copy them to one that does, or to a disk"
            )
        names = _Names()
        for number, other in earlier:
            folder = self._folder(number, other, names)
            for photo in self._folders.folder(number, other):
                for _ in folder.add(photo):
                    pass
            for _ in folder.close():
                pass
        earlier.append((source, path))
        return self._folder(source, path, names)

    def _folder(self, source: int, path: str, names: _Names) -> _Folder:
        ahead = LookAhead(partial(self._folders.names_after, source, path))
        return _Folder(path, names, self._suffix, self._pairs, self._addition, ahead)


class _Names(Container[str]):
    """Names that are taken; as numbers, since there may be millions."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()
        self.numbers: dict[str, int] = {}

    def __contains__(self, name: object) -> bool:
        return hash(name) in self._hashes

    def add(self, name: str) -> None:
        self._hashes.add(hash(name))


class _Folder:
    """A folder whose photos are being listed.

    Photos can want one name only if their own begin alike: apart from case, and from a number, up
    to the first dot. Photos of one beginning are a group, whose names are settled together.
    """

    def __init__(
        self,
        path: str,
        names: _Names,
        suffix: Callable[[str], str],
        pairs: RawPairs,
        addition: str,
        ahead: LookAhead,
    ) -> None:
        self._addition = addition
        self.path = path
        self._names = names
        self._suffix = suffix
        self._pairs: RawPairs = pairs
        self._ahead = ahead
        self._groups: dict[str, list[tuple[int, Found]]] = {}
        self._grouped = 0
        self._listed = 0
        self._last = ""
        self._clashing: set[str] = set()
        self._waiting = _Waiting()

    def add(self, photo: Found) -> Iterator[CloudPhoto]:
        """Yield the photos whose names can be settled now."""
        self._last = photo.name
        if self._pairs == "both" and self._keeps(photo):
            yield self._settled(photo)
            return
        beginning = photo.name.casefold().partition(".")[0]
        if self._ahead.gave_up or _without_numbers(beginning) in self._clashing:
            self._waiting.add(photo)
            return
        self._listed += 1
        self._groups.setdefault(beginning, []).append((self._listed, photo))
        self._grouped += 1
        while self._grouped > _WINDOW:
            yield from self._first_group()

    def close(self) -> Iterator[CloudPhoto]:
        """Yield the photos that have waited."""
        self._let_wait(list(self._groups))
        yield from self._all_settled(self._waiting)
        self._waiting.close()

    def _first_group(self) -> Iterator[CloudPhoto]:
        """Settle the group that began first, or let it wait until the folder has been listed."""
        beginning = next(iter(self._groups))
        if not self._may_clash(beginning):
            yield from self._all_settled(self._taken([beginning]))
            return
        clashing = _without_numbers(beginning)
        self._clashing.add(clashing)
        all_wait = self._ahead.gave_up or len(self._clashing) > _MANY
        self._ahead.gave_up = all_wait
        self._let_wait(
            [one for one in self._groups if all_wait or _without_numbers(one) == clashing]
        )

    def _may_clash(self, beginning: str) -> bool:
        """Whether more photos of a group may come, or others that get its names with a number."""
        numbered = _NUMBERED.fullmatch(beginning)
        beginnings = (beginning, numbered[1]) if numbered else (beginning,)
        if any(self._ahead.may_come(self._last, f"{one}.") for one in beginnings):
            return True
        photos = [photo for one in beginnings for _, photo in self._groups.get(one, ())]
        kept = [photo.name.casefold() for photo in photos if self._keeps(photo)]
        return len(set(kept)) < len(kept)

    def _let_wait(self, groups: list[str]) -> None:
        for photo in self._taken(groups):
            self._waiting.add(photo)

    def _taken(self, groups: list[str]) -> list[Found]:
        """Take the photos of groups, in the order in which they were listed."""
        photos = sorted(photo for one in groups for photo in self._groups.pop(one))
        self._grouped -= len(photos)
        return [photo for _, photo in photos]

    def _all_settled(self, photos: Iterable[Found]) -> Iterator[CloudPhoto]:
        """Settle the names of photos, which are iterated over more than once."""
        left_out = self._second_of_pairs(photos)
        if self._pairs != "both":
            for photo in photos:
                if self._keeps(photo) and not left_out(photo):
                    yield self._settled(photo)
        for photo in photos:
            if not self._keeps(photo) and not left_out(photo):
                yield self._settled(photo)

    def _second_of_pairs(self, photos: Iterable[Found]) -> Callable[[Found], bool]:
        """Whether a photo is left out for the other one of its pair."""
        if self._pairs == "both":
            return lambda _photo: False
        raws = {_stem(photo) for photo in photos if _suffix(photo) in RAW}
        both = raws & {_stem(photo) for photo in photos if _suffix(photo) in JPEG | HEIF}
        unwanted = JPEG | HEIF if self._pairs == "raw" else RAW
        return lambda photo: _suffix(photo) in unwanted and _stem(photo) in both

    def _keeps(self, photo: Found) -> bool:
        suffix = suffix_of(photo.name)
        return self._suffix(suffix) == suffix

    def _settled(self, photo: Found) -> CloudPhoto:
        own = suffix_of(photo.name)
        suffix = self._suffix(own)
        name = photo.name[: len(photo.name) - len(own)] + self._addition + suffix
        result = f"{photo.folder}/{name}" if photo.folder else name
        key = result.casefold()
        if key in self._names:
            relative = Path(photo.folder, photo.name)
            free = free_name(relative, self._addition, suffix, self._names, self._names.numbers)
            result, key = free.as_posix(), casefold_key(free)
        self._names.add(key)
        found = photo.object
        return CloudPhoto(photo.source, found.key, found.size, found.version, result)


def _without_numbers(beginning: str) -> str:
    """The beginning of a group without the numbers at its end that names may have been given."""
    while numbered := _NUMBERED.fullmatch(beginning):
        beginning = numbered[1]
    return beginning


def _stem(photo: Found) -> str:
    return photo.name[: len(photo.name) - len(suffix_of(photo.name))].casefold()


def _suffix(photo: Found) -> str:
    return suffix_of(photo.name).lower()


class _Waiting:
    """Photos that wait, on the disk if they are many."""

    def __init__(self) -> None:
        self._few: list[Found] = []
        self._many: IO[str] | None = None

    def add(self, photo: Found) -> None:
        self._few.append(photo)
        if len(self._few) >= _MANY:
            if self._many is None:
                self._many = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115
            for source, found, folder, name in self._few:
                line = [source, found.key, found.size, found.version, folder, name]
                self._many.write(json.dumps(line) + "\n")
            self._few.clear()

    def __iter__(self) -> Iterator[Found]:
        if self._many is not None:
            self._many.seek(0)
            for line in self._many:
                source, key, size, version, folder, name = json.loads(line)
                yield Found(source, StoredObject(key, size, version), folder, name)
        yield from self._few

    def close(self) -> None:
        self._few.clear()
        if self._many is not None:
            self._many.close()

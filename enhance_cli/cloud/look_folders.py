"""The photos of stores as files on this machine, and what lies beside them: looks and sidecars."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from enhance_cli.cloud.local_folder import LocalFolder
from enhance_cli.cloud.planning.inputs import Input
from enhance_cli.cloud.records import Record
from enhance_cli.cloud.shard import CloudPhoto
from enhance_cli.cloud.stores import StoredObject
from enhance_cli.config.look_files import NAME, Looks, find_look_files
from enhance_cli.errors import UsageError
from enhance_cli.imaging.sidecars.find import find_sidecar, sidecar_names
from enhance_cli.run_records import content_digest, folder_digest

_SIDE_BY_SIDE = 16


class Source(NamedTuple):
    """What a photo is known by.

    Attributes:
        name: Its URL or path as messages have it, which depends on what the user typed.
        path: Its path, if it is on a disk of this machine.
        folder: Digest of the path of its folder; empty if it is in an object store.
    """

    name: str
    path: Path | None = None
    folder: str = ""

    @property
    def place(self) -> str:
        """Where it is, however that was typed."""
        return self.name if self.path is None else f"{self.folder}/{self.path.name}"

    @property
    def content(self) -> str:
        """Digest of a sample of its content; empty if it is in an object store."""
        return "" if self.path is None else content_digest(self.path) or ""

    def was_read_for(self, record: Record) -> bool:
        """Whether a record is about a photo in the same place."""
        if not record.folder or self.path is None:
            return record.input == self.name
        return (record.folder, Path(record.input).name) == (self.folder, self.path.name)


class PhotoFiles:
    """A folder that mirrors the inputs, as far as photos are being worked on.

    Photos of a disk stay where they are. For others, the files ``enhance.toml`` in the input and in
    its subfolders count. Sidecars lie beside the photos.

    Args:
        inputs: The inputs.
        folder: An empty folder.
        looks: The look of each photo.
    """

    def __init__(self, inputs: list[Input], folder: Path, looks: Looks) -> None:
        self._inputs = inputs
        self._folder = folder.absolute()
        self.looks = looks
        looks.end_at(self._folder)
        self._looked_for: set[tuple[int, str]] = set()
        self._told: dict[str, None] = {}
        self._digest_of = cache(lambda folder: folder_digest(folder / "photo"))

    def path(self, photo: CloudPhoto) -> Path:
        """The file of a photo, which may have to be fetched."""
        store = self._inputs[photo.source].store
        if isinstance(store, LocalFolder):
            return store.folder / photo.key
        return self._folder / str(photo.source) / photo.key

    def name(self, photo: CloudPhoto) -> str:
        """A photo as messages name it."""
        return self._inputs[photo.source].store.name(photo.key)

    def source(self, photo: CloudPhoto) -> Source:
        """What a photo is known by."""
        if not self._inputs[photo.source].store.is_local:
            return Source(self.name(photo))
        path = self.path(photo)
        return Source(self.name(photo), path, self._digest_of(path.parent))

    def fetch(self, photo: CloudPhoto) -> StoredObject:
        """Fetch a photo.

        Raises:
            FileNotFoundError: It is not there any more.
        """
        store, path = self._inputs[photo.source].store, self.path(photo)
        if isinstance(store, LocalFolder):
            found = store.head(photo.key)
            if found is None:
                raise FileNotFoundError(path)
            return found
        path.parent.mkdir(parents=True, exist_ok=True)
        return store.fetch(photo.key, path)

    def check(self, photo: CloudPhoto) -> None:
        """Look whether the input of a photo can be reached at all.

        Raises:
            EnhanceError: It cannot.
        """
        self._inputs[photo.source].store.check()

    def remove(self, photo: CloudPhoto) -> None:
        """Remove the copies of a photo and of its sidecar."""
        if not self._inputs[photo.source].store.is_local:
            with contextlib.suppress(OSError):  # its name may be too long for this disk
                sidecar = find_sidecar(self.path(photo))
                for path in (self.path(photo), *([sidecar] if sidecar else [])):
                    path.unlink(missing_ok=True)

    def fetch_sidecars(self, photos: Iterable[CloudPhoto]) -> None:
        """Fetch the sidecars of those photos that are in an object store."""
        wanted: dict[int, dict[str, None]] = {}
        for photo in photos:
            if not self._inputs[photo.source].store.is_local:
                folder, slash, name = photo.key.rpartition("/")
                keys = (f"{folder}{slash}{one}" for one in sidecar_names(name))
                wanted.setdefault(photo.source, {}).update(dict.fromkeys(keys))
        for source, keys in wanted.items():
            found = self._inputs[source].store.heads(list(keys))
            with ThreadPoolExecutor(_SIDE_BY_SIDE) as reading:
                list(reading.map(partial(self._fetch_file, source), found))

    def read_looks(self, photos: Iterable[CloudPhoto]) -> list[str]:
        """Read the files that count for some photos.

        Returns:
            The files that say something, as messages name them; each is returned once.

        Raises:
            UsageError: A file is wrong, or has options of the whole run.
        """
        if not self.looks.use_files:
            return []
        photos = list(photos)
        wanted = dict.fromkeys(
            (photo.source, folder) for photo in photos for folder in _folders(photo.key)
        )
        missing = [
            one
            for one in wanted
            if one not in self._looked_for and not self._inputs[one[0]].store.is_local
        ]
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as reading:
            list(reading.map(self._fetch_look, missing))
        self._looked_for.update(missing)
        local = [photo for photo in photos if self._inputs[photo.source].store.is_local]
        stores = (one.store for one in self._inputs)
        places = [store.folder for store in stores if isinstance(store, LocalFolder)]
        read = [str(path) for path in self.looks.read(map(self.path, local), places)]
        read += [name for place in missing for name in self._checked(*place)]
        new = [name for name in dict.fromkeys(read) if name not in self._told]
        self._told.update(dict.fromkeys(new))
        return new

    def _fetch_look(self, place: tuple[int, str]) -> None:
        source, folder = place
        self._fetch_file(source, f"{folder}/{NAME}" if folder else NAME)

    def _fetch_file(self, source: int, key: str) -> None:
        """Fetch a small file, if it is there."""
        content = self._inputs[source].store.read(key)
        if content is not None:
            path = self._folder / str(source) / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def _checked(self, source: int, key: str) -> Iterator[str]:
        """The name of a file from an object store, if it says something; it has been fetched."""
        folder = self._folder / str(source) / key
        for file in find_look_files(folder / "a") if (folder / NAME).is_file() else ():
            if file.path.parent != folder:
                continue
            if file.options:
                raise UsageError(
                    f"{file.path}: {next(iter(file.options))}: holds for the whole run, and is not "
                    "read from an object store; give it on the command line"
                )
            if any(file[1:]):
                yield self.in_words(str(file.path))

    def in_words(self, text: str) -> str:
        """A message with the places of photos in it, instead of those of their copies."""
        for number, one in enumerate(self._inputs):
            text = text.replace(f"{self._folder / str(number)}/", f"{one.store.url}/")
        return text


def _folders(key: str) -> Iterable[str]:
    """The folders above a key, from the input's own, which is empty."""
    parts = key.split("/")[:-1]
    return ["/".join(parts[:number]) for number in range(len(parts) + 1)]

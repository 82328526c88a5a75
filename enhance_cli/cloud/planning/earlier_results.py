"""The results of earlier runs among the photos of an input: they are no photos."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from posixpath import normpath
from typing import Protocol

import numpy as np

from enhance_cli.batch.discovery import holds_own_results
from enhance_cli.cloud.local_folder import LocalFolder
from enhance_cli.cloud.places import local_path, url_of
from enhance_cli.cloud.planning.inputs import Input, is_photo
from enhance_cli.cloud.records import ROOT, Record, read_logs
from enhance_cli.cloud.stores import Store, StoredObject
from enhance_cli.run_records import (
    NAME,
    EarlierResults,
    NamedResults,
    PlacesOfPhotos,
    parse_records,
)


class ResultsAmongPhotos(Protocol):
    """The results among the objects of an input."""

    def see(self, key: str) -> None:
        """An object has been listed."""
        ...

    def include(self, stored: StoredObject) -> bool:
        """Whether a listed object is a result."""
        ...


class EarlierResultsOfInputs:
    """Gives the results among the photos of each input.

    Args:
        inputs: The inputs.
        out: The output.
    """

    def __init__(self, inputs: list[Input], out: Store) -> None:
        self._out = out
        self._photos = _PlacesOfPhotos(inputs)
        self._named = NamedResults(self._photos.on_disk, beside=False)

    def among(self, one: Input) -> ResultsAmongPhotos:
        """The results among the photos of an input."""
        if not isinstance(one.store, LocalFolder):
            return _InStore(one.store, self._photos) if one.photo is None else _None()
        if one.photo is not None:
            return _Named(one.store.folder, self._named)
        outputs = [self._out.folder] if isinstance(self._out, LocalFolder) else []
        results = EarlierResults(one.store.folder, (), outputs, self._photos.on_disk)
        return _OnDisk(one.store.folder, results)


def without_own_results(places: tuple[str, ...], out: Store) -> tuple[str, ...]:
    """Leave the place that a run writes to out of its inputs, as a run over folders does.

    So a run keeps its inputs, and its name, although ``*`` names its results as well.
    """
    others = tuple(place for place in places if not _holds_own_results(place, out))
    return others or places


def _holds_own_results(place: str, out: Store) -> bool:
    path = local_path(place)
    if isinstance(out, LocalFolder):
        return path is not None and holds_own_results(path, [out.folder])
    return url_of(place) == out.url and _InStore(out).include_all()


class _PlacesOfPhotos:
    """Where the photos of a run are, as records name it."""

    def __init__(self, inputs: Iterable[Input] = ()) -> None:
        local: list[Path] = []
        named: set[str] = set()
        folders: list[str] = []
        for one in inputs:
            if isinstance(one.store, LocalFolder):
                local.append(one.store.folder / (one.photo or ""))
            elif one.photo is not None:
                named.add(one.store.name(one.photo))
            else:
                folders.append(f"{one.store.url}/")
        self._named, self._folders = named, tuple(folders)
        self.on_disk = PlacesOfPhotos(local)

    def include(self, record: Record) -> bool:
        """Whether the photo that a record is about is in an input, or is one."""
        if record.folder:
            return self.on_disk.include(record.folder, PurePath(record.input).name)
        return record.input in self._named or record.input.startswith(self._folders)


class _None:
    """An input without results."""

    def see(self, key: str) -> None:
        """See :meth:`ResultsAmongPhotos.see`."""

    def include(self, stored: StoredObject) -> bool:  # noqa: ARG002
        """See :meth:`ResultsAmongPhotos.include`."""
        return False


class _Named(_None):
    """A photo on a disk that was named by itself."""

    def __init__(self, folder: Path, results: NamedResults) -> None:
        self._folder, self._results = folder, results

    def include(self, stored: StoredObject) -> bool:
        """See :meth:`ResultsAmongPhotos.include`."""
        return self._results.include(self._folder / stored.key)


class _OnDisk(_None):
    """Results in a folder; the records of a subfolder are read when it is reached."""

    def __init__(self, folder: Path, results: EarlierResults) -> None:
        self._folder, self._results = folder, results
        self._looked = {folder}

    def include(self, stored: StoredObject) -> bool:
        """See :meth:`ResultsAmongPhotos.include`."""
        path = self._folder / stored.key
        for folder in self._new(path.parent):
            self._results.look_into(folder)
        return self._results.include(path)

    def _new(self, folder: Path) -> Iterator[Path]:
        while folder not in self._looked:
            self._looked.add(folder)
            yield folder
            folder = folder.parent


class _InStore:
    """Results in an object store.

    Those of runs over folders were copied there with the records that lie among them. Times change
    thereby, and so a result that does not stand beside its photo is known by its size.

    Args:
        store: The input.
        photos: Where the photos of the run are; whoever names a folder of results wants them to be
            retouched, unless their photos are among the inputs. None takes all results for such.
    """

    def __init__(self, store: Store, photos: _PlacesOfPhotos | None = None) -> None:
        self._store, self._photos = store, photos
        self._beside: set[str] = set()
        self._results = _Hashes()
        self._places = _Hashes()
        self._looked: set[str] = set()

    def see(self, key: str) -> None:
        """See :meth:`ResultsAmongPhotos.see`."""
        folder, _, name = key.rpartition("/")
        if name == NAME:
            self._look_into(folder)
        elif f"/{ROOT}/" in f"/{key}":
            self._look_into(f"/{key}".partition(f"/{ROOT}/")[0].removeprefix("/"))

    def include(self, stored: StoredObject) -> bool:
        """See :meth:`ResultsAmongPhotos.include`."""
        parts = stored.key.split("/")
        for number, part in enumerate(parts):
            if part < ".":  # the records are listed later
                self._look_into("/".join(parts[:number]))
        return stored.key in self._beside or (stored.key, stored.size) in self._results

    def include_all(self) -> bool:
        """Whether all photos in the store are results, or were before somebody replaced them."""
        for page in self._store.pages():
            for stored in page:
                self.see(stored.key)
                if not is_photo(stored.key) or self.include(stored) or stored.key in self._places:
                    continue
                if self._store.label(stored.key) is None:
                    return False
        return True

    def _look_into(self, folder: str) -> None:
        if folder in self._looked:
            return
        self._looked.add(folder)
        start = f"{folder}/" if folder else ""
        for record in parse_records(self._store.read(start + NAME) or b""):
            key = normpath(start + record.output)
            if record.beside:
                self._beside.add(key)
            elif folder or self._photos is None:
                self._results.add([(key, record.result.size)])
        pages = self._store.pages(below=start + ROOT)
        logs = (one.key for page in pages for one in page if "/done/" in one.key)
        for _, log in read_logs(self._store, logs):
            noted = [one for one in log.records if self._counts(one, folder)]
            self._results.add((f"{start}{one.output}", one.size) for one in noted)
            self._places.add(f"{start}{one.output}" for one in noted)

    def _counts(self, record: Record, folder: str) -> bool:
        if not record.describes_result:
            return False
        return bool(folder) or self._photos is None or self._photos.include(record)


class _Hashes:
    """A set of which only hashes are kept, since there may be millions; eight bytes for each."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, np.int64)
        self._new: list[int] = []

    def add(self, entries: Iterable[object]) -> None:
        """Add some entries."""
        self._new += map(hash, entries)

    def __contains__(self, entry: object) -> bool:
        if self._new:
            new = np.array(self._new, np.int64)
            self._sorted = np.union1d(self._sorted, new)
            self._new = []
        found = int(np.searchsorted(self._sorted, hash(entry)))
        return found < len(self._sorted) and self._sorted[found] == hash(entry)

"""The results of runs over folders among the photos of an input: they are no photos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath
from typing import Protocol

from enhance_cli.cloud.local_folder import LocalFolder
from enhance_cli.cloud.stores import Store, StoredObject
from enhance_cli.run_records import NAME, EarlierResults, parse_records


class ResultsAmongPhotos(Protocol):
    """The results among the objects of an input."""

    def see(self, key: str) -> None:
        """An object has been listed."""
        ...

    def include(self, stored: StoredObject) -> bool:
        """Whether a listed object is a result."""
        ...


def results_among_photos(store: Store, out: Store) -> ResultsAmongPhotos:
    """The results among the photos of an input.

    Args:
        store: The input.
        out: The output.
    """
    if isinstance(store, LocalFolder):
        return _OnDisk(store.folder, out.folder if isinstance(out, LocalFolder) else None)
    return _InStore(store)


class _OnDisk:
    """Results in a folder; the records of a subfolder are read when it is reached."""

    def __init__(self, folder: Path, out: Path | None) -> None:
        self._folder = folder
        self._results = EarlierResults(folder, [out] if out else (), out)
        self._looked = {folder}

    def see(self, key: str) -> None:
        """See :meth:`ResultsAmongPhotos.see`; only photos are listed."""

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
    """Results that were copied to an object store with the records that lie among them.

    Times change thereby, and so a result that does not stand beside its photo is known by its size.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sizes: dict[str, int | None] = {}
        self._looked: set[str] = set()

    def see(self, key: str) -> None:
        """See :meth:`ResultsAmongPhotos.see`."""
        folder, _, name = key.rpartition("/")
        if name == NAME:
            self._look_into(folder)

    def include(self, stored: StoredObject) -> bool:
        """See :meth:`ResultsAmongPhotos.include`."""
        folder, _, name = stored.key.rpartition("/")
        if name < NAME:  # the records are listed later
            self._look_into(folder)
        return self._sizes.get(stored.key, -1) in {None, stored.size}

    def _look_into(self, folder: str) -> None:
        if folder in self._looked:
            return
        self._looked.add(folder)
        start = f"{folder}/" if folder else ""
        for record in parse_records(self._store.read(start + NAME) or b""):
            if record.beside:
                self._sizes[normpath(start + record.output)] = None
            elif folder:  # who names a folder of results wants them to be retouched
                self._sizes.setdefault(normpath(start + record.output), record.result.size)

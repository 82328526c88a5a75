"""The photos of the inputs, as they are listed; nothing waits for the end of a listing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from enhance_cli.atomic_write import identity
from enhance_cli.batch.discovery import Exclusion, InputPhoto, photos_where_results_go
from enhance_cli.cloud.local_folder import LocalFolder
from enhance_cli.cloud.places import is_url, local_path, url_of
from enhance_cli.cloud.planning.earlier_results import EarlierResultsOfInputs, ResultsAmongPhotos
from enhance_cli.cloud.planning.inputs import Input, is_hidden, is_photo, suffix_of
from enhance_cli.cloud.stores import Store, StoredObject
from enhance_cli.config.look_files import NAME as LOOK_FILE
from enhance_cli.errors import UsageError
from enhance_cli.imaging.codecs.formats import SIDECAR, formats_read


class Found(NamedTuple):
    """A photo of an input.

    Attributes:
        source: Number of the input.
        object: The photo; its key is below the input.
        folder: Folder of its result, below the output.
        name: Its name.
    """

    source: int
    object: StoredObject
    folder: str
    name: str


class Listing:
    """The photos of all inputs in the order of the inputs, and of their keys, each once.

    Hidden files and folders are skipped, and so is what the run writes.

    Args:
        inputs: The inputs.
        out: Where results go.
        exclude: Patterns of names and paths to leave out.

    Attributes:
        found: Number of photos listed, and not excluded.
        results: Number of results of earlier runs among the photos, which are passed over.
        others: Counts files that are no photos by their suffixes.
        warnings: A line for each folder that cannot be read, and for each name that cannot be used.
    """

    def __init__(self, inputs: list[Input], out: Store, exclude: tuple[str, ...]) -> None:
        self._inputs = inputs
        self._out = out
        patterns = tuple(map(_pattern, exclude))
        roots = [_path(one.store) for one in inputs]
        self._exclusion = Exclusion(patterns, roots) if exclude else None
        folders = (one.store for one in inputs if one.photo is None)
        self._folders = {
            Path(os.path.realpath(one.folder)) for one in folders if isinstance(one, LocalFolder)
        }
        self._results = EarlierResultsOfInputs(inputs, out)
        self._earlier: dict[int, ResultsAmongPhotos] = {}
        self._identity = cache(identity)
        self._first: dict[int, int] = {}
        self.found = 0
        self.excluded = 0
        self.results = 0
        self.others: Counter[str] = Counter()
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[Found]:
        """List all photos.

        Raises:
            EnhanceError: A store cannot be listed, or there is no photo.
        """
        self.warnings += self._photos_where_results_go()
        for number, one in enumerate(self._inputs):
            covered = self._covered(number)
            for stored in self._objects(one):
                if covered and self._is_covered(one.store.name(stored.key), covered):
                    continue
                found = self._checked(number, one, stored)
                if found is not None:
                    self.found += 1
                    yield found
        if self._exclusion is not None:
            self.warnings += self._exclusion.unused()
        if not self.found:
            raise UsageError(self._nothing())

    def _photos_where_results_go(self) -> list[str]:
        """A warning if photos of a folder are left out, since results go there."""
        if not isinstance(self._out, LocalFolder):
            return []
        return photos_where_results_go(self._out.folder, self._folders)

    def _nothing(self) -> str:
        looked_in = ", ".join(one.place for one in self._inputs)
        if self.results and not self.excluded:
            return f"{looked_in}: results of earlier runs; give the photos themselves"
        if self.excluded:
            return f"{looked_in}: --exclude leaves none of {self.excluded} photos"
        return f"{looked_in}: no photo found; {formats_read()} can be read"

    def folder(self, source: int, folder: str) -> Iterator[Found]:
        """List the photos of one folder again.

        Args:
            source: Number of the input.
            folder: Folder of their results.
        """
        one = self._inputs[source]
        key = folder.removeprefix(one.folder).strip("/")
        for page in one.store.pages(below=key):
            for stored in page:
                if stored.key.rpartition("/")[0] == key:
                    found = self._checked(source, one, stored)
                    if found is not None:
                        yield found

    def names_after(self, source: int, folder: str, name: str) -> list[str] | None:
        """Some of the names that follow in the listing of a folder, see :meth:`Store.names_after`.

        Args:
            source: Number of the input.
            folder: Folder of the results of its photos.
            name: The name.

        Returns:
            None as well if photos of other inputs have their results in the same folder.
        """
        if not folder and len(self._inputs) > 1:
            return None
        one = self._inputs[source]
        return one.store.names_after(folder.removeprefix(one.folder).strip("/"), name)

    def _objects(self, one: Input) -> Iterator[StoredObject]:
        if one.photo is not None:
            stored = one.store.head(one.photo)
            if stored is None:
                raise UsageError(f"{one.place}: neither a file nor a folder")
            yield stored
        elif isinstance(one.store, LocalFolder):
            out = [self._out.folder] if isinstance(self._out, LocalFolder) else []
            yield from one.store.photos(out, self._folders)
            self.others += one.store.others
            self.warnings += one.store.warnings
        else:
            for page in one.store.pages():
                yield from page

    def _covered(self, number: int) -> list[Input]:
        """Earlier inputs whose photos this one may list again."""
        if self._inputs[number].store.is_local:
            return []  # see _is_repeated
        own = f"{self._inputs[number].store.url}/"
        earlier = ((one, f"{one.store.url}/") for one in self._inputs[:number])
        return [one for one, url in earlier if own.startswith(url) or url.startswith(own)]

    @staticmethod
    def _is_covered(name: str, earlier: list[Input]) -> bool:
        """Whether an earlier input has listed a photo, or is that photo."""
        for one in earlier:
            start = f"{one.store.url}/"
            if one.photo is not None:
                if name == one.store.name(one.photo):
                    return True
            elif name.startswith(start):
                key = name.removeprefix(start)
                if is_photo(key):
                    return True
        return False

    def _checked(self, source: int, one: Input, stored: StoredObject) -> Found | None:
        """The photo; None if it is none, is hidden, excluded, or a result."""
        key = stored.key
        folders, _, name = key.rpartition("/")
        if self._is_passed_over(source, one, stored) or self._is_repeated(source, one, key):
            return None
        if any(part in {"", ".", ".."} for part in key.split("/")) or "\0" in key:
            self.warnings.append(f"{one.store.name(key)}: cannot be used as a name; left out")
            return None
        folder = f"{one.folder}/{folders}" if one.folder and folders else one.folder or folders
        if self._exclusion is not None:
            relative = PurePosixPath(folder, name)
            if self._exclusion.fits(InputPhoto(_path(one.store) / key, Path(relative))):
                self.excluded += 1
                return None
        return Found(source, stored, folder, name)

    def _is_passed_over(self, source: int, one: Input, stored: StoredObject) -> bool:
        """Whether this is no photo, or is a result, of this run or of an earlier one."""
        earlier = self._among(source, one)
        if one.photo is None:
            if self._is_in_out(one, stored.key):
                return True
            earlier.see(stored.key)
            if not self._is_photo(stored):
                return True
        is_result = earlier.include(stored)
        self.results += is_result
        return is_result

    def _is_photo(self, stored: StoredObject) -> bool:
        """Whether this is a photo by its name, and not hidden; others are counted."""
        if is_hidden(stored.key):
            return False
        if is_photo(stored.key):
            return True
        name = stored.key.rpartition("/")[2]
        suffix = suffix_of(name).lower()
        marks_folder = not stored.size and not suffix
        if name != LOOK_FILE and suffix != SIDECAR and not marks_folder:
            self.others[suffix] += 1
        return False

    def _is_repeated(self, source: int, one: Input, key: str) -> bool:
        """Whether a file was listed before, under whichever name its folder was given.

        Only hashes are kept, since there may be millions.
        """
        if not isinstance(one.store, LocalFolder):
            return False
        path = one.store.folder / key
        real = path.resolve() if path.is_symlink() else path
        own = hash((source, key))
        return self._first.setdefault(hash((self._identity(real.parent), real.name)), own) != own

    def _among(self, source: int, one: Input) -> ResultsAmongPhotos:
        if source not in self._earlier:
            self._earlier[source] = self._results.among(one)
        return self._earlier[source]

    def _is_in_out(self, one: Input, key: str) -> bool:
        """Whether an object of a store is in the output; folders on disks are listed without it."""
        is_below = self._out.url.startswith(f"{one.store.url}/") and not one.store.is_local
        return is_below and one.store.name(key).startswith(f"{self._out.url}/")


def _path(store: Store) -> Path:
    """The path of a folder, or what pathlib makes of its URL."""
    return store.folder if isinstance(store, LocalFolder) else Path(store.url)


def _pattern(pattern: str) -> str:
    """A pattern as it fits paths, if it is a URL."""
    if not is_url(Path(pattern)):
        return pattern
    return str(local_path(pattern) or Path(url_of(pattern) or pattern))

"""The photos of a run as objects that no result may replace."""

from __future__ import annotations

import os
import stat
from functools import cache, cached_property
from pathlib import Path
from typing import Protocol

from enhance_cli.atomic_write import identity
from enhance_cli.batch.ownership import Originals
from enhance_cli.cloud.local_folder import LocalFolder
from enhance_cli.cloud.planning.inputs import Input
from enhance_cli.cloud.stores import Store
from enhance_cli.imaging.codecs.formats import photos_below


class PlacesOfPhotos(Protocol):
    """Where photos are, seen from the output."""

    @property
    def are_in_out(self) -> bool:
        """Whether the place for the results is an input."""
        ...

    def would_lose(self, key: str) -> bool:
        """Whether a result would come into the place of an original, or into a folder of such."""
        ...

    def surround(self, key: str) -> bool:
        """Whether a result would come beside a photo, or anywhere below an input."""
        ...


def places_of_photos(inputs: list[Input], out: Store) -> PlacesOfPhotos:
    """Where the photos of some inputs are, seen from the output."""
    if isinstance(out, LocalFolder):
        return _OnDisk(inputs, out.folder)
    return _InStore(inputs, out)


class _OnDisk:
    """Photos on this machine's disks; told by device and inode.

    Args:
        inputs: The inputs; those in object stores do not count.
        out: The folder for the results.
    """

    def __init__(self, inputs: list[Input], out: Path) -> None:
        self._out = out
        local = [
            (one.store.folder, one.photo) for one in inputs if isinstance(one.store, LocalFolder)
        ]
        self._folders = [folder for folder, photo in local if photo is None]
        self._roots = {identity(folder) for folder in self._folders} - {None}
        named = [folder / photo for folder, photo in local if photo is not None]
        self._named = Originals.only(named)
        self._beside = {identity(path.parent) for path in named} - {None}
        self._is_in_tree = cache(self._is_among)
        self._is_around = cache(self._is_beside_or_below)

    @property
    def are_in_out(self) -> bool:
        """See :attr:`PlacesOfPhotos.are_in_out`."""
        return identity(self._out) in self._roots

    def would_lose(self, key: str) -> bool:
        """See :meth:`PlacesOfPhotos.would_lose`."""
        place = self._out / key
        if self._is_in_tree(place.parent):
            return True
        try:
            state = place.lstat()
        except OSError:
            return False
        if self._named.include(place):
            return True
        has_other_names = stat.S_ISLNK(state.st_mode) or state.st_nlink > 1
        return has_other_names and self._all.include(place)

    def surround(self, key: str) -> bool:
        """See :meth:`PlacesOfPhotos.surround`."""
        return self._is_around((self._out / key).parent)

    def _is_among(self, folder: Path) -> bool:
        """Whether a folder is an input or below one, and not because the output is."""
        real, out = Path(os.path.realpath(folder)), Path(os.path.realpath(self._out))
        for path in (real, *real.parents):
            if identity(path) in self._roots:
                return True
            if path == out:  # which may not be there yet
                return False
        return False

    def _is_beside_or_below(self, folder: Path) -> bool:
        real = Path(os.path.realpath(folder))
        above = {identity(path) for path in (real, *real.parents)}
        return identity(real) in self._beside or not self._roots.isdisjoint(above)

    @cached_property
    def _all(self) -> Originals:
        """All photos; listed only if the output holds files that may be among them."""
        return Originals.only(
            [path for folder in self._folders for path in photos_below(folder, [self._out])]
        )


class _InStore:
    """Photos in object stores; told by their URLs.

    Args:
        inputs: The inputs; those on disks do not count.
        out: The place for the results.
    """

    def __init__(self, inputs: list[Input], out: Store) -> None:
        self._base = f"{out.url}/"
        self._named = {one.store.name(one.photo) for one in inputs if one.photo is not None}
        self._beside = {name.rpartition("/")[0] for name in self._named}
        self._folders = tuple(f"{one.store.url}/" for one in inputs if one.photo is None)
        self._below = tuple(one for one in self._folders if one.startswith(self._base))

    @property
    def are_in_out(self) -> bool:
        """See :attr:`PlacesOfPhotos.are_in_out`."""
        return self._base in self._folders

    def would_lose(self, key: str) -> bool:
        """See :meth:`PlacesOfPhotos.would_lose`."""
        place = self._base + key
        return place in self._named or place.startswith(self._below)

    def surround(self, key: str) -> bool:
        """See :meth:`PlacesOfPhotos.surround`."""
        place = self._base + key
        return place.rpartition("/")[0] in self._beside or place.startswith(self._folders)

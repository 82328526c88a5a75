"""The inputs of a run over stores: folders with photos, and single photos."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from enhance_cli.batch.discovery import output_folders, why_no_input
from enhance_cli.cloud.local_folder import LocalFolder
from enhance_cli.cloud.places import local_path, open_store
from enhance_cli.cloud.stores import Store
from enhance_cli.errors import UsageError
from enhance_cli.imaging.codecs.formats import PHOTOS, SYSTEM_FOLDERS


@dataclass(frozen=True)
class Input:
    """A folder with photos, or a single photo.

    Attributes:
        place: Its URL or path.
        store: The folder; that around a single photo.
        photo: The name of a single photo; None for a folder.
        folder: Folder of its results, below the output.
    """

    place: str
    store: Store
    photo: str | None
    folder: str = ""


def suffix_of(name: str) -> str:
    """The suffix of a name, as pathlib has it, which would take ten times as long."""
    dot = name.rfind(".")
    return name[dot:] if 0 < dot < len(name) - 1 else ""


def open_inputs(places: tuple[str, ...]) -> list[Input]:
    """Open the stores of all inputs.

    Raises:
        UsageError: An input is missing.
    """
    opened = [_open(place) for place in dict.fromkeys(places)]
    folders = [one for one in opened if one.photo is None]
    names = [_last_name(one) for one in folders]
    prefixes = {
        one.place: _as_key(prefix)
        for one, prefix in zip(folders, output_folders(names), strict=True)
    }
    return [Input(one.place, one.store, one.photo, prefixes.get(one.place, "")) for one in opened]


def _last_name(one: Input) -> str:
    if isinstance(one.store, LocalFolder):
        return one.store.folder.resolve().name
    return one.store.url.partition("://")[2].rpartition("/")[2]


def _as_key(prefix: Path) -> str:
    return "" if prefix == Path() else prefix.as_posix()


def _open(place: str) -> Input:
    path = local_path(place)
    if path is not None:
        if os.path.isdir(path):  # noqa: PTH112, no error if a folder above may not be read
            return Input(place, open_store(place), None)
        if not os.path.isfile(path):  # noqa: PTH113, likewise
            raise UsageError(f"{place}: {why_no_input(path)}")
        return Input(place, open_store(str(path.parent)), path.name)
    store = open_store(place)
    folder, _, name = store.url.rpartition("/")
    is_photo = suffix_of(name).lower() in PHOTOS
    if not folder.endswith(":/") and (is_photo or not store.check()):
        around = open_store(folder)
        if around.head(name) is not None:
            return Input(place, around, name)
    return Input(place, store, None)


def is_hidden(key: str) -> bool:
    """Whether a file or one of its folders is passed over in an input."""
    if key.startswith(".") or "/." in key:
        return True
    return "/" in key and not SYSTEM_FOLDERS.isdisjoint(key.split("/")[:-1])


def is_photo(key: str) -> bool:
    """Whether an object is a photo by its name, and not hidden."""
    return not is_hidden(key) and suffix_of(key.rpartition("/")[2]).lower() in PHOTOS

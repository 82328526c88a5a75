"""``enhance.toml``: settings that belong to a folder of photos, also by camera.

::

    # ./photos/enhance.toml
    format = "tiff"                # any option of `enhance apply` that concerns the whole run
    contrast = 10                  # the look: strength and the dials

    [camera."FUJIFILM X-T5"]       # make and model, or the model alone
    warmth = -8

The files in a photo's folder and in all folders above count, the nearest one most. In a file, the
table of the photo's camera counts more than what stands above it. What was given on the command
line counts most.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

from enhance_cli.config.dials import Dials
from enhance_cli.config.settings import names_of, setting, unknown_key, updated
from enhance_cli.errors import UsageError

NAME = "enhance.toml"

CAMERA = "camera"

RUN_OPTIONS = (
    *("exclude", "pairs", "max-pixels", "full-size", "long-edge", "format", "quality"),
    *("subsampling", "bit-depth", "srgb", "coarse-only", "weights", "new-times", "strip-gps"),
    *("strip-metadata", "device"),
)
"""Options of the whole run that a file may set. Places of outputs belong to the command line."""

MAX_BYTES = 2**20
"""A larger file is none of ours."""


@dataclass(frozen=True)
class Look(Dials):
    """How far and in which direction photos are changed.

    Attributes:
        strength: Factor on what the networks change, from 0 to 1.5.
    """

    strength: float = setting(1.0, low=0, high=1.5)

    @property
    def dials(self) -> Dials:
        """The dials alone."""
        return Dials(**{name: getattr(self, name) for name in names_of(Dials)})

    def __str__(self) -> str:
        """What differs from the look that a photo has without any options; empty if nothing."""
        turned = [] if self.dials.are_neutral else [str(self.dials)]
        changed = [f"strength {self.strength:g}"] if self.strength != 1 else []
        return ", ".join(changed + turned)


LOOK = names_of(Look)


class LookFile(NamedTuple):
    """The content of an ``enhance.toml``.

    Attributes:
        path: The file.
        options: Options of the whole run.
        look: Settings of the look.
        cameras: Settings of the look for each camera, by its name in lower case.
    """

    path: Path
    options: dict[str, object]
    look: dict[str, float]
    cameras: dict[str, dict[str, float]]


Found = dict[Path, tuple["LookFile", ...]]
"""The files that count in each folder, as far as they have been read."""


def find_look_files(place: Path, found: Found | None = None) -> tuple[LookFile, ...]:
    """Read the files in a folder and above it, the outermost first.

    Args:
        place: A folder, or a photo in it.
        found: What has been read already; gets what is read now.

    Raises:
        UsageError: A file cannot be read, is not TOML, or has a look that cannot be meant.
    """
    is_folder = os.path.isdir(place)  # noqa: PTH112, no error if it cannot be reached
    folder = place.absolute() if is_folder else place.absolute().parent
    return _files_at_or_above(folder, {} if found is None else found)


def _files_at_or_above(folder: Path, found: Found) -> tuple[LookFile, ...]:
    if folder not in found:
        above = () if folder.parent == folder else _files_at_or_above(folder.parent, found)
        path = folder / NAME
        is_there = os.path.isfile(path)  # noqa: PTH113
        found[folder] = (*above, read_look_file(path)) if is_there else above
    return found[folder]


def read_look_file(path: Path) -> LookFile:
    """Read and check an ``enhance.toml``; options of the run are checked by the command line.

    Raises:
        UsageError: It cannot be read, is not TOML, or has a look that cannot be meant.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UsageError(f"{path}: too large for settings")
        document = tomllib.loads(content.decode("utf-8-sig"))
    except OSError as problem:
        raise UsageError(f"{path}: cannot be read: {problem.strerror}") from problem
    except (ValueError, RecursionError) as problem:
        raise UsageError(f"{path}: not TOML: {problem}") from problem
    tables: dict[str, dict[str, float]] = {}
    for name, table in _tables(document.pop(CAMERA, {}), path).items():
        prefix = f'{CAMERA}."{name}".'
        _refuse_run_options(table, path, prefix)
        tables[_key(name)] = _checked(table, path, prefix)
    own = {name: value for name, value in document.items() if name in LOOK}
    options = {name: value for name, value in document.items() if name not in LOOK}
    return LookFile(path, options, _checked(own, path, ""), tables)


def _tables(value: object, path: Path) -> dict[str, dict[str, object]]:
    tables = cast("dict[str, object]", value if isinstance(value, dict) else {"": None})
    if not all(isinstance(one, dict) for one in tables.values()):
        raise UsageError(f'{path}: {CAMERA}: must be tables like [{CAMERA}."FUJIFILM X-T5"]')
    return cast("dict[str, dict[str, object]]", tables)


def _refuse_run_options(table: Mapping[str, object], path: Path, prefix: str) -> None:
    for name in table:
        if name in RUN_OPTIONS:
            raise UsageError(
                f"{path}: {prefix}{name}: unknown key in this table, since {name} holds for the "
                "whole run; write it above the tables"
            )


def _checked(table: Mapping[str, object], path: Path, prefix: str) -> dict[str, float]:
    look = updated(Look(), table, str(path), prefix)
    return {name: getattr(look, name) for name in table}


@dataclass
class Looks:
    """The look of each photo: that of the run, as the files beside the photo change it.

    Attributes:
        run: The look of the run.
        given: Names of the settings that were given for the whole run; no file changes them.
        use_files: Whether files count at all.
    """

    run: Look
    given: Collection[str] = ()
    use_files: bool = True
    _found: Found = field(default_factory=Found, init=False, repr=False)
    _digests: dict[Path, str] = field(default_factory=dict[Path, str], init=False, repr=False)

    def read(self, photos: Iterable[Path], inputs: Iterable[Path]) -> tuple[Path, ...]:
        """Read all files that count for some photos.

        Args:
            photos: The photos.
            inputs: Folders and photos of the run. Options of the whole run stand in files beside or
                above them.

        Returns:
            The files that say something.

        Raises:
            UsageError: A file is wrong, or has options of the whole run but is below the inputs.
        """
        if not self.use_files:
            return ()
        above = {file.path for place in inputs for file in find_look_files(place, self._found)}
        found: dict[Path, LookFile] = {}
        for folder in dict.fromkeys(photo.parent for photo in photos):
            found |= {file.path: file for file in find_look_files(folder, self._found)}
        for file in found.values():
            if file.options and file.path not in above:
                raise UsageError(
                    f"{file.path}: {next(iter(file.options))}: holds for the whole run; put it "
                    "into an enhance.toml in the folder that is given, or above it"
                )
        return tuple(shown(file.path) for file in found.values() if any(file[1:]))

    def end_at(self, folder: Path) -> None:
        """Let the files in a folder and above it not count."""
        self._found[folder.absolute()] = ()

    def of(self, photo: Path, camera: Iterable[str] = ()) -> Look:
        """The look of a photo.

        Args:
            photo: The photo.
            camera: Make and model of its camera, as far as they are known.

        Raises:
            UsageError: A file is wrong.
        """
        return _with(self.run, self._layers(photo.parent, _names(camera)), self.given)

    def _layers(self, folder: Path, names: Collection[str]) -> Iterable[Mapping[str, float]]:
        if not self.use_files:
            return
        for file in find_look_files(folder, self._found):
            yield file.look
            yield from (file.cameras[name] for name in names if name in file.cameras)

    def digest(self, photo: Path) -> str:
        """Digest of what the files beside a photo change; empty if nothing.

        Raises:
            UsageError: A file is wrong.
        """
        folder = photo.parent
        if folder not in self._digests:
            self._digests[folder] = self._digest(folder)
        return self._digests[folder]

    def _digest(self, folder: Path) -> str:
        if not self.use_files:
            return ""
        layers: list[object] = []
        for file in find_look_files(folder, self._found):
            layers += [self._effective(file.look)]
            layers += [{name: self._effective(one)} for name, one in file.cameras.items()]
        if not any(layers):
            return ""
        return hashlib.sha256(json.dumps(layers, sort_keys=True).encode()).hexdigest()[:16]

    def _effective(self, settings: Mapping[str, float]) -> dict[str, float]:
        return {name: value for name, value in settings.items() if name not in self.given}


def _with(look: Look, layers: Iterable[Mapping[str, float]], given: Collection[str]) -> Look:
    values = {name: getattr(look, name) for name in LOOK}
    for layer in layers:
        values |= {name: value for name, value in layer.items() if name not in given}
    return Look(**values)


def _names(camera: Iterable[str]) -> tuple[str, ...]:
    """The names by which tables may call a camera: its model, and make and model together."""
    parts = [part for part in camera if part]
    if not parts:
        return ()
    model, whole = _key(parts[-1]), _key(" ".join(parts))
    return (model,) if model == whole else (model, whole)


def _key(name: str) -> str:
    return " ".join(name.split()).casefold()


def shown(path: Path) -> Path:
    """A path as a user would type it: relative to the current folder, if it is below."""
    with contextlib.suppress(ValueError):
        return path.relative_to(Path.cwd())
    return path


def unknown_option(file: LookFile, name: str) -> UsageError:
    """The error for an option that an ``enhance.toml`` cannot set."""
    return UsageError(unknown_key(str(file.path), name, [*LOOK, *RUN_OPTIONS, CAMERA]))

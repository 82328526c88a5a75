"""Finds the photos of a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from enhance_cli.atomic_write import Identity, identity, why_missing
from enhance_cli.config.apply import ApplyConfig, RawPairs
from enhance_cli.errors import NoPhotosError, UsageError
from enhance_cli.imaging.codecs.formats import HEIF, JPEG, formats_read, is_raw, photos_below
from enhance_cli.run_records import (
    EarlierResults,
    NamedResults,
    PlacesOfPhotos,
    records_in,
    records_of_shards,
)


class InputPhoto(NamedTuple):
    """A photo, and its path relative to the output folder."""

    path: Path
    relative: Path


def discover_photos(
    config: ApplyConfig,
    left_out: list[Path] | None = None,
    others: Counter[str] | None = None,
    results: list[Path] | None = None,
) -> tuple[list[InputPhoto], list[str]]:
    """Find all photos, each file once.

    Args:
        config: The run's settings.
        left_out: Gets the folders among the inputs that the run writes to, which are left out.
        others: Counts the other files in the input folders by their suffixes.
        results: Gets the results of earlier runs among the photos, which are left out, too.

    Returns:
        The photos, and a line for each folder that cannot be read and for each pattern to exclude
        that fits nothing.

    Raises:
        UsageError: An input is missing.
        NoPhotosError: There is no photo.
    """
    warnings: list[str] = []
    left_out = [] if left_out is None else left_out
    results = [] if results is None else results
    found = list(_without_repeats(_candidates(config, warnings, left_out, others, results)))
    folders = {path if _is_dir(path) else path.parent for path in config.inputs}
    exclusion = Exclusion(config.exclude, folders)
    included = [photo for photo in found if not exclusion.fits(photo)]
    warnings += exclusion.unused()
    if config.out is not None:
        warnings += photos_where_results_go(config.out, filter(_is_dir, config.inputs))
    kept = _without_second_of_pair(included, config.pairs)
    if kept:
        return kept, warnings
    looked_in = ", ".join(str(path) for path in config.inputs)
    if results and not found:
        raise NoPhotosError(f"{looked_in}: results of earlier runs; give the photos themselves")
    if found:
        raise NoPhotosError(f"{looked_in}: --exclude leaves none of {len(found)} photos")
    raise NoPhotosError(f"{looked_in}: no photo found; {formats_read()} can be read")


def _without_repeats(photos: Iterable[InputPhoto]) -> Iterator[InputPhoto]:
    """Each file once, under whichever name its folder was given."""
    folders: dict[Path, Identity | None] = {}
    seen: set[tuple[Identity | None, str]] = set()
    for photo in photos:
        real = photo.path.resolve() if photo.path.is_symlink() else photo.path
        if real.parent not in folders:
            folders[real.parent] = identity(real.parent)
        entry = folders[real.parent], real.name
        if entry not in seen:
            seen.add(entry)
            yield photo


def _candidates(
    config: ApplyConfig,
    warnings: list[str],
    left_out: list[Path],
    others: Counter[str] | None,
    results: list[Path],
) -> Iterator[InputPhoto]:
    written_to = [folder for folder in (config.out, config.compare, config.lut) if folder]
    prefixes = _prefixes([path for path in config.inputs if _is_dir(path)])
    inputs = {Path(os.path.realpath(path)) for path in prefixes}
    photos = PlacesOfPhotos(config.inputs)
    named = NamedResults(photos, beside=config.out is None)
    for given in config.inputs:
        if _is_dir(given):
            folders: list[Path] = []
            found = list(
                photos_below(given, written_to, warnings, left_out, others, folders, inputs)
            )
            outputs = left_out if config.out is None else [*left_out, config.out]
            earlier = EarlierResults(given, folders, outputs, photos)
            for path in found:
                if earlier.include(path):
                    results.append(path)
                else:
                    yield InputPhoto(path, prefixes[given] / path.relative_to(given))
        elif os.path.isfile(given):  # noqa: PTH113, see below
            if named.include(given):
                results.append(given)
            else:
                yield InputPhoto(given, Path(given.name))
        else:
            raise UsageError(f"{given}: {why_no_input(given)}")


def photos_where_results_go(out: Path, inputs: Iterable[Path]) -> list[str]:
    """A warning if photos of an input lie where the results of a first run go: they are left out.

    Args:
        out: The folder for the results.
        inputs: The folders whose photos are retouched.
    """
    above = Path(os.path.realpath(out)).parents
    is_below = any(Path(os.path.realpath(folder)) in above for folder in inputs)
    if not is_below or not _is_dir(out):
        return []
    if records_in(out) or records_of_shards(out):  # then results are among them
        return []
    return [
        f"{out}: photos in it, such as {photo.name}, are left out, since results go there; choose "
        "another folder to have them retouched"
        for photo in islice(photos_below(out), 1)
    ]


def why_no_input(path: Path) -> str:
    """Why a path that is neither a file nor a folder cannot be an input, in words."""
    if os.path.lexists(path):
        return "neither a file nor a folder"
    return why_missing(path, "no such file or folder")


def without_own_results(config: ApplyConfig) -> ApplyConfig:
    """Leave the folders that a run writes to out of its inputs, if others are left.

    Where ``*`` names the photos, it names the results of the first run in the second. A folder that
    holds anything else stays: whoever wrote it by mistake must be told.
    """
    written = [place for place in (config.out, config.compare, config.lut) if place]
    others = tuple(given for given in config.inputs if not holds_own_results(given, written))
    return replace(config, inputs=others) if others else config


def holds_own_results(given: Path, written: Collection[Path]) -> bool:
    """Whether an input is a folder that the run writes to, and all photos in it are results.

    Args:
        given: The input.
        written: The folders that the run writes to.
    """
    if not _is_dir(given) or identity(given) not in {identity(place) for place in written}:
        return False
    folders: list[Path] = []
    found = list(photos_below(given, walked=folders))
    earlier = EarlierResults(given.parent, folders, written)
    return all(earlier.know(path) for path in found)


def _is_dir(path: Path) -> bool:
    """Whether a folder is there; unlike pathlib, no error if a folder above may not be read."""
    return os.path.isdir(path)  # noqa: PTH112


def _prefixes(folders: list[Path]) -> dict[Path, Path]:
    """Output subfolder of each input folder: none for a single one, else its name."""
    distinct = list(dict.fromkeys(folders))
    names = [folder.resolve().name for folder in distinct]
    return dict(zip(distinct, output_folders(names), strict=True))


def output_folders(names: list[str]) -> list[Path]:
    """Output subfolders of input folders with these names: none for a single one."""
    if len(names) < 2:
        return [Path() for _ in names]
    prefixes: dict[Path, None] = {}
    numbers: dict[str, int] = {}
    for given in names:
        name = given or "root"
        number, prefix = numbers.get(name, 1), Path(name)
        while prefix in prefixes:
            number += 1
            prefix = Path(f"{name}-{number}")
        numbers[name] = number
        prefixes[prefix] = None
    return list(prefixes)


class Exclusion:
    """Patterns for photos to leave out, and how often each of them has fitted.

    As in a shell or a ``.gitignore``, a pattern fits a name, a path below an input folder, or a
    path as it was given; what fits a folder leaves out all that is in it. ``**/`` stands for any
    number of folders, also none. A name or path that is written out is fitted as well, whatever
    signs it has.

    Args:
        patterns: The patterns.
        folders: The input folders, and those of photos that were named one by one.
    """

    def __init__(self, patterns: tuple[str, ...], folders: Iterable[Path]) -> None:
        self._patterns = {pattern: _variants(_plain(pattern)) for pattern in patterns}
        self._below: dict[Path, dict[str, set[str]]] = {
            folder: {pattern: _variants_below(folder, pattern) for pattern in patterns}
            for folder in folders
        }
        self._unused = dict.fromkeys(patterns)

    def fits(self, photo: InputPhoto) -> bool:
        """Whether a pattern fits a photo."""
        names = [photo.relative.as_posix(), *photo.relative.parts]
        names += [folder.as_posix() for folder in photo.relative.parents]
        roots = [folder for folder in photo.path.parents if folder in self._below]
        fitting = [
            pattern
            for pattern, variants in self._patterns.items()
            if _any_fits(variants, names) or self._fits_below(pattern, photo.path, roots)
        ]
        for pattern in fitting:
            self._unused.pop(pattern, None)
        return bool(fitting)

    def _fits_below(self, pattern: str, photo: Path, roots: list[Path]) -> bool:
        """Whether a path as it was given fits a photo."""
        for root in roots:
            variants = self._below[root][pattern]
            if variants:
                relative = photo.relative_to(root)
                paths = [path.as_posix() for path in (relative, *relative.parents)]
                if _any_fits(variants, paths):
                    return True
        return False

    def unused(self) -> Iterator[str]:
        """A line for each pattern that has fitted nothing."""
        return (f"--exclude {pattern}: fits no photo and no folder" for pattern in self._unused)


def _any_fits(variants: Iterable[str], names: Collection[str]) -> bool:
    return any(name == one or fnmatchcase(name, one) for one in variants for name in names)


def _plain(pattern: str) -> str:
    return (pattern.rstrip("/") or pattern).removeprefix("./")


def _variants(pattern: str) -> set[str]:
    """A pattern with all its ``**/``, and with fewer."""
    variants = {pattern}
    while "**/" in pattern:
        pattern = pattern.replace("**/", "", 1)
        variants.add(pattern)
    return variants


def _variants_below(folder: Path, pattern: str) -> set[str]:
    """The forms in which a pattern that begins with an input folder fits paths below it."""
    plain = Path(_plain(pattern)).as_posix()
    written = {plain, Path(os.path.abspath(plain)).as_posix()}  # noqa: PTH100, as it is typed
    if os.path.lexists(plain):
        written.add(Path(os.path.realpath(plain)).as_posix())
    roots = {one.as_posix() for one in (folder, folder.absolute(), folder.resolve())}
    roots.add(Path(os.path.abspath(folder)).as_posix())  # noqa: PTH100, without ..
    below: set[str] = set()
    for path in written:
        for root in roots:
            if path == root:
                below.add(".")
            elif path.startswith(f"{root.rstrip('/')}/"):
                below |= _variants(path[len(root.rstrip("/")) + 1 :])
    return below


def _without_second_of_pair(photos: list[InputPhoto], pairs: RawPairs) -> list[InputPhoto]:
    """Keep one of each RAW and the camera's JPEG or HEIC of the same name beside it."""
    if pairs == "both":
        return photos
    raws = {_stem(photo) for photo in photos if is_raw(photo.path)}
    both = raws & {_stem(photo) for photo in photos if _is_camera_jpeg(photo.path)}
    left_out = _is_camera_jpeg if pairs == "raw" else is_raw
    return [photo for photo in photos if _stem(photo) not in both or not left_out(photo.path)]


def _is_camera_jpeg(path: Path) -> bool:
    return path.suffix.lower() in JPEG | HEIF


def _stem(photo: InputPhoto) -> tuple[Path, str]:
    return photo.path.parent, photo.path.stem.casefold()

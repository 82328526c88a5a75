"""Which photos a run is about."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from enhance_cli.config import ApplyConfig, RawPairs
from enhance_cli.errors import UsageError
from enhance_cli.imaging.formats import HEIF, JPEG, is_raw, photos_below


class FoundPhoto(NamedTuple):
    """A photo, and its path below the folder that takes the results."""

    path: Path
    relative: Path


def find_photos(config: ApplyConfig) -> tuple[list[FoundPhoto], list[str]]:
    """Find every photo, each file once, with a line for each folder that cannot be read.

    Raises:
        UsageError: An input is missing, or there is no photo.
    """
    warnings: list[str] = []
    seen: set[Path] = set()
    found: list[FoundPhoto] = []
    for one in _candidates(config, warnings):
        real = one.path.resolve()
        if real not in seen:
            seen.add(real)
            found.append(one)
    kept = _chosen([one for one in found if not _excluded(one, config.exclude)], config.pairs)
    if kept:
        return kept, warnings
    looked_in = ", ".join(str(path) for path in config.inputs)
    if found:
        raise UsageError(f"{looked_in}: --exclude leaves none of {len(found)} photos")
    raise UsageError(
        f"{looked_in}: no photo found; read are JPEG, PNG, TIFF, WebP, AVIF, HEIC and RAW"
    )


def _candidates(config: ApplyConfig, warnings: list[str]) -> Iterator[FoundPhoto]:
    own = {folder.resolve() for folder in (config.out, config.compare) if folder}
    prefixes = _prefixes([path for path in config.inputs if path.is_dir()])
    for given in config.inputs:
        if given.is_dir():
            for path in photos_below(given, own, warnings):
                yield FoundPhoto(path, prefixes[given] / path.relative_to(given))
        elif given.is_file():
            yield FoundPhoto(given, Path(given.name))
        else:
            raise UsageError(f"{given}: no such file or folder")


def _prefixes(folders: list[Path]) -> dict[Path, Path]:
    """Where each input folder's photos go; several folders are kept apart by their names."""
    if len(set(folders)) < 2:
        return dict.fromkeys(folders, Path())
    prefixes: dict[Path, Path] = {}
    for folder in folders:
        name = folder.resolve().name or "root"
        number, prefix = 1, Path(name)
        while prefix in prefixes.values():
            number += 1
            prefix = Path(f"{name}-{number}")
        prefixes.setdefault(folder, prefix)
    return prefixes


def _excluded(photo: FoundPhoto, patterns: tuple[str, ...]) -> bool:
    """Whether a pattern fits the photo's name, its path, or a folder on the way to it."""
    names = [photo.relative.as_posix(), *photo.relative.parts]
    names += [folder.as_posix() for folder in photo.relative.parents]
    return any(fnmatchcase(name, one.rstrip("/")) for name in names for one in patterns)


def _chosen(photos: list[FoundPhoto], pairs: RawPairs) -> list[FoundPhoto]:
    """Leave out one of each RAW and the camera's JPEG or HEIC of the same name beside it."""
    if pairs == "both":
        return photos
    raws = {_stem(one) for one in photos if is_raw(one.path)}
    both = raws & {_stem(one) for one in photos if _is_the_cameras(one.path)}
    passed_over = _is_the_cameras if pairs == "raw" else is_raw
    return [one for one in photos if _stem(one) not in both or not passed_over(one.path)]


def _is_the_cameras(path: Path) -> bool:
    return path.suffix.lower() in JPEG | HEIF


def _stem(photo: FoundPhoto) -> tuple[Path, str]:
    return photo.path.parent, photo.path.stem.casefold()

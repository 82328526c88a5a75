"""Finds the photos of a run."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from enhance_cli.config.apply import ApplyConfig, RawPairs
from enhance_cli.errors import UsageError
from enhance_cli.imaging.codecs.formats import HEIF, JPEG, is_raw, photos_below


class InputPhoto(NamedTuple):
    """A photo, and its path relative to the output folder."""

    path: Path
    relative: Path


def discover_photos(config: ApplyConfig) -> tuple[list[InputPhoto], list[str]]:
    """Find all photos, each file once.

    Returns:
        The photos, and a line for each folder that cannot be read.

    Raises:
        UsageError: An input is missing, or there is no photo.
    """
    warnings: list[str] = []
    seen: set[Path] = set()
    found: list[InputPhoto] = []
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


def _candidates(config: ApplyConfig, warnings: list[str]) -> Iterator[InputPhoto]:
    own = {folder.resolve() for folder in (config.out, config.compare) if folder}
    prefixes = _prefixes([path for path in config.inputs if path.is_dir()])
    for given in config.inputs:
        if given.is_dir():
            for path in photos_below(given, own, warnings):
                yield InputPhoto(path, prefixes[given] / path.relative_to(given))
        elif given.is_file():
            yield InputPhoto(given, Path(given.name))
        else:
            raise UsageError(f"{given}: no such file or folder")


def _prefixes(folders: list[Path]) -> dict[Path, Path]:
    """Output subfolder of each input folder; several folders are told apart by their names."""
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


def _excluded(photo: InputPhoto, patterns: tuple[str, ...]) -> bool:
    """Whether a pattern matches the photo's name, its path, or a folder above it."""
    names = [photo.relative.as_posix(), *photo.relative.parts]
    names += [folder.as_posix() for folder in photo.relative.parents]
    return any(fnmatchcase(name, one.rstrip("/")) for name in names for one in patterns)


def _chosen(photos: list[InputPhoto], pairs: RawPairs) -> list[InputPhoto]:
    """Of each RAW with a camera's JPEG or HEIC of the same name beside it, keep one."""
    if pairs == "both":
        return photos
    raws = {_stem(one) for one in photos if is_raw(one.path)}
    both = raws & {_stem(one) for one in photos if _is_camera_jpeg(one.path)}
    left_out = _is_camera_jpeg if pairs == "raw" else is_raw
    return [one for one in photos if _stem(one) not in both or not left_out(one.path)]


def _is_camera_jpeg(path: Path) -> bool:
    return path.suffix.lower() in JPEG | HEIF


def _stem(photo: InputPhoto) -> tuple[Path, str]:
    return photo.path.parent, photo.path.stem.casefold()

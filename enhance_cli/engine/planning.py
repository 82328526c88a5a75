"""Which photo goes where, settled before the first is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from enhance_cli.config import ApplyConfig
from enhance_cli.errors import UsageError
from enhance_cli.imaging.formats import BITMAPS, photos_below


@dataclass(frozen=True)
class PlannedPhoto:
    """One photo and the path of its result."""

    input: Path
    output: Path


@dataclass(frozen=True)
class Plan:
    """All photos of a run.

    Attributes:
        photos: In the order in which they are worked through.
        warnings: Folders that could not be read.
    """

    photos: tuple[PlannedPhoto, ...]
    warnings: tuple[str, ...] = ()


def make_plan(config: ApplyConfig) -> Plan:
    """Find all photos and settle where each result goes.

    A folder's tree is mirrored under ``out``; where several folders are given, each under its own
    name. A RAW's result is a JPEG. Two results never share a path, in upper or lower case: beside
    ``a.jpg``, the result of ``a.nef`` is ``a.nef.jpg``.

    Raises:
        UsageError: An input is missing, there is no photo, or a result would replace an input.
    """
    found, warnings = _find_photos(config)
    if not found:
        looked_in = ", ".join(str(path) for path in config.inputs)
        raise UsageError(
            f"{looked_in}: no photo found; JPEG, PNG, TIFF, WebP, AVIF and camera RAW are read"
        )
    names = _result_names([relative for _, relative in found])
    photos = [
        PlannedPhoto(source, config.out / name)
        for (source, _), name in zip(found, names, strict=True)
    ]
    _refuse_replacing_inputs(photos)
    return Plan(tuple(photos), tuple(warnings))


def _find_photos(config: ApplyConfig) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Every photo with its path under ``out``, each file once."""
    folders = [path for path in config.inputs if path.is_dir()]
    prefixes = _prefixes(folders)
    out = config.out.resolve()
    found: list[tuple[Path, Path]] = []
    warnings: list[str] = []
    seen: set[Path] = set()
    for given in config.inputs:
        if given.is_dir():
            photos = photos_below(given, out, warnings)
            candidates = [(path, prefixes[given] / path.relative_to(given)) for path in photos]
        elif given.is_file():
            candidates = [(given, Path(given.name))]
        else:
            raise UsageError(f"{given}: no such file or folder")
        for path, relative in candidates:
            if path.resolve() not in seen:
                seen.add(path.resolve())
                found.append((path, relative))
    return found, warnings


def _prefixes(folders: list[Path]) -> dict[Path, Path]:
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


def _result_names(relatives: list[Path]) -> list[Path]:
    """A path of its own for each result; those that can keep their names choose first."""
    taken: set[str] = set()
    names: dict[int, Path] = {}
    order = sorted(range(len(relatives)), key=lambda i: relatives[i].suffix.lower() not in BITMAPS)
    for i in order:
        names[i] = _free_name(relatives[i], taken)
        taken.add(_folded(names[i]))
    return [names[i] for i in range(len(relatives))]


def _free_name(relative: Path, taken: set[str]) -> Path:
    if relative.suffix.lower() in BITMAPS:
        wanted = relative
    else:
        wanted = relative.with_suffix(".jpg")
        if _folded(wanted) in taken:
            wanted = relative.with_name(relative.name + ".jpg")
    number, free = 1, wanted
    while _folded(free) in taken:
        number += 1
        free = wanted.with_stem(f"{wanted.stem}-{number}")
    return free


def _folded(path: Path) -> str:
    """What a file system that does not tell upper from lower case sees."""
    return str(path).casefold()


def _refuse_replacing_inputs(photos: list[PlannedPhoto]) -> None:
    inputs = {photo.input.resolve() for photo in photos}
    for photo in photos:
        if photo.output.resolve() in inputs:
            raise UsageError(
                f"--out would replace the original {photo.output}; "
                "choose a folder that does not hold the photos"
            )

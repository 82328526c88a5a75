"""Finding pairs of originals and expert versions in folders."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from enhance_cli.atomic_write import why_missing
from enhance_cli.errors import NoPairsError, PairsError
from enhance_cli.imaging.codecs.formats import photos_below
from enhance_cli.run_records import EarlierResults

ORIGINAL_FOLDERS = ("input", "original", "before")
EXPERT_FOLDERS = ("expertC", "expert", "target", "output", "after", "taught")

LIST = "list.csv"
"""Optional file beside the two folders that names the photo of each version."""

_FIVEK_ID = re.compile(r"^a\d{4}(?!\d)")


@dataclass(frozen=True)
class Pair:
    """An original and the expert's version of it.

    Attributes:
        key: Identifier that does not depend on where the files are: the ``aNNNN`` id of a photo of
            MIT-Adobe FiveK, or folder and name of any other.
        original: The photo before retouching. None if there is none; training then distorts the
            expert's version instead.
        expert: The photo after retouching.
        photo: Name of the photo of which this pair is one of several versions, or None; see
            :func:`find_pairs`.
    """

    key: str
    original: Path | None
    expert: Path
    photo: str | None = None


@dataclass(frozen=True)
class BadPair:
    """A pair that cannot be used.

    Attributes:
        key: Identifier of the pair, or a file name.
        reason: What is wrong with it, in one line.
    """

    key: str
    reason: str


@dataclass(frozen=True)
class Found:
    """The pairs of a folder.

    Attributes:
        root: The folder.
        layout: Description of how its files are organised.
        pairs: The complete pairs, sorted by key.
        bad: Pairs that are incomplete or ambiguous.
        results: Number of results of ``enhance apply`` among the photos, which are left out.
    """

    root: Path
    layout: str
    pairs: tuple[Pair, ...]
    bad: tuple[BadPair, ...] = ()
    results: int = 0


def find_pairs(root: Path) -> Found:
    """Find the pairs in a folder of photos before and after retouching.

    Args:
        root: Folder with one subfolder of originals and one of retouched versions. The two files
            of a pair have equal names; suffixes may differ, and subfolders are searched. An
            optional ``list.csv`` with the columns ``file`` and ``source`` lists which pairs are
            versions of one photo.

    Raises:
        PairsError: A folder is missing or contains no photos, or ``list.csv`` cannot be read.
    """
    existing_folder(root)
    before, after = _subfolder(root, ORIGINAL_FOLDERS), _subfolder(root, EXPERT_FOLDERS)
    results: list[Path] = []
    pairs, bad = matched(
        *(
            by_name(side, lambda path, side=side: pair_key(_name(path, side), root), None, results)
            for side in (before, after)
        )
    )
    if not pairs and not bad:
        raise NoPairsError(f"{root}: no photos in {before.name}/ and {after.name}/")
    sources = _sources(root / LIST)
    pairs = tuple(replace(pair, photo=sources.get(_name(pair.expert, after))) for pair in pairs)
    return Found(root, f"{before.name}/ and {after.name}/", pairs, bad, len(results))


def _sources(path: Path) -> dict[str, str]:
    """Read ``list.csv``: the photo of each version, by the version's name without suffix."""
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
            named = {row["file"]: str.strip(row["source"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as problem:
        raise PairsError(f"{path}: needs the columns file and source ({problem!r})") from problem
    return {Path(name).with_suffix("").as_posix(): photo for name, photo in named.items() if photo}


def find_finished_photos(root: Path) -> Found:
    """Find finished photos, which training distorts to get originals.

    Raises:
        PairsError: The folder is missing, or contains no photos.
    """
    existing_folder(root)
    photos, results = _photos(root)
    # Keys include the suffix, since a.jpg and a.png may be two photos.
    pairs = tuple(
        Pair(pair_key(path.relative_to(root).as_posix(), root), None, path) for path in photos
    )
    if not pairs:
        only = "only results of enhance apply" if results else "no photos"
        raise NoPairsError(f"{root}: {only} in this folder; give a folder of finished photos")
    return Found(root, "finished photos", pairs, results=len(results))


def _photos(folder: Path) -> tuple[list[Path], list[Path]]:
    """The photos below a folder, and the results of earlier runs among them, which are none."""
    walked: list[Path] = []
    found = list(photos_below(folder, walked=walked))
    earlier = EarlierResults(folder, walked)
    results = [path for path in found if earlier.include(path)]
    left_out = set(results)
    return [path for path in found if path not in left_out], results


def pair_key(name: str, root: Path | None = None) -> str:
    """Return the key of a file: its FiveK id, or else the name of ``root`` and its own name.

    Args:
        name: Name or path of the file, relative to ``root``.
        root: Folder of the pairs; None leaves its name out.
    """
    identity = fivek_id(name)
    if identity:
        return identity
    return f"{root.resolve().name}/{name}" if root else name


def fivek_id(name: str) -> str | None:
    """Return the ``aNNNN`` id with which a file's name begins, or None."""
    found = _FIVEK_ID.match(Path(name).name)
    return found.group() if found else None


def existing_folder(root: Path) -> None:
    """Raise a PairsError unless ``root`` is a folder that can be read."""
    if not os.path.isdir(root):  # noqa: PTH112
        raise NoPairsError(
            f"{root}: {why_missing(root, 'no such folder')}; give the folder that holds the photos"
        )
    if not os.access(root, os.R_OK | os.X_OK):
        raise PairsError(f"{root}: folder cannot be read; change its permissions")


def first_folder(*folders: Path) -> Path | None:
    """Return the first of these folders that exists, or None."""
    return next((folder for folder in folders if os.path.isdir(folder)), None)  # noqa: PTH112


def by_name(
    folder: Path,
    key_of: Callable[[Path], str | None],
    only: Iterable[str] | None = None,
    results: list[Path] | None = None,
) -> dict[str, list[Path]]:
    """Group the photos below a folder by key; results of earlier runs among them are left out.

    Args:
        folder: The folder; subfolders are searched.
        key_of: Returns the key of a file, or None to use the file's name.
        only: Suffixes to include, in lower case; None includes all photo formats.
        results: Gets the results that are left out.
    """
    found: dict[str, list[Path]] = {}
    photos, left_out = _photos(folder)
    if results is not None:
        results += left_out
    for path in photos:
        if only is None or path.suffix.lower() in only:
            found.setdefault(key_of(path) or path.name, []).append(path)
    return found


def matched(
    originals: dict[str, list[Path]], experts: dict[str, list[Path]]
) -> tuple[tuple[Pair, ...], tuple[BadPair, ...]]:
    """Match originals and expert versions by key.

    Returns:
        The complete pairs, and those with a missing or duplicate photo; both sorted by key.
    """
    pairs: list[Pair] = []
    bad: list[BadPair] = []
    for key in sorted(originals.keys() | experts.keys()):
        before, after = originals.get(key, []), experts.get(key, [])
        if len(before) == len(after) == 1:
            pairs.append(Pair(key, before[0], after[0]))
        else:
            bad.append(BadPair(key, _mismatch(before, after)))
    return tuple(pairs), tuple(bad)


def _mismatch(before: list[Path], after: list[Path]) -> str:
    if not after:
        return f"{before[0]} has no expert's version"
    if not before:
        return f"{after[0]} has no original"
    duplicates = before if len(before) > 1 else after
    return f"duplicate id: {duplicates[0]} and {duplicates[1]}"


def _subfolder(root: Path, names: tuple[str, ...]) -> Path:
    found = first_folder(*(root / name for name in names))
    if found is not None:
        return found
    raise NoPairsError(
        f"{root}: needs one of the folders {', '.join(ORIGINAL_FOLDERS)} beside "
        f"one of {', '.join(EXPERT_FOLDERS)}, with equal file names in both"
    )


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()

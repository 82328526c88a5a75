"""Pairs of an original and an expert's version of it, as they lie on disk."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from enhance_cli.errors import PairsError
from enhance_cli.imaging.codecs.formats import photos_below

ORIGINAL_FOLDERS = ("input", "original", "before")
EXPERT_FOLDERS = ("expertC", "expert", "target", "output", "after", "taught")

LIST = "list.csv"

_FIVEK_ID = re.compile(r"^a\d{4}(?!\d)")


@dataclass(frozen=True)
class Pair:
    """One original with the expert's version of it.

    Attributes:
        key: What identifies the pair wherever it lies: its ``aNNNN`` id where it is one of
            MIT-Adobe FiveK's, else its folder and name.
        original: The photo before retouching; None where there is none, and the original is to be
            made from the expert's version by distorting it.
        expert: The photo after retouching.
        photo: Which photo this is a version of, where there are several; see :func:`find_pairs`.
    """

    key: str
    original: Path | None
    expert: Path
    photo: str | None = None


@dataclass(frozen=True)
class BadPair:
    """A pair that cannot be learned from or scored on, and why, in one line."""

    key: str
    reason: str


@dataclass(frozen=True)
class Found:
    """What a folder holds.

    Attributes:
        root: The folder.
        layout: How its files lie, in words.
        pairs: Sorted by key.
        bad: Pairs that are not complete, or there more than once.
    """

    root: Path
    layout: str
    pairs: tuple[Pair, ...]
    bad: tuple[BadPair, ...] = ()


def find_pairs(root: Path) -> Found:
    """Find the pairs of anyone's folder of photos before and after retouching.

    Args:
        root: Holds one folder of originals and one of retouched versions, under equal names; the
            suffixes may differ, and there may be folders within. A ``list.csv`` beside them, with
            the columns ``file`` and ``source``, may say which pairs are versions of one photo.

    Raises:
        PairsError: A folder is missing, or holds no photo.
    """
    existing_folder(root)
    before, after = _subfolder(root, ORIGINAL_FOLDERS), _subfolder(root, EXPERT_FOLDERS)
    pairs, bad = matched(
        by_name(before, lambda path: pair_key(_name(path, before), root)),
        by_name(after, lambda path: pair_key(_name(path, after), root)),
    )
    if not pairs and not bad:
        raise PairsError(f"{root}: not a single photo in {before.name}/ and {after.name}/")
    sources = _sources(root / LIST)
    pairs = tuple(replace(pair, photo=sources.get(_name(pair.expert, after))) for pair in pairs)
    return Found(root, f"{before.name}/ and {after.name}/", pairs, bad)


def _sources(path: Path) -> dict[str, str]:
    """The photo that each pair, by its name without suffix, is a version of."""
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
    """Find finished photos, whose originals are to be made by distorting them.

    Raises:
        PairsError: The folder is missing, or holds no photo.
    """
    existing_folder(root)
    photos = photos_below(root)
    # With the suffix, since a.jpg and a.png may be two photos.
    pairs = tuple(
        Pair(pair_key(path.relative_to(root).as_posix(), root), None, path) for path in photos
    )
    if not pairs:
        raise PairsError(f"{root}: not a single photo in it; give a folder of finished photos")
    return Found(root, "finished photos", pairs)


def pair_key(name: str, root: Path | None = None) -> str:
    """Return the FiveK id that the file's name begins with, or the folder's name and ``name``."""
    identity = fivek_id(name)
    if identity:
        return identity
    return f"{root.resolve().name}/{name}" if root else name


def fivek_id(name: str) -> str | None:
    """The ``aNNNN`` id that a file's name begins with."""
    found = _FIVEK_ID.match(Path(name).name)
    return found.group() if found else None


def existing_folder(root: Path) -> None:
    """Raise a PairsError unless ``root`` is a folder."""
    if not root.is_dir():
        raise PairsError(f"{root}: no such folder; give the folder that holds the photos")


def first_folder(*folders: Path) -> Path | None:
    """The first of these that is there."""
    return next((folder for folder in folders if folder.is_dir()), None)


def by_name(
    folder: Path, key_of: Callable[[Path], str | None], only: Iterable[str] | None = None
) -> dict[str, list[Path]]:
    """Sort the photos below a folder by their key; those without one are under their own name.

    Args:
        folder: Where they are.
        key_of: Gives the key of a file.
        only: Suffixes that count, in lower case; None for every photo.
    """
    found: dict[str, list[Path]] = {}
    for path in photos_below(folder):
        if only is None or path.suffix.lower() in only:
            found.setdefault(key_of(path) or path.name, []).append(path)
    return found


def matched(
    originals: dict[str, list[Path]], experts: dict[str, list[Path]]
) -> tuple[tuple[Pair, ...], tuple[BadPair, ...]]:
    """Put originals and expert versions of the same key together.

    Returns:
        The pairs, and the keys that have no partner or several.
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
    doubled = before if len(before) > 1 else after
    return f"duplicate id: {doubled[0]} and {doubled[1]}"


def _subfolder(root: Path, names: tuple[str, ...]) -> Path:
    found = first_folder(*(root / name for name in names))
    if found is not None:
        return found
    raise PairsError(
        f"{root}: needs one of the folders {', '.join(ORIGINAL_FOLDERS)} beside "
        f"one of {', '.join(EXPERT_FOLDERS)}, with equal file names in both"
    )


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()

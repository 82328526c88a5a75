"""Pairs of an original and an expert's version of it, as they lie on disk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from enhance_cli.errors import PairsError
from enhance_cli.imaging.formats import is_photo

ORIGINAL_FOLDERS = ("input", "original", "before")
EXPERT_FOLDERS = ("expertC", "expert", "target", "output", "after", "taught")

_FIVEK_ID = re.compile(r"^a\d{4}(?!\d)")


@dataclass(frozen=True)
class Pair:
    """One original with the expert's version of it.

    Attributes:
        key: What identifies the pair wherever it lies: its ``aNNNN`` id where it is one of
            MIT-Adobe FiveK's, else its folder and name.
        original: The photo before retouching.
        expert: The photo after retouching.
    """

    key: str
    original: Path
    expert: Path


def find_pairs(root: Path) -> list[Pair]:
    """Find the pairs of a folder, sorted by name.

    Args:
        root: Holds one folder of originals and one of expert versions, with equal names; the
            suffixes may differ.

    Raises:
        PairsError: A folder is missing or empty, or a photo has no partner.
    """
    if not root.is_dir():
        raise PairsError(f"{root}: no such folder; give the folder that holds the pairs")
    originals = _photos_by_name(_subfolder(root, ORIGINAL_FOLDERS))
    experts = _photos_by_name(_subfolder(root, EXPERT_FOLDERS))
    if not originals:
        raise PairsError(f"{root}: not a single photo in its folder of originals")
    alone = sorted(originals.keys() ^ experts.keys())
    if alone:
        raise PairsError(
            f"{root}: {len(alone)} photos have no partner of the same name, "
            f"the first is {alone[0]!r}; complete or remove them"
        )
    return [
        Pair(pair_key(name, root), originals[name], experts[name]) for name in sorted(originals)
    ]


def pair_key(name: str, root: Path | None = None) -> str:
    """Return the FiveK id that ``name`` begins with, or the folder's name and ``name``."""
    found = _FIVEK_ID.match(name)
    if found:
        return found.group()
    return f"{root.resolve().name}/{name}" if root else name


def _subfolder(root: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise PairsError(
        f"{root}: needs one of the folders {', '.join(ORIGINAL_FOLDERS)} beside "
        f"one of {', '.join(EXPERT_FOLDERS)}, with equal file names in both"
    )


def _photos_by_name(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if not is_photo(path):
            continue
        if path.stem in found:
            raise PairsError(f"{path}: the name is there twice, as {found[path.stem].name} too")
        found[path.stem] = path
    return found

"""MIT-Adobe FiveK in every layout in which it is distributed, keyed by ``aNNNN`` id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from enhance_cli.config.data import Expert
from enhance_cli.data.pairs import (
    BadPair,
    Found,
    by_name,
    existing_folder,
    first_folder,
    fivek_id,
    matched,
)
from enhance_cli.errors import NoPairsError
from enhance_cli.imaging.codecs.formats import JPEG, RAW, TIFF

PHOTOS = 5000
"""Number of photos in the data set."""

Photos = dict[str, list[Path]]
"""Photos by key. More than one photo of a key is an error that is reported later."""


class _Contents(NamedTuple):
    """The contents of a copy.

    Attributes:
        originals: Originals by id.
        experts: The expert's versions by id.
        expert_folder: Name of the expert's folder.
        listed: Ids in the copy's own list files, if it has any.
    """

    originals: Photos
    experts: Photos
    expert_folder: str
    listed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Layout:
    """A layout in which FiveK is distributed.

    Attributes:
        name: Name of the layout, for messages.
        sketch: Example paths, for the message that lists the known layouts.
        read: Returns the contents of a folder, or None if it has another layout.
    """

    name: str
    sketch: str
    read: Callable[[Path, Expert], _Contents | None]


def find_fivek(root: Path, expert: Expert = "c") -> Found:
    """Detect the layout of a copy of MIT-Adobe FiveK, and list its pairs.

    Args:
        root: Folder of the copy, or its parent.
        expert: Expert whose versions to use.

    Raises:
        NoPairsError: The folder is missing, or its layout is unknown.
    """
    existing_folder(root)
    for base in _bases(root):
        for layout in _LAYOUTS:
            contents = layout.read(base, expert)
            if contents and any(map(fivek_id, contents.originals)):
                return _collected(root, layout.name, expert, contents)
    known = "; ".join(f"{layout.name}: {layout.sketch}" for layout in _LAYOUTS)
    raise NoPairsError(
        f"{root}: no pairs of MIT-Adobe FiveK with expert {expert.upper()}; known layouts are "
        f"{known} (X is the expert's letter). For your own photos give --pairs DIR"
    )


def _bases(root: Path) -> Iterator[Path]:
    yield root
    yield from sorted(path for path in root.iterdir() if path.is_dir())


def _collected(root: Path, layout: str, expert: Expert, contents: _Contents) -> Found:
    originals, experts, folder, listed = contents
    unknown = {key for key in originals.keys() | experts.keys() if not fivek_id(key)}
    pairs, unmatched = matched(_without(originals, unknown), _without(experts, unknown))
    missing = listed - originals.keys() - experts.keys()
    bad = [
        *unmatched,
        *(BadPair(key, "its name has no id of MIT-Adobe FiveK") for key in unknown),
        *(BadPair(key, "is in the copy's own list, but has no files") for key in missing),
    ]
    return Found(
        root,
        f"MIT-Adobe FiveK, {layout}, expert {expert.upper()} from {folder}/",
        pairs,
        tuple(sorted(bad, key=lambda pair: pair.key)),
    )


def _official(base: Path, expert: Expert) -> _Contents | None:
    folder = base / "raw_photos"
    experts = first_folder(
        *(place / f"tiff16_{expert}" for place in (base, folder, base.parent)),
        *sorted(base.glob(f"*/tiff16_{expert}")),
    )
    if not folder.is_dir() or experts is None:
        return None
    return _Contents(_photos(folder, RAW), _photos(experts, TIFF), experts.name)


def _downloaded(base: Path, expert: Expert) -> _Contents | None:
    named = base / "MITAboveFiveK"
    top = named if named.is_dir() else base
    folder, experts = top / "raw", top / "processed" / f"tiff16_{expert}"
    if not folder.is_dir() or not experts.is_dir():
        return None
    return _Contents(_photos(folder, RAW), _photos(experts, TIFF), experts.name)


def _480p(base: Path, expert: Expert) -> _Contents | None:
    folder = base / "input" / "JPG" / "480p"
    experts = base / f"expert{expert.upper()}" / "JPG" / "480p"
    if not folder.is_dir() or not experts.is_dir():
        return None
    listed: set[str] = set()
    for name in ("train.txt", "train_input.txt", "train_label.txt", "test.txt"):
        if (base / name).is_file():
            lines = (base / name).read_text(encoding="utf-8", errors="replace").splitlines()
            listed |= {found for line in lines if (found := fivek_id(line.strip()))}
    return _Contents(
        _photos(folder, JPEG), _photos(experts, JPEG), f"expert{expert.upper()}", frozenset(listed)
    )


def _random250(base: Path, expert: Expert) -> _Contents | None:
    # The release numbers the 5,000 photos from 1: C/test/raw/000017.jpg is a0017.
    named = base / expert.upper()
    top = named if named.is_dir() else base
    parts = [top / part for part in ("train", "test") if (top / part / "raw").is_dir()]
    parts = [part for part in parts if (part / "target").is_dir()]
    if not parts or (top is base and base.name != expert.upper()):
        return None
    originals: Photos = {}
    experts: Photos = {}
    for part in parts:
        for photos, folder in ((originals, part / "raw"), (experts, part / "target")):
            for key, paths in by_name(folder, _numbered).items():
                photos.setdefault(key, []).extend(paths)
    return _Contents(originals, experts, top.name)


def _exported(base: Path, expert: Expert) -> _Contents | None:
    letter = expert.upper()
    experts = first_folder(
        *(base / name for name in (letter, f"expert{letter}", "output", "target"))
    )
    if not (base / "input").is_dir() or experts is None:
        return None
    return _Contents(_photos(base / "input"), _photos(experts), experts.name)


_LAYOUTS = (
    _Layout(
        "official archive",
        "raw_photos/HQa*/photos/a0001-*.dng with tiff16_X/a0001-*.tif",
        _official,
    ),
    _Layout(
        "downloader's tree",
        "MITAboveFiveK/raw/<camera>/a0001-*.dng with MITAboveFiveK/processed/tiff16_X/a0001-*.tif",
        _downloaded,
    ),
    _Layout(
        "480p set", "input/JPG/480p/a0001-*.jpg with expertX/JPG/480p/a0001-*.jpg", _480p
    ),
    _Layout(
        "RANDOM250 release",
        "X/train/raw/000001.jpg with X/train/target/000001.jpg, and X/test likewise",
        _random250,
    ),
    _Layout(
        "Lightroom exports",
        "input/a0001-*.* with X/, expertX/, output/ or target/",
        _exported,
    ),
)  # fmt: skip


def _photos(folder: Path, only: frozenset[str] | None = None) -> Photos:
    return by_name(folder, lambda path: fivek_id(path.name), only)


def _without(photos: Photos, keys: set[str]) -> Photos:
    return {key: paths for key, paths in photos.items() if key not in keys}


def _numbered(path: Path) -> str | None:
    if path.stem.isdecimal() and 1 <= int(path.stem) <= PHOTOS:
        return f"a{int(path.stem):04d}"
    return None

"""Splits: the photos that are held out from training, for scoring."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from enhance_cli.config.data import SourceKind
from enhance_cli.config.settings import did_you_mean
from enhance_cli.data.pairs import Pair, pair_key
from enhance_cli.errors import NoPairsError

NAMED_SPLITS = {
    "random250": "the 250 photos of MIT-Adobe FiveK on which the paper scores (section 3.1)",
    "highvar50": "the 50 photos of high variance of Hwang et al. (2012)",
    "validation50": "every fifth of random250, held out when the shipped weights were made",
    "unseen28": "the photos of random250 that the published LUT systems were not trained on",
}


ALL = "all"
"""The split of a run that scores all pairs."""


def scored_keys(split: str | None, kind: SourceKind) -> frozenset[str] | None:
    """Read the keys of the photos of a source that a run scores.

    Args:
        split: As for :func:`held_out_keys`, or ``"all"``; None is the paper's split of FiveK, and
            all pairs of other folders.
        kind: Kind of the source.

    Returns:
        The keys, or None for all.

    Raises:
        NoPairsError: As :func:`held_out_keys`.
    """
    if split is None:
        return held_out_keys("random250") if kind == "fivek" else None
    return None if split == ALL else held_out_keys(split)


def held_out_keys(split: str) -> frozenset[str]:
    """Read the keys of the photos that a split holds out.

    Args:
        split: One of ``NAMED_SPLITS``, or a text file with one file name or id on each line. Blank
            lines and lines that begin with ``#`` are ignored. Several, separated by commas, hold
            out the photos of all of them.

    Raises:
        NoPairsError: There is no such split or file, or the file lists no photos.
    """
    return frozenset().union(*(_keys_of(name.strip()) for name in split.split(",")))


def _keys_of(split: str) -> frozenset[str]:
    if split in NAMED_SPLITS:
        text = (files("enhance_cli.data") / "held_out" / f"{split}.txt").read_text(encoding="utf-8")
    else:
        text = _read_split_file(Path(split))
    lines = (line.strip() for line in text.splitlines())
    keys = frozenset(pair_key(line) for line in lines if line and not line.startswith("#"))
    if not keys:
        raise NoPairsError(f"{split}: names no photo; put one file name or id on each line")
    return keys


def divide(pairs: Iterable[Pair], keys: frozenset[str] | None) -> tuple[list[Pair], list[Pair]]:
    """Divide pairs into training pairs and held-out pairs.

    Args:
        pairs: The pairs.
        keys: Keys of the pairs to hold out, or file names with or without suffix; None for all.

    Returns:
        The training pairs and the held-out pairs, both in the order of ``pairs``.
    """
    train: list[Pair] = []
    held_out: list[Pair] = []
    for pair in pairs:
        photo = pair.original or pair.expert
        names = {pair.key, photo.name, photo.stem}
        (held_out if keys is None or names & keys else train).append(pair)
    return train, held_out


def _read_split_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        guess = did_you_mean(str(path), NAMED_SPLITS)
        raise NoPairsError(
            f"{path}: neither a text file of ids nor a known split ({', '.join(NAMED_SPLITS)})"
            f"{f'; {guess}' if guess else ''}"
        ) from problem

"""Finds, checks and renders all pairs of a run, and divides them into training and held-out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_cache_path

from enhance_cli.config.data import DataConfig, Source, SourceKind
from enhance_cli.config.model import LONG_EDGE
from enhance_cli.data.fivek import find_fivek
from enhance_cli.data.pair_cache import MEMORY, PairCache, RenderProgress
from enhance_cli.data.pairs import BadPair, Found, Pair, find_finished_photos, find_pairs
from enhance_cli.data.splits import divide, held_out_keys, scored_keys
from enhance_cli.errors import NoPairsError, PairsError, UsageError

MAX_LISTED = 5
"""Number of bad pairs that an error lists one by one."""


class PairCollection:
    """The training pairs and held-out pairs of a run.

    Args:
        config: Sources and split.
        long_edge: Longer edge, in pixels, at which pairs are rendered.
        training: Whether training pairs are collected; False is for runs that only score.
        readers: Number of processes on this machine that keep pixels in memory. They share the
            memory of the cache.
        part: Number of this process, and of all processes that render the same pairs. They share
            the work.

    Attributes:
        config: Sources and split.
        found: The pairs of each source.
        cache: Cache that provides the pixels of the pairs.
        train: The training pairs.
        repeats: For each training pair, how often it comes up in an epoch.
        held_out: The pairs to score on, without duplicates.
        missing: Pairs that have not been rendered yet.
        bad: Pairs that are skipped.

    Raises:
        UsageError: There are no sources, or another expert than C is asked for without FiveK.
        PairsError: A source has no pairs or bad ones, the split does not exist, or no pairs are
            left.
    """

    def __init__(
        self,
        config: DataConfig,
        long_edge: int = LONG_EDGE,
        training: bool = True,
        readers: int = 1,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        if not config.sources:
            options = "--fivek-root DIR, --pairs DIR or --photos DIR"
            if not training:  # finished photos have nothing to be compared with
                options = "--fivek-root DIR or --pairs DIR"
            raise UsageError(f"no photos: give {options}")
        fivek = any(source.kind == "fivek" for source in config.sources)
        if config.expert != DataConfig.expert and not fivek:
            raise UsageError("--expert has no effect without --fivek-root; leave it out")
        self.config = config
        self._training = training
        self.cache = PairCache(
            _cache_folder(config.cache_dir), long_edge, MEMORY // max(1, readers)
        )
        held_out_keys_of = [self._held_out_keys(source.kind) for source in config.sources]
        self.found = [_find(source, config) for source in config.sources]
        self.bad = [bad for found in self.found for bad in found.bad]
        self.check(self.bad)
        self.train: list[Pair] = []
        self.repeats: list[float] = []
        held_out: list[Pair] = []
        for source, found, keys in zip(config.sources, self.found, held_out_keys_of, strict=True):
            train, scored = divide(found.pairs, keys)
            if self._training:
                self.train += train
                self.repeats += [source.repeats] * len(train)
            held_out += [pair for pair in scored if pair.original is not None]
        self.held_out = list(dict.fromkeys(held_out))
        self._check_use()
        self.missing = _own_part_first(self.cache.missing([*self.train, *self.held_out]), *part)

    def _held_out_keys(self, kind: SourceKind) -> frozenset[str] | None:
        """Keys of the photos of a source to hold out or to score; None for all."""
        split = self.config.split
        if not self._training:
            return scored_keys(split, kind)
        return held_out_keys(split) if split else frozenset()

    def render_missing(self) -> Iterator[RenderProgress]:
        """Render the pairs that have not been rendered yet.

        Raises:
            PairsError: Pairs do not match, and ``skip_bad_pairs`` is not set.
            OutputError: The disk is full.
        """
        if not self.missing:
            return
        self.cache.check_room(self.missing)
        bad: dict[Pair, BadPair] = {}
        for progress in self.cache.render(self.missing):
            if progress.bad:
                bad[progress.pair] = progress.bad
            yield progress
        self.check(list(bad.values()))
        self._drop(bad)
        self.missing = []

    def check(self, bad: list[BadPair]) -> None:
        """Refuse bad pairs unless ``skip_bad_pairs`` is set.

        Raises:
            PairsError: It is not set. The message lists the first bad pairs.
        """
        if bad and not self.config.skip_bad_pairs:
            listed = "; ".join(f"{pair.key}: {pair.reason}" for pair in bad[:MAX_LISTED])
            more = f"; and {len(bad) - MAX_LISTED} more" if len(bad) > MAX_LISTED else ""
            raise PairsError(
                f"{_counted(len(bad))}: {listed}{more}; "
                "fix them, or skip them with --skip-bad-pairs"
            )

    def _drop(self, bad: dict[Pair, BadPair]) -> None:
        self.bad += bad.values()
        repeated = zip(self.train, self.repeats, strict=True)
        kept = [(pair, repeats) for pair, repeats in repeated if pair not in bad]
        self.train, self.repeats = [pair for pair, _ in kept], [repeats for _, repeats in kept]
        self.held_out = [pair for pair in self.held_out if pair not in bad]
        self._check_use()

    def _check_use(self) -> None:
        if self.train if self._training else self.held_out:
            return
        where = ", ".join(str(found.root) for found in self.found)
        total = sum(len(found.pairs) for found in self.found)
        if self.bad and not total:
            raise NoPairsError(f"{where}: no photo is in both folders, under the same name")
        if self.bad and self._training:
            raise PairsError(f"{where}: none of the {total} pairs can be used")
        if self._training:
            raise NoPairsError(
                f"{where}: the split {self.config.split} holds out all of the {total} pairs; "
                "choose another --split, or --split none"
            )
        raise NoPairsError(
            f"{where}: none of the {total} pairs is in the split "
            f"{self.config.split or 'random250'}; choose another --split, or --split all"
        )


def _own_part_first(pairs: list[Pair], number: int, count: int) -> list[Pair]:
    """Each process renders its part, and then helps the others in an order of its own."""
    own, others = (
        pairs[number::count],
        [pair for i, pair in enumerate(pairs) if i % count != number],
    )
    random.Random(number).shuffle(others)
    return own + others


def _find(source: Source, config: DataConfig) -> Found:
    if source.kind == "fivek":
        return find_fivek(source.path, config.expert)
    return find_pairs(source.path) if source.kind == "pairs" else find_finished_photos(source.path)


def _cache_folder(chosen: Path | None) -> Path:
    return chosen or user_cache_path("enhance", appauthor=False) / "pairs"


def _counted(bad: int) -> str:
    return "1 bad pair" if bad == 1 else f"{bad} bad pairs"

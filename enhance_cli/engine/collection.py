"""All the pairs of a run: found, checked, prepared, and divided into learnt and held out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_cache_path

from enhance_cli.config import LONG_EDGE, DataConfig, Source
from enhance_cli.data.fivek import find_fivek
from enhance_cli.data.pairs import BadPair, Found, Pair, find_pairs, find_photos
from enhance_cli.data.prepared import MEMORY, PreparedPairs, Progress
from enhance_cli.data.splits import divide, held_out_keys
from enhance_cli.errors import PairsError, UsageError

NAMED = 5
"""Bad pairs that an error names one by one."""


class Collection:
    """The pairs of a run.

    Args:
        config: Where they are.
        long_edge: Longer edge, in pixels, at which they are prepared.
        learning: False leaves out what is not held out, for a run that only scores.
        readers: Processes of this machine that will keep pixels in memory.

    Attributes:
        found: What each source holds.
        store: Their pixels.
        learnt: Pairs to learn from.
        weights: How often each of them comes up in an epoch.
        held_out: Pairs to score on, each once.
        missing: Pairs that are to be prepared first.
        bad: Pairs that are passed over.

    Raises:
        EnhanceError: There are no sources, a source holds no pair or bad ones, there is no such
            split, or it leaves nothing to do.
    """

    def __init__(
        self,
        config: DataConfig,
        long_edge: int = LONG_EDGE,
        learning: bool = True,
        readers: int = 1,
    ) -> None:
        if not config.sources:
            raise UsageError("no photos: give --fivek-root DIR, --pairs DIR or --photos DIR")
        self.config = config
        self.learning = learning
        self.store = PreparedPairs(
            _cache_folder(config.cache_dir), long_edge, MEMORY // max(1, readers)
        )
        keys = held_out_keys(config.split) if config.split else frozenset()
        self.found = [_find(source, config) for source in config.sources]
        self.bad = [bad for found in self.found for bad in found.bad]
        self.check(self.bad)
        self.learnt: list[Pair] = []
        self.weights: list[float] = []
        held_out: list[Pair] = []
        for source, found in zip(config.sources, self.found, strict=True):
            learnt, scored = divide(found.pairs, keys)
            if self.learning:
                self.learnt += learnt
                self.weights += [source.weight] * len(learnt)
            held_out += [pair for pair in scored if pair.original is not None]
        self.held_out = list(dict.fromkeys(held_out))
        self._check_use()
        self.missing = self.store.missing([*self.learnt, *self.held_out])

    def prepare(self) -> Iterator[Progress]:
        """Render what is not prepared yet.

        Raises:
            PairsError: Pairs do not belong together, and are not to be passed over.
            OutputError: The disk has no room.
        """
        if not self.missing:
            return
        self.store.check_room(self.missing)
        bad: dict[Pair, BadPair] = {}
        for progress in self.store.prepare(self.missing):
            if progress.bad:
                bad[progress.pair] = progress.bad
            yield progress
        self.check(list(bad.values()))
        self._drop(bad)
        self.missing = []

    def check(self, bad: list[BadPair]) -> None:
        """Raise a PairsError that names the bad pairs, unless they are to be passed over."""
        if bad and not self.config.skip_bad_pairs:
            named = "; ".join(f"{one.key}: {one.reason}" for one in bad[:NAMED])
            more = f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
            raise PairsError(
                f"{_counted(len(bad))}: {named}{more}; "
                "mend that, or go on without by --skip-bad-pairs"
            )

    def _drop(self, bad: dict[Pair, BadPair]) -> None:
        self.bad += bad.values()
        weighted = zip(self.learnt, self.weights, strict=True)
        kept = [(pair, weight) for pair, weight in weighted if pair not in bad]
        self.learnt, self.weights = [pair for pair, _ in kept], [weight for _, weight in kept]
        self.held_out = [pair for pair in self.held_out if pair not in bad]
        self._check_use()

    def _check_use(self) -> None:
        if self.learnt if self.learning else self.held_out:
            return
        where = ", ".join(str(found.root) for found in self.found)
        total = sum(len(found.pairs) for found in self.found)
        if self.bad and self.learning:
            raise PairsError(f"{where}: not one of the {total} pairs can be learned from")
        if self.learning:
            raise PairsError(
                f"{where}: the split {self.config.split} holds out all of the {total} pairs; "
                "choose another --split, or --split none"
            )
        raise PairsError(
            f"{where}: none of the {total} pairs is in split {self.config.split}; "
            "choose another --split"
        )


def _find(source: Source, config: DataConfig) -> Found:
    if source.kind == "fivek":
        return find_fivek(source.path, config.expert)
    return find_pairs(source.path) if source.kind == "pairs" else find_photos(source.path)


def _cache_folder(chosen: Path | None) -> Path:
    return chosen or user_cache_path("enhance", appauthor=False) / "pairs"


def _counted(bad: int) -> str:
    return "1 bad pair" if bad == 1 else f"{bad} bad pairs"

"""Score weights on held-out pairs, as tables 1 and 2 do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from enhance_cli.config import EvalConfig
from enhance_cli.data.dataset import load_pair
from enhance_cli.data.pairs import Pair, find_pairs
from enhance_cli.data.splits import divide, held_out_keys
from enhance_cli.engine.device import pick_device
from enhance_cli.engine.inference import enhance_pixels
from enhance_cli.engine.weights import Weights, find_weights, load_weights
from enhance_cli.errors import PairsError
from enhance_cli.imaging.metrics import Score, mean, score
from enhance_cli.models.cascade import Cascade

IDENTITY = "identity"


@dataclass(frozen=True)
class PhotoScore:
    """What one method reaches on one photo.

    Attributes:
        method: Row of the table.
        key: Of the pair.
        score: The figures.
        done: Photos scored so far, this one included.
        total: Photos to score.
    """

    method: str
    key: str
    score: Score
    done: int
    total: int


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        method: ``identity``, or the variant of the weights.
        score: Mean over the photos.
        photos: How many were scored.
        trained_on: How many of them the weights learned from.
        weights: The weights file; None for identity.
    """

    method: str
    score: Score
    photos: int
    trained_on: int = 0
    weights: str | None = None


class Evaluation:
    """One scoring run; iterate over it for progress, then read ``rows``.

    Args:
        config: What to score.

    Raises:
        EnhanceError: Pairs, split, weights or device cannot be had.
    """

    def __init__(self, config: EvalConfig) -> None:
        self.device = pick_device(config.device)
        self.weights = [
            load_weights(find_weights(path), self.device) for path in config.weights or (None,)
        ]
        pairs = find_pairs(config.fivek_root)
        _, self.pairs = divide(pairs, held_out_keys(config.split))
        if not self.pairs:
            raise PairsError(
                f"{config.fivek_root}: none of its {len(pairs)} pairs is in split {config.split}"
            )
        self.methods = _row_names(self.weights)
        self._scores: dict[str, list[Score]] = {name: [] for name in (IDENTITY, *self.methods)}

    def __iter__(self) -> Iterator[PhotoScore]:
        """Score every photo with every method.

        Raises:
            EnhanceError: A pair cannot be read.
        """
        long_edge = min(weights.model.config.long_edge for weights in self.weights)
        for done, pair in enumerate(self.pairs, start=1):
            original, expert = pair_pixels(pair, long_edge)
            results = {IDENTITY: original}
            for name, weights in zip(self.methods, self.weights, strict=True):
                results[name] = enhance_pixels(weights.model, original, self.device)
            for name, pixels in results.items():
                one = score(pixels, expert)
                self._scores[name].append(one)
                yield PhotoScore(name, pair.key, one, done, len(self.pairs))

    @property
    def rows(self) -> list[Row]:
        """The table, identity first; to be read after the run."""
        rows = [Row(IDENTITY, mean(self._scores[IDENTITY]), len(self._scores[IDENTITY]))]
        keys = {pair.key for pair in self.pairs}
        for name, weights in zip(self.methods, self.weights, strict=True):
            known = len(keys & set(weights.provenance.trained_on))
            scores = self._scores[name]
            rows.append(Row(name, mean(scores), len(scores), known, str(weights.path)))
        return rows


def score_pairs(model: Cascade, pairs: list[Pair], device: torch.device) -> Score:
    """Mean figures of a model over pairs."""
    model.eval()
    scores = []
    for pair in pairs:
        original, expert = pair_pixels(pair, model.config.long_edge)
        scores.append(score(enhance_pixels(model, original, device), expert))
    return mean(scores)


def pair_pixels(pair: Pair, long_edge: int) -> list[NDArray[np.float32]]:
    """Read original and expert as ``(H, W, 3)`` float32 in [0, 1].

    Raises:
        EnhanceError: The pair cannot be read.
    """
    both = load_pair(pair, long_edge)
    return [photo.permute(1, 2, 0).numpy().astype(np.float32) / np.float32(255) for photo in both]


def _row_names(weights: list[Weights]) -> list[str]:
    """The variants; with the file's name where two weights are of one variant."""
    variants = [one.model.config.variant for one in weights]
    names: list[str] = []
    for one, variant in zip(weights, variants, strict=True):
        name = str(variant) if variants.count(variant) == 1 else f"{variant} ({one.path.name})"
        names.append(name if name not in names else f"{variant} ({one.path})")
    return names

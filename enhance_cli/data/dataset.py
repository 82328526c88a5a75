"""Training samples: squares of equal size out of pairs of photos of any size."""

from __future__ import annotations

import math
import random
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from enhance_cli.data.augmentation import Change, draw_jitter, shuffled
from enhance_cli.data.distortion import UNDEGRADED, draw_distortion
from enhance_cli.data.framing import Framing, frame, viewed
from enhance_cli.data.grounds import matted, plain
from enhance_cli.data.pairs import Pair
from enhance_cli.data.prepared import PreparedPairs

BEYOND = 0.3
"""How far beyond two versions of a photo, as a share of their distance, a blend may lie."""

MATTED = 0.4
"""Share of the finished samples that lie on plain ground."""


class Sample(NamedTuple):
    """One square of a pair, or a batch of them with a leading axis.

    Attributes:
        original: ``(3, S, S)``, sRGB in [0, 1].
        expert: The same square of the expert's version.
        mask: ``(1, S, S)``, 1 where there is photo and 0 where there is padding.
        view: The whole original in the square that CENet sees, ``(3, V, V)``; empty where the
            framing asks for none.
        number: int64; which pair it comes from.
    """

    original: Tensor
    expert: Tensor
    mask: Tensor
    view: Tensor
    number: Tensor


class Turn(NamedTuple):
    """Which sample to draw.

    Attributes:
        epoch: From 0.
        number: Of the pair.
        again: How often the pair has come up in this epoch already.
    """

    epoch: int
    number: int
    again: int = 0


class PairDataset(Dataset[Sample]):
    """Samples of pairs, asked for by :class:`Turn`; what is drawn depends on seed and turn alone.

    Args:
        pairs: What to sample from. Where a pair has no original, it is made by distorting.
        store: Where their pixels come from.
        framing: How squares are cut.
        finished_share: Share of samples in which the expert's version is the original too.
        plain_share: Share of samples that show no photo, see :func:`plain`.
        blend: Share of samples that lie between two versions of their photo, where there are more.
        shuffle: Share of samples whose squares are put together anew, see :func:`shuffled`.
        seed: Of all random choices.
    """

    def __init__(
        self,
        pairs: list[Pair],
        store: PreparedPairs,
        framing: Framing,
        finished_share: float = 0.0,
        plain_share: float = 0.0,
        blend: float = 0.0,
        shuffle: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.pairs = pairs
        self.store = store
        self.framing = framing
        self.finished_share = finished_share
        self.plain_share = plain_share
        self.blend = blend
        self.shuffle = shuffle
        self._versions = _versions(pairs) if blend else {}
        self.seed = seed

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, turn: Turn) -> Sample:  # type: ignore[override]
        """Draw a sample.

        Raises:
            PairsError: The two photos of the pair do not belong together.
            PhotoError: One of them cannot be read.
        """
        draw = random.Random(f"{self.seed}/{turn.epoch}/{turn.number}/{turn.again}")
        framing = self.framing.at(turn.epoch)
        both, change = self._drawn(turn.number, framing, draw)
        if self.framing.flip and draw.random() < 0.5:
            both = both.flip(-1)
        if self.framing.rotate:
            both = both.rot90(draw.randrange(4), (-2, -1))
        squares, mask = frame(both, framing, draw)
        original, expert = change.original(squares[0]), change.expert(squares[1])
        if draw.random() < self.shuffle:
            parts = shuffled(torch.cat([original, expert, mask]), draw)
            original, expert, mask = parts.split((3, 3, 1))
        view = viewed(both[:1], framing.view, change.original)
        return Sample(original * mask, expert * mask, mask, view, torch.tensor(turn.number))

    def _drawn(self, number: int, framing: Framing, draw: random.Random) -> tuple[Tensor, Change]:
        """Original and expert, and what is still to be done to them once they are cut to size."""
        photos = self._load(number, framing)
        expert = photos[-1]
        if draw.random() < self.plain_share:
            ground = plain(expert, draw)
            return torch.stack([ground, ground]), Change()
        if draw.random() < self.finished_share:
            finished = matted(expert, draw) if draw.random() < MATTED else expert
            return torch.stack([finished, finished]), Change()
        if len(photos) == 1:
            both = torch.stack([expert, expert])
            degraded = draw.random() >= UNDEGRADED
            return both, Change(draw_distortion(expert, draw)) if degraded else Change()
        if draw.random() < self.blend:
            photos = self._blended(number, photos, framing, draw)
        return photos, draw_jitter(framing.jitter, draw) if framing.jitter else Change()

    def _blended(
        self, number: int, photos: Tensor, framing: Framing, draw: random.Random
    ) -> Tensor:
        """What lies between, or a little beyond, two versions of one photo, before and after."""
        others = [one for one in self._versions.get(number, ()) if one != number]
        if not others:
            return photos
        other = self._load(draw.choice(others), framing)
        if other.shape != photos.shape:
            return photos
        return photos.lerp(other, draw.uniform(-BEYOND, 1 + BEYOND)).clamp(0, 1)

    def _load(self, number: int, framing: Framing) -> Tensor:
        """A pair's photos, halved while they still fill the smallest part that may be cut."""
        pair = self.pairs[number]
        photos = self.store.load(pair)
        if framing.crop:
            least = framing.zoom * min(photos.shape[-2:])
            photos = self.store.load(pair, max(0, int(math.log2(max(1, least / framing.side)))))
        return photos.float() / 255


def _versions(pairs: list[Pair]) -> dict[int, list[int]]:
    """For each pair that is one of several versions of a photo, the numbers of all of them."""
    groups: dict[str, list[int]] = {}
    for number, pair in enumerate(pairs):
        if pair.photo is not None:
            groups.setdefault(pair.photo, []).append(number)
    return {number: group for group in groups.values() for number in group if len(group) > 1}


def epoch_turns(weights: list[float], epoch: int, draw: random.Random) -> list[Turn]:
    """Put the samples of one epoch in order.

    Args:
        weights: Of each pair: how often it comes up in an epoch. Of pairs with weight 0.5 a random
            half comes up; the number of samples is the same in every epoch.
        epoch: From 0.
        draw: Source of the random choices.
    """
    groups: dict[float, list[int]] = {}
    for index, weight in enumerate(weights):
        groups.setdefault(weight, []).append(index)
    turns: list[Turn] = []
    for weight, group in groups.items():
        whole = int(weight)
        turns += [Turn(epoch, index, again) for again in range(whole) for index in group]
        rest = draw.sample(group, round((weight - whole) * len(group)))
        turns += [Turn(epoch, index, whole) for index in rest]
    draw.shuffle(turns)
    return turns

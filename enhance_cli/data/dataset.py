"""Training samples: squares of equal size out of pairs of photos of any size."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from enhance_cli.config import LONG_EDGE, Fit
from enhance_cli.data.distortion import UNDEGRADED, draw_distortion
from enhance_cli.data.pairs import Pair
from enhance_cli.data.prepared import PreparedPairs


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


class Framing(NamedTuple):
    """How a square is cut from a photo.

    Attributes:
        side: Of the square, in pixels.
        crop: False pads the whole photo with black (section 3.2); True fills the square with a
            random part of the photo.
        zoom: Smallest share of width and height in that part.
        keep_aspect: The part is a square too; otherwise it is squashed to one.
        flip: Mirror left to right at random.
        jitter: Largest change of the original's brightness, in stops; see
            :class:`enhance_cli.config.StageConfig`.
        view: How the whole original is shown beside its part; None leaves it out.
    """

    side: int = LONG_EDGE
    crop: bool = False
    zoom: float = 1.0
    keep_aspect: bool = True
    flip: bool = False
    jitter: float = 0.0
    view: View | None = None


class View(NamedTuple):
    """How a whole photo is brought into a square: padded with black, or squashed."""

    side: int
    fit: Fit


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
        seed: Of all random choices.
    """

    def __init__(
        self,
        pairs: list[Pair],
        store: PreparedPairs,
        framing: Framing,
        finished_share: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.pairs = pairs
        self.store = store
        self.framing = framing
        self.finished_share = finished_share
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
        photos = self.store.load(self.pairs[turn.number]).float() / 255
        original, distort = self._original(photos, draw)
        both = torch.stack([original, photos[-1]])
        if self.framing.flip and draw.random() < 0.5:
            both = both.flip(-1)
        squares, mask = frame(both, self.framing, draw)
        return Sample(
            distort(squares[0]) * mask,
            squares[1],
            mask,
            _viewed(both[:1], self.framing.view, distort),
            torch.tensor(turn.number),
        )

    def _original(
        self, photos: Tensor, draw: random.Random
    ) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """What to start from, and what is still to be done to it once it is cut to size."""
        expert = photos[-1]
        if draw.random() < self.finished_share:
            return expert, _unchanged
        if len(photos) == 1:
            finished = draw.random() < UNDEGRADED
            return expert, _unchanged if finished else draw_distortion(expert, draw)
        if self.framing.jitter:
            return jittered(photos[0], self.framing.jitter, draw), _unchanged
        return photos[0], _unchanged


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


def jittered(photo: Tensor, stops: float, draw: random.Random) -> Tensor:
    """Change a photo's brightness and colour balance a little, at random.

    Args:
        photo: ``(3, H, W)``, sRGB in [0, 1].
        stops: Largest change of all channels together; a third of it for each on its own.
        draw: Source of the random choices.
    """
    together = draw.uniform(-stops, stops)
    alone = [draw.uniform(-stops, stops) / 3 for _ in range(3)]
    gains = torch.tensor([2 ** (together + one) for one in alone])
    return (photo * gains[:, None, None]).clamp(0, 1)


def frame(photos: Tensor, framing: Framing, draw: random.Random) -> tuple[Tensor, Tensor]:
    """Cut the same square from several photos of equal size.

    Args:
        photos: ``(B, 3, H, W)``.
        framing: How.
        draw: Source of the random choices.

    Returns:
        ``(B, 3, S, S)``, and the mask ``(1, S, S)``.
    """
    if not framing.crop:
        return _pad(photos, framing.side)
    return _crop(photos, framing, draw), torch.ones(1, framing.side, framing.side)


def _viewed(photo: Tensor, view: View | None, distort: Callable[[Tensor], Tensor]) -> Tensor:
    if view is None:
        return photo.new_empty(0)
    if view.fit == "pad":
        padded, mask = _pad(photo, view.side)
        return distort(padded[0]) * mask
    size = (view.side, view.side)
    squashed = F.interpolate(photo, size, mode="bilinear", align_corners=False, antialias=True)
    return distort(squashed[0])


def _unchanged(photo: Tensor) -> Tensor:
    return photo


def _pad(photos: Tensor, side: int) -> tuple[Tensor, Tensor]:
    height, width = photos.shape[-2:]
    padding = (0, side - width, 0, side - height)
    return F.pad(photos, padding), F.pad(torch.ones(1, height, width), padding)


def _crop(photos: Tensor, framing: Framing, draw: random.Random) -> Tensor:
    height, width = photos.shape[-2:]
    if framing.keep_aspect:
        tall = wide = max(1, round(min(height, width) * draw.uniform(framing.zoom, 1)))
    else:
        tall = max(1, round(height * draw.uniform(framing.zoom, 1)))
        wide = max(1, round(width * draw.uniform(framing.zoom, 1)))
    top, left = draw.randint(0, height - tall), draw.randint(0, width - wide)
    part = photos[..., top : top + tall, left : left + wide]
    size = (framing.side, framing.side)
    return F.interpolate(part, size, mode="bilinear", align_corners=False, antialias=True)

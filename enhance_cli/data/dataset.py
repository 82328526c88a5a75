"""Training samples: squares of equal size out of pairs of photos of any size."""

from __future__ import annotations

import random
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from enhance_cli.config import LONG_EDGE
from enhance_cli.data.pairs import Pair
from enhance_cli.errors import PairsError
from enhance_cli.imaging.decoding import decode

CACHE_BYTES = 4 * 2**30
"""Decoded pairs are kept in memory up to this size."""


class Sample(NamedTuple):
    """One square of a pair, or a batch of them with a leading axis.

    Attributes:
        original: ``(3, S, S)``, sRGB in [0, 1].
        expert: The same square of the expert's version.
        mask: ``(1, S, S)``, 1 where there is photo and 0 where there is padding.
        number: int64; which pair it comes from.
        finished: bool; whether the expert's version stands on both sides.
    """

    original: Tensor
    expert: Tensor
    mask: Tensor
    number: Tensor
    finished: Tensor


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
    """

    side: int = LONG_EDGE
    crop: bool = False
    zoom: float = 1.0
    keep_aspect: bool = True
    flip: bool = False
    jitter: float = 0.0


class PairCache:
    """Decoded pairs, kept in memory as long as there is room for them.

    Args:
        long_edge: Longer edge of the photos, in pixels.
    """

    def __init__(self, long_edge: int = LONG_EDGE) -> None:
        self.long_edge = long_edge
        self._pairs: dict[Pair, tuple[Tensor, Tensor]] = {}
        self._bytes = 0

    def load(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Original and expert, ``(3, H, W)`` uint8; see :func:`load_pair`."""
        if pair not in self._pairs:
            loaded = load_pair(pair, self.long_edge)
            size = sum(photo.nbytes for photo in loaded)
            if self._bytes + size > CACHE_BYTES:
                return loaded
            self._pairs[pair] = loaded
            self._bytes += size
        return self._pairs[pair]


class PairDataset(Dataset[Sample]):
    """Samples of pairs; what is drawn depends on seed, epoch and pair alone.

    Args:
        pairs: What to sample from.
        framing: How squares are cut.
        cache: Where decoded photos are kept; several datasets may share one.
        finished_share: Share of samples in which the expert's version is the original too.
        seed: Of all random choices.
    """

    def __init__(
        self,
        pairs: list[Pair],
        framing: Framing,
        cache: PairCache | None = None,
        finished_share: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.pairs = pairs
        self.framing = framing
        self.cache = cache or PairCache()
        self.finished_share = finished_share
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        """Draw the sample of one pair for the current epoch.

        Raises:
            PairsError: The two photos of the pair differ in size.
            PhotoError: One of them cannot be read.
        """
        draw = random.Random(f"{self.seed}/{self.epoch}/{index}")
        original, expert = (photo.float() / 255 for photo in self.cache.load(self.pairs[index]))
        finished = draw.random() < self.finished_share
        if finished:
            original = expert
        elif self.framing.jitter:
            original = jittered(original, self.framing.jitter, draw)
        both = torch.stack([original, expert])
        both, mask = frame(both, self.framing, draw)
        return Sample(both[0], both[1], mask, torch.tensor(index), torch.tensor(finished))


def load_pair(pair: Pair, long_edge: int = LONG_EDGE) -> tuple[Tensor, Tensor]:
    """Read both photos of a pair.

    Args:
        pair: Where they lie.
        long_edge: Longer edge in pixels, the paper's 500 (section 3.1); never enlarged.

    Returns:
        Original and expert, ``(3, H, W)`` uint8, sRGB.

    Raises:
        PairsError: They differ in size.
        PhotoError: One of them cannot be read.
    """
    original, expert = (
        torch.from_numpy((decode(path, long_edge).pixels * 255).round().astype(np.uint8))
        .permute(2, 0, 1)
        .contiguous()
        for path in (pair.original, pair.expert)
    )
    if original.shape != expert.shape:
        sizes = [f"{photo.shape[2]} x {photo.shape[1]}" for photo in (original, expert)]
        raise PairsError(
            f"pair {pair.key}: {pair.original} is {sizes[0]}, {pair.expert} is {sizes[1]}; "
            "they must be the same photo at the same size"
        )
    return original, expert


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
    if framing.flip and draw.random() < 0.5:
        photos = photos.flip(-1)
    if not framing.crop:
        return _pad(photos, framing.side)
    return _crop(photos, framing, draw), torch.ones(1, framing.side, framing.side)


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

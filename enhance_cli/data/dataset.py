"""Training samples: augmented squares of equal size from pairs of photos of any size."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from enhance_cli.config.training import StageConfig
from enhance_cli.data.augmentation import shuffle_tiles
from enhance_cli.data.crops import CropConfig, crop_or_pad, global_view
from enhance_cli.data.distortion import IDENTITY_SHARE, draw_distortion
from enhance_cli.data.pair_cache import PairCache
from enhance_cli.data.pairs import Pair
from enhance_cli.data.synthetic_frames import flat_or_noise_frame, on_plain_background

EXTRAPOLATION = 0.3
"""How far a mixture may lie beyond two versions of a photo, as a share of their distance."""

BACKGROUND_SHARE = 0.4
"""Share of identity samples whose photo is shown on a plain background."""

Transform = Callable[[Tensor], Tensor]


class Sample(NamedTuple):
    """A square of a pair, or a batch of squares with a leading axis.

    Attributes:
        original: The square before retouching, ``(3, S, S)``, float, sRGB in [0, 1].
        expert: The same square of the expert's version, same shape.
        mask: ``(1, S, S)``, 1 on the photo and 0 on the padding.
        view: The whole original in the square that CENet sees, ``(3, V, V)``; empty if the crop
            config has no view.
        pair_index: Index of the pair, a scalar of int64.
    """

    original: Tensor
    expert: Tensor
    mask: Tensor
    view: Tensor
    pair_index: Tensor


class SampleRef(NamedTuple):
    """Which sample to draw.

    Attributes:
        epoch: The epoch, from 0.
        pair_index: Index of the pair.
        repeat: Number of earlier samples of the pair in this epoch.
    """

    epoch: int
    pair_index: int
    repeat: int = 0


class PairDataset(Dataset[Sample]):
    """Samples of pairs, indexed by :class:`SampleRef`. Each depends on seed and index alone.

    Args:
        pairs: Pairs to sample from. If a pair has no original, the expert's version is distorted.
        cache: Cache that provides the pixels of the pairs.
        crop: How squares are taken from photos.
        stage: Stage whose shares of augmented samples apply.
        seed: Seed of all random choices.
    """

    def __init__(
        self, pairs: list[Pair], cache: PairCache, crop: CropConfig, stage: StageConfig, seed: int
    ) -> None:
        self.pairs = pairs
        self.cache = cache
        self.crop = crop
        self.stage = stage
        self.seed = seed
        self._versions = _versions(pairs) if stage.version_mixup else {}

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, ref: SampleRef) -> Sample:  # type: ignore[override]
        """Draw a sample.

        Raises:
            PairsError: The two photos of the pair do not match.
            PhotoError: One of them cannot be read.
        """
        draw = random.Random(f"{self.seed}/{ref.epoch}/{ref.pair_index}/{ref.repeat}")
        crop = self.crop.at(ref.epoch)
        photos, distort = self._photos(ref.pair_index, crop, draw)
        if crop.flip and draw.random() < 0.5:
            photos = photos.flip(-1)
        if crop.rotate:
            photos = photos.rot90(draw.randrange(4), (-2, -1))
        squares, mask = crop_or_pad(photos, crop, draw)
        # Distorting is as costly as all the rest, so it comes after resizing.
        original, expert = distort(squares[0]), squares[1]
        if draw.random() < self.stage.tile_shuffle:
            parts = shuffle_tiles(torch.cat([original, expert, mask]), draw)
            original, expert, mask = parts.split((3, 3, 1))
        view = global_view(photos[:1], crop.view, distort)
        return Sample(original * mask, expert * mask, mask, view, torch.tensor(ref.pair_index))

    def _photos(
        self, index: int, crop: CropConfig, draw: random.Random
    ) -> tuple[Tensor, Transform]:
        """Original and expert, ``(2, 3, H, W)``, and a distortion for the resized original."""
        photos = self._load(index, crop)
        expert = photos[-1]
        if draw.random() < self.stage.synthetic_share:
            frame = flat_or_noise_frame(expert, draw)
            return torch.stack([frame, frame]), _unchanged
        if draw.random() < self.stage.identity_share:
            on_background = draw.random() < BACKGROUND_SHARE
            finished = on_plain_background(expert, draw) if on_background else expert
            return torch.stack([finished, finished]), _unchanged
        if len(photos) == 1:
            both = torch.stack([expert, expert])
            distorted = draw.random() >= IDENTITY_SHARE
            return both, draw_distortion(expert, draw) if distorted else _unchanged
        if draw.random() < self.stage.version_mixup:
            photos = self._mixed(index, photos, crop, draw)
        return photos, _unchanged

    def _mixed(self, index: int, photos: Tensor, crop: CropConfig, draw: random.Random) -> Tensor:
        """Mix two versions of one photo, original and expert alike, or extrapolate a little."""
        others = [other for other in self._versions.get(index, ()) if other != index]
        if not others:
            return photos
        other = self._load(draw.choice(others), crop)
        if other.shape != photos.shape:
            return photos
        weight = draw.uniform(-EXTRAPOLATION, 1 + EXTRAPOLATION)
        return photos.lerp(other, weight).clamp(0, 1)

    def _load(self, index: int, crop: CropConfig) -> Tensor:
        """A pair's photos, halved while the smallest crop still has enough pixels."""
        pair = self.pairs[index]
        photos = self.cache.load(pair)
        if crop.crop:
            least = crop.min_scale * min(photos.shape[-2:])
            photos = self.cache.load(pair, max(0, int(math.log2(max(1, least / crop.side)))))
        return photos.float() / 255


def _unchanged(photo: Tensor) -> Tensor:
    return photo


def _versions(pairs: list[Pair]) -> dict[int, list[int]]:
    """For each pair that is one of several versions of a photo, the indices of all of them."""
    groups: dict[str, list[int]] = {}
    for index, pair in enumerate(pairs):
        if pair.photo is not None:
            groups.setdefault(pair.photo, []).append(index)
    return {index: group for group in groups.values() for index in group if len(group) > 1}

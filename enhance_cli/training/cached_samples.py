"""Samples whose costly part is computed in the first epoch and kept for the later ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from enhance_cli.data.dataset import Sample
from enhance_cli.data.sampler import BatchSampler

PIXEL_STRIDE = 5
"""Every fifth pixel of every fifth row is kept, which is enough to fit a function of color."""


class CachedSample(NamedTuple):
    """What frozen networks make of a sample, at some of its pixels; all have a leading batch axis.

    Attributes:
        statistics: Statistics of the photo, ``(B, 800)``.
        original: Colors of the photo, ``(B, 3, h, w)``, float, sRGB in [0, 1].
        before: The result at these pixels without what is trained, same shape, not clamped.
        expert: The expert's version at these pixels, same shape, sRGB in [0, 1].
        mask: ``(B, 1, h, w)``, 1 on the photo and 0 on the padding.
        pair_index: Indices of the pairs, ``(B,)``, int64.
    """

    statistics: Tensor
    original: Tensor
    before: Tensor
    expert: Tensor
    mask: Tensor
    pair_index: Tensor


def subsampled(photos: Tensor) -> Tensor:
    """Take a lattice of pixels: ``(B, C, H, W)`` to ``(B, C, h, w)``."""
    top, left = (min(PIXEL_STRIDE // 2, side - 1) for side in photos.shape[-2:])
    return photos[..., top::PIXEL_STRIDE, left::PIXEL_STRIDE]


class CachedBatches:
    """Yields the batches of an epoch; all epochs have the samples of the first one.

    The first epoch runs the frozen networks. Later ones come from memory, in half precision and
    shuffled anew, and take seconds. A sample of 96 x 96 pixels takes about 9 KB.

    Args:
        loader: Yields the batches of the epoch to which ``batches`` is set.
        batches: Order and grouping of the samples.
        compute: Computes what is kept of a batch.
        seed: Seed of the order in later epochs.
    """

    def __init__(
        self,
        loader: Iterable[Sample],
        batches: BatchSampler,
        compute: Callable[[Sample], CachedSample],
        seed: str,
    ) -> None:
        self._loader = loader
        self._batches = batches
        self._compute = compute
        self._seed = seed
        self._kept: CachedSample | None = None

    def __iter__(self) -> Iterator[CachedSample]:
        epoch = self._batches.epoch
        if self._kept is None:
            first = self._first_epoch()
            if epoch == 0:
                yield from first
                return
            for _ in first:  # a resumed run
                pass
            self._batches.epoch = epoch
        yield from self._again(epoch)

    def _first_epoch(self) -> Iterator[CachedSample]:
        self._batches.epoch = 0
        kept: list[CachedSample] = []
        for batch in self._loader:
            computed = self._compute(batch)
            kept.append(CachedSample(*(_half(part) for part in computed)))
            yield computed
        self._kept = CachedSample(*(torch.cat(parts) for parts in zip(*kept, strict=True)))

    def _again(self, epoch: int) -> Iterator[CachedSample]:
        assert self._kept is not None
        count, steps = len(self._kept.pair_index), len(self._batches)
        order = list(range(count))
        random.Random(f"{self._seed}/{epoch}").shuffle(order)
        places = torch.tensor(order, device=self._kept.pair_index.device)
        for chosen in places.chunk(steps):
            yield CachedSample(*(_single(part[chosen]) for part in self._kept))


def _half(values: Tensor) -> Tensor:
    return values.half() if values.is_floating_point() else values


def _single(values: Tensor) -> Tensor:
    return values.float() if values.is_floating_point() else values

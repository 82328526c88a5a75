"""The order of samples in an epoch, and how they are grouped into batches."""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, default_collate

from enhance_cli.data.dataset import PairDataset, Sample, SampleRef
from enhance_cli.errors import UsageError


def epoch_order(repeats: list[float], epoch: int, draw: random.Random) -> list[SampleRef]:
    """Put the samples of an epoch in random order.

    Args:
        repeats: For each pair, how often it comes up in an epoch. If that is 0.5, each epoch has a
            random half of such pairs. The number of samples is the same in every epoch.
        epoch: The epoch, from 0.
        draw: Source of randomness.
    """
    groups: dict[float, list[int]] = {}
    for index, count in enumerate(repeats):
        groups.setdefault(count, []).append(index)
    order: list[SampleRef] = []
    for count, group in groups.items():
        whole = int(count)
        order += [SampleRef(epoch, index, repeat) for repeat in range(whole) for index in group]
        rest = draw.sample(group, round((count - whole) * len(group)))
        order += [SampleRef(epoch, index, whole) for index in rest]
    draw.shuffle(order)
    return order


class BatchSampler:
    """Yields the batches of an epoch, or this process's share of each batch.

    Args:
        repeats: For each pair, how often it comes up in an epoch.
        batch_size: Number of samples in a batch, over all processes.
        seed: Seed of the random order.
        rank: Index of this process.
        world_size: Number of processes.

    Attributes:
        epoch: The epoch, from 0. Set it before each iteration.

    Raises:
        UsageError: The processes cannot share the batches equally.
    """

    def __init__(
        self, repeats: list[float], batch_size: int, seed: str, rank: int, world_size: int
    ) -> None:
        self.epoch = 0
        self._repeats, self._seed = repeats, seed
        self._rank, self._world_size = rank, world_size
        self._samples = len(epoch_order(repeats, 0, random.Random(0)))
        # If there are fewer samples than batch_size, they form one small batch.
        self._size = min(batch_size, self._samples // world_size * world_size)
        if not self._size or self._size % world_size:
            raise UsageError(
                f"--batch-size {batch_size}: {self._samples} samples an epoch cannot be shared "
                f"equally by {world_size} processes in such batches"
            )

    def __iter__(self) -> Iterator[list[SampleRef]]:
        draw = random.Random(f"{self._seed}/{self.epoch}")
        order = epoch_order(self._repeats, self.epoch, draw)
        # The incomplete last batch is dropped: batch norm cannot be trained on a single photo.
        for start in range(0, len(order) - self._size + 1, self._size):
            yield order[start + self._rank : start + self._size : self._world_size]

    def __len__(self) -> int:
        return self._samples // self._size


def make_loader(
    dataset: PairDataset, batches: BatchSampler, workers: int, pin_memory: bool = False
) -> DataLoader[Sample]:
    """Make the loader of a stage.

    Args:
        dataset: The samples.
        batches: Their order and grouping.
        workers: Number of processes that prepare samples; 0 prepares them in this process.
        pin_memory: Whether batches are put where a GPU can fetch them while it computes.
    """
    return DataLoader(
        dataset,
        batch_sampler=batches,
        collate_fn=_collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
    )


def _collate(samples: list[Sample]) -> Sample:
    batch = Sample(*default_collate(samples))
    # Convolutions are fastest in channels-last format on the CPU, and on CUDA in half precision.
    last = torch.channels_last
    view = batch.view.contiguous(memory_format=last) if batch.view.ndim == 4 else batch.view
    return batch._replace(original=batch.original.contiguous(memory_format=last), view=view)

"""In which order samples come, and how they become batches."""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from lightning_fabric import Fabric
from torch.utils.data import DataLoader, default_collate

from enhance_cli.config import TrainConfig
from enhance_cli.data.dataset import PairDataset, Sample, Turn, epoch_turns
from enhance_cli.engine.collection import Collection
from enhance_cli.engine.stages import Stage
from enhance_cli.errors import UsageError


class Batches:
    """The batches of one epoch, or the share of each that this process draws.

    Args:
        weights: How often each pair comes up in an epoch.
        stage: Whose batches.
        seed: Of the order.
        fabric: The processes that share them.

    Attributes:
        epoch: Which; to be set before each.

    Raises:
        UsageError: The processes cannot share them equally.
    """

    def __init__(self, weights: list[float], stage: Stage, seed: int, fabric: Fabric) -> None:
        self.epoch = 0
        self._weights = weights
        self._seed = f"{seed}/{stage.name}"
        self._rank, self._world = fabric.global_rank, fabric.world_size
        self._samples = len(epoch_turns(self._weights, 0, random.Random(0)))
        # Fewer photos than a batch are one small batch.
        self._size = min(stage.config.batch_size, self._samples // self._world * self._world)
        if not self._size or self._size % self._world:
            raise UsageError(
                f"--batch-size {stage.config.batch_size}: {self._samples} samples an epoch cannot "
                f"be shared equally by {self._world} processes in such batches"
            )

    def __iter__(self) -> Iterator[list[Turn]]:
        turns = epoch_turns(self._weights, self.epoch, random.Random(f"{self._seed}/{self.epoch}"))
        # Batch norm cannot learn from the odd photo that may be left over.
        for start in range(0, len(turns) - self._size + 1, self._size):
            yield turns[start + self._rank : start + self._size : self._world]

    def __len__(self) -> int:
        return self._samples // self._size


def make_loader(
    pairs: Collection, stage: Stage, batches: Batches, config: TrainConfig
) -> DataLoader[Sample]:
    """Draw the samples of a stage, batch by batch, in ``config.workers`` processes."""
    learns = stage.config
    samples = PairDataset(
        pairs.learnt,
        pairs.store,
        stage.framing,
        finished_share=learns.finished_share,
        plain_share=learns.plain_share,
        blend=learns.blend,
        shuffle=learns.shuffle,
        seed=config.seed,
    )
    return DataLoader(
        samples,
        batch_sampler=batches,
        collate_fn=_collate,
        num_workers=config.workers,
        persistent_workers=config.workers > 0,
    )


def _collate(samples: list[Sample]) -> Sample:
    batch = Sample(*default_collate(samples))
    # Convolutions on the CPU are fastest with channels last; on CUDA in half precision too.
    last = torch.channels_last
    view = batch.view.contiguous(memory_format=last) if batch.view.ndim == 4 else batch.view
    return batch._replace(original=batch.original.contiguous(memory_format=last), view=view)

"""How large a worker is, and how many of them a cluster has room for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from enhance_cli.errors import UsageError

CORES_PER_GPU_WORKER = 8
"""Most cores of a worker with a GPU: so many threads decode and encode while one process runs."""

MEMORY_PER_CORE = 5 * 2**28
"""Bytes that are reserved for each core of a worker: at 24 megapixels, one has a peak of 1 GB."""

Resources = Mapping[str, float]
"""What a node has, by Ray's names: ``CPU``, ``GPU``, ``memory`` in bytes."""


@dataclass(frozen=True)
class Place:
    """What a worker takes up.

    Attributes:
        cores: Its cores.
        gpu: Its share of a GPU; 0 without.
    """

    cores: int = 1
    gpu: float = 0.0

    @property
    def memory(self) -> int:
        """Bytes of memory that are reserved for it."""
        return self.cores * MEMORY_PER_CORE

    def room_on(self, node: Resources) -> int:
        """Number of workers for which a node has room, if it has nothing else to do."""
        room = min(node.get("CPU", 0) / self.cores, node.get("memory", math.inf) / self.memory)
        return math.floor(min(room, node.get("GPU", 0) / self.gpu) if self.gpu else room)


def choose_place(nodes: Sequence[Resources], device: str) -> Place:
    """Choose how large a worker is.

    Without GPUs, it has one core. With GPUs, each of them is shared by as many workers as its
    node has cores to feed them; nodes without a GPU are left out then, since a run's results are to
    come from one kind of device.

    Args:
        nodes: What each node has.
        device: The option ``--device``.

    Raises:
        UsageError: A GPU is wanted, and the cluster has none.
    """
    with_gpu = [node for node in nodes if node.get("GPU", 0) >= 1]
    if device == "cpu" or (device == "auto" and not with_gpu):
        return Place()
    if not with_gpu:
        raise UsageError(f"--device {device}: no node of the cluster has a GPU")
    cores = math.floor(min(node.get("CPU", 0) / node["GPU"] for node in with_gpu))
    workers = max(1, math.ceil(cores / CORES_PER_GPU_WORKER))
    return Place(max(1, cores // workers), 1 / workers)

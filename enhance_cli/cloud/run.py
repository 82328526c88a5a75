"""A run over photos in stores: its plan, shard by shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from enhance_cli.cloud.shard import Shard
from enhance_cli.config.apply import ApplyConfig


@dataclass(frozen=True)
class CloudRun:
    """All that a worker on another machine needs; can be pickled.

    Attributes:
        config: The options. ``weights`` is a path on this machine; a worker elsewhere replaces it
            (``dataclasses.replace``) by the path of a file with the same content.
        inputs: URLs or paths of the inputs.
        out: URL or path of the output.
        run: Digest of inputs, options, weights and version: the run's folder below
            ``OUT/.enhance/``.
        part: Which part of the plan is done here, from 1, and how many there are.
    """

    config: ApplyConfig
    inputs: tuple[str, ...]
    out: str
    run: str
    part: tuple[int, int] = (1, 1)

    def shards(self) -> Iterator[Shard]:
        """Plan shard by shard while the inputs are being listed.

        Yields:
            The shards of this part that are not complete; each is stored before it is yielded.

        Raises:
            UsageError: An input is missing, or there is no photo.
            OutputError: The plan cannot be stored.
        """
        raise NotImplementedError

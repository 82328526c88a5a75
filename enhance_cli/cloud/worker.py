"""Works on shards: fetches each photo, retouches it as a laptop would, and stores the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from enhance_cli.cloud.run import CloudRun
from enhance_cli.cloud.shard import Shard, ShardOutcome


class ShardWorker:
    """One worker a process; it loads the networks once, and can be given shard after shard.

    Args:
        run: The run.
        begun: Called with a photo's place in its shard before the photo is fetched, from several
            threads; whoever watches this process from outside learns from it which photos were in
            progress when the process died.

    Raises:
        EnhanceError: The device or the weights cannot be used.
    """

    def __init__(self, run: CloudRun, begun: Callable[[int], None] = lambda _photo: None) -> None:
        self.run = run
        self._begun = begun

    def warm_up(self) -> None:
        """Load the networks, and wait until they are ready.

        Raises:
            EnhanceError: The device or the weights cannot be used.
        """
        raise NotImplementedError

    def work(self, shard: Shard, photos: Sequence[int] | None = None) -> Iterator[ShardOutcome]:
        """Do the photos of a shard, several side by side, and write its done log.

        Args:
            shard: The shard.
            photos: Places of those to do; None does all. The done log keeps what it says of the
                others, and is complete once it knows an outcome of each.

        Yields:
            The outcome of each photo, as it ends.

        Raises:
            EnhanceError: Every further photo would fail in the same way.
        """
        raise NotImplementedError

    @property
    def in_flight(self) -> frozenset[int]:
        """Places of the photos of the present shard that have begun and not ended."""
        raise NotImplementedError

    def stop(self) -> None:
        """Begin no further photo; those in progress are finished."""
        raise NotImplementedError

    def close(self) -> None:
        """Remove the temporary files."""
        raise NotImplementedError


def report_failed(run: CloudRun, shard: Shard, photo: int, reason: str) -> ShardOutcome:
    """Note in the done log that a photo failed without having been processed.

    Args:
        run: The run.
        shard: The shard.
        photo: The photo's place in it.
        reason: Why, in words; the message begins with the photo's URL.
    """
    raise NotImplementedError

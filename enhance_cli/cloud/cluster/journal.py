"""What a worker has begun and ended, in a file that outlives its process.

A process that has died cannot be asked. What it has written stays in the system's memory of the
file, however it ended, and another process on the same node reads it.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from enhance_cli.cloud.scratch import JOURNAL, try_to_lock
from enhance_cli.cloud.shard import ShardOutcome


@dataclass(frozen=True, slots=True)
class LastWords:
    """What the journal of a process says that has died.

    Attributes:
        in_flight: Places of the photos that it had begun and not ended.
        outcomes: Outcomes of its piece's photos, in the order in which they ended.
    """

    in_flight: frozenset[int]
    outcomes: tuple[ShardOutcome, ...]


class Journal:
    """What one process has begun and ended of its present piece; several threads may use it.

    Attributes:
        path: The file, in the node's temporary folder.
    """

    def __init__(self) -> None:
        with tempfile.NamedTemporaryFile(prefix=JOURNAL, delete=False) as file:
            self.path = Path(file.name)
        self._file = self.path.open("ab", buffering=0)  # so that each line is one write at the end
        try_to_lock(self._file.fileno())  # so that it is seen when this process is gone
        self._pieces = 0

    def begin(self, photo: int) -> None:
        """A photo is begun."""
        self._file.write(b"%d\n" % photo)

    def end(self, outcome: ShardOutcome) -> None:
        """A photo has its outcome."""
        self._file.write(json.dumps(asdict(outcome)).encode() + b"\n")

    def next_piece(self) -> None:
        """Another piece is begun."""
        self._file.truncate(0)
        self._pieces += 1
        self._file.write(b"[%d]\n" % self._pieces)

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def last_words(path: str, piece: int) -> LastWords | None:
    """What a process of this machine had begun and ended when it died.

    Args:
        path: Its journal, which is deleted.
        piece: Number of pieces that it had been given. It may have died before it began the last.

    Returns:
        What it says of that piece; None if that is nothing, or cannot be read.
    """
    with contextlib.suppress(OSError, ValueError, TypeError):
        entries = [json.loads(line) for line in Path(path).read_bytes().splitlines()]
        Path(path).unlink()
        if entries[:1] != [[piece]]:
            return None
        outcomes = [
            ShardOutcome(**{**entry, "warnings": tuple(entry["warnings"])})
            for entry in entries
            if isinstance(entry, dict)
        ]
        begun = {entry for entry in entries if isinstance(entry, int)}
        ended = {outcome.photo for outcome in outcomes}
        return LastWords(frozenset(begun - ended), tuple(outcomes))
    return None

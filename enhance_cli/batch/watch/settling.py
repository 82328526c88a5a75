"""Tells which photos in a watched folder are complete, as far as that can be seen from outside.

A file that is being copied grows, or cannot be read yet. So a photo counts once it has been still
for a while. If it cannot be read then, it may still be incomplete, of a slow or broken copy: it is
tried a second time after a longer while, and then not before it changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from enhance_cli.atomic_write import FileSignature

PATIENCE = 5
"""How much longer a photo that cannot be read must be still before it is tried again."""


@dataclass
class _Seen:
    """A photo in the folder.

    Attributes:
        signature: Its size and time when it was last seen.
        since: When it was first seen like that.
        attempts: How often it was tried since.
        done: Whether nothing is left to do until it changes.
    """

    signature: FileSignature
    since: float
    attempts: int = 0
    done: bool = False


class Settling:
    """The photos in watched folders; it holds no more than are there.

    Args:
        seconds: How long a photo must be still.
        clock: Returns the time in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen: dict[Path, _Seen] = {}

    def look(self, photos: Iterable[Path]) -> frozenset[Path]:
        """Look at all photos that are there now, and return those whose turn it is."""
        now, before = self._clock(), self._seen
        self._seen = {}
        for path in photos:
            signature = FileSignature.of(path)
            if signature is None:  # removed a moment ago
                continue
            known = before.get(path)
            if known is None or _differ(known.signature, signature):
                known = _Seen(signature, now)
            self._seen[path] = known
        return frozenset(
            path for path, seen in self._seen.items() if not seen.done and self._due(seen) <= now
        )

    def wait(self) -> float | None:
        """Seconds until it is the next photo's turn; None if it is no photo's."""
        due = [self._due(seen) for seen in self._seen.values() if not seen.done]
        return max(0.0, min(due) - self._clock()) if due else None

    def done(self, photo: Path) -> None:
        """Leave a photo alone until it changes."""
        if photo in self._seen:
            self._seen[photo].done = True

    def failed(self, photo: Path) -> bool:
        """Note that a photo could not be retouched.

        Returns:
            Whether that is final, and to be told. If not, it will be its turn once more.
        """
        seen = self._seen.get(photo)
        if seen is None or FileSignature.of(photo) != seen.signature:
            return False
        seen.attempts += 1
        seen.done = seen.attempts > 1
        return seen.done

    def next_attempt(self, photo: Path) -> float | None:
        """Seconds until a photo that could not be read is tried again; None if it has changed."""
        seen = self._seen.get(photo)
        if seen is None or not seen.attempts:
            return None
        return max(0.0, self._due(seen) - self._clock())

    def _due(self, seen: _Seen) -> float:
        return seen.since + self._seconds * (PATIENCE if seen.attempts else 1)


def _differ(one: FileSignature, other: FileSignature) -> bool:
    return one != other or one.may_be_another(other)

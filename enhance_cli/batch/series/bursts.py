"""Finds the photos that may be of one scene, by folder, camera and time; none is decoded."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from enhance_cli.run_records import content_digest

MOST_FRAMES = 500
"""Photos of a burst; longer ones are cut, so that memory does not grow with their number."""


@dataclass(frozen=True)
class When:
    """What tells bursts apart.

    Attributes:
        source: Folder and kind of file, and the camera.
        time: Seconds; None if it is not known.
    """

    source: tuple[object, ...]
    time: float | None


@dataclass(frozen=True)
class Burst:
    """Photos that may be of one scene.

    Attributes:
        photos: Two or more, in the order in which they were taken.
        by_hand: Whether somebody has said that they are.
        digest: Digest of their content, by which a burst that has not changed is known.
    """

    photos: tuple[Path, ...]
    by_hand: bool
    digest: str

    @classmethod
    def of(cls, photos: Sequence[Path], by_hand: bool) -> Burst:
        """The burst of these photos."""
        return cls(tuple(photos), by_hand, digest_of(photos, "by hand" if by_hand else "auto"))


def digest_of(photos: Sequence[Path], *more: str) -> str:
    """Digest of the content of several photos, in any order."""
    parts = sorted(content_digest(photo) or str(photo) for photo in photos)
    return hashlib.sha256(" ".join([*more, *parts]).encode()).hexdigest()[:12]


def find_bursts(
    photos: Sequence[Path], gap: float, when: Callable[[Path], When]
) -> list[tuple[Path, ...]]:
    """Find the photos that were taken with one camera, each within a gap from the one before.

    Args:
        photos: The photos of a run.
        gap: Longest time between two photos of a burst, in seconds.
        when: Tells when and with what a photo was taken.

    Returns:
        Bursts of two photos and more, in the order of their first ones in ``photos``.
    """
    sources: dict[tuple[object, ...], list[tuple[float, int]]] = defaultdict(list)
    for index, photo in enumerate(photos):
        taken = when(photo)
        if taken.time is not None:
            sources[taken.source].append((taken.time, index))
    found: list[list[int]] = []
    for moments in sources.values():
        last = None
        for time, index in sorted(moments):
            if last is None or time - last > gap:
                found.append([])
            found[-1].append(index)
            last = time
    parts = [part for burst in found for part in in_parts(burst) if len(part) > 1]
    return [tuple(photos[index] for index in part) for part in sorted(parts, key=min)]


def in_parts(burst: list[int]) -> list[list[int]]:
    """Cut a burst that is too long into parts of about equal length."""
    count = -(-len(burst) // MOST_FRAMES)
    length = -(-len(burst) // max(count, 1))
    return [burst[start : start + length] for start in range(0, len(burst), length or 1)]

"""Which worker gets which photos next, and which photo is to blame if workers die.

Nothing here knows Ray, a clock or a thread.

A photo may kill the process that works on it: a decoder crashes, or memory runs out. Trying again
for ever never ends, and to count the deaths of a whole shard fails innocent photos. So:

- Only the photos in flight when a worker's *process* died become suspects. A node that is lost
  takes many workers with it, which is not the photos' fault: their shards only go to others.
- A suspect is tried alone, in a worker that has done nothing but such trials. Who survives is
  cleared.
- A photo is to blame only if at least two workers have died of it, the last of them alone with it
  and fresh, so that nothing that an earlier photo left in the process can be the reason.
- If nothing is known of what was in flight, the shard gets a second chance as it is; after that,
  each of its photos is tried alone.

A shard here may be a part of a planned one. It is with one worker at a time, which stores a log of
it. What a worker had done when it died may not be in the log yet, so the next one gets that as
well; it finds what is done already.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from enhance_cli.errors import EnhanceError

BLAMED_AFTER = 2
"""Workers that must have died of a photo before it is given up."""

MAX_UNEXPLAINED = 5
"""Workers that may die of a shard, though of none of its photos, before the run ends."""


@dataclass(frozen=True)
class Piece:
    """What a worker gets at a time.

    Attributes:
        shard: Name of the shard.
        photos: Places of its photos in the shard.
    """

    shard: str
    photos: tuple[int, ...]


@dataclass(frozen=True)
class Culprit:
    """A photo that is given up because workers died of it.

    Attributes:
        shard: Name of its shard.
        photo: Its place in the shard.
        deaths: Workers that died while it was in flight, or may have been.
    """

    shard: str
    photo: int
    deaths: int


class _Past(IntEnum):
    """What a worker has done so far."""

    FRESH = 0
    TRIALS_ONLY = 1
    USED = 2


@dataclass
class _Worker:
    past: _Past = _Past.FRESH
    piece: Piece | None = None
    alone_and_fresh: bool = False
    """Whether the present piece is a single photo, and the first that this worker got."""


@dataclass
class _Shard:
    left: dict[int, int]
    """Photos of pieces that are not at their end, and how many workers have died of each."""
    told: set[int] = field(default_factory=set)
    """Photos whose outcome is known."""
    unexplained: int = 0
    """Workers that died of it while no photo was known to be in flight."""

    def piece_for(self, past: _Past) -> tuple[int, ...]:
        """What a worker with this past may do of it; nothing if another worker is needed."""
        suspects = {photo: deaths for photo, deaths in self.left.items() if deaths}
        if not suspects:
            return tuple(self.left)
        most = {_Past.FRESH: max(suspects.values()), _Past.TRIALS_ONLY: 1, _Past.USED: 0}[past]
        fitting = [photo for photo, deaths in suspects.items() if deaths <= most]
        return (max(fitting, key=suspects.__getitem__),) if fitting else ()


@dataclass
class Schedule:
    """The shards that are begun or waiting, and the workers.

    Attributes:
        waiting: Names of the shards that no worker has, those first that were begun.
    """

    waiting: deque[str] = field(default_factory=deque)
    _shards: dict[str, _Shard] = field(default_factory=dict)
    _workers: dict[int, _Worker] = field(default_factory=dict)

    @property
    def shards(self) -> int:
        """Number of shards that are not at their end."""
        return len(self._shards)

    @property
    def workers(self) -> tuple[int, ...]:
        """Workers that have joined and not left."""
        return tuple(self._workers)

    @property
    def idle(self) -> tuple[int, ...]:
        """Workers that have nothing to do."""
        return tuple(number for number, worker in self._workers.items() if worker.piece is None)

    def shard_of(self, worker: int) -> str:
        """Name of the shard that a worker has; empty if it has none."""
        piece = self._workers[worker].piece
        return piece.shard if piece else ""

    def holds(self, shard: str) -> bool:
        """Whether a shard is not at its end."""
        return shard in self._shards

    def add(self, shard: str, photos: Iterable[int]) -> None:
        """A shard has been planned.

        Args:
            shard: Its name.
            photos: Places of its photos.
        """
        left = dict.fromkeys(photos, 0)
        if left:
            self._shards[shard] = _Shard(left)
            self.waiting.append(shard)

    def join(self, worker: int) -> None:
        """A worker has answered and may get work."""
        self._workers[worker] = _Worker()

    def next_piece(self, number: int) -> Piece | None:
        """Give an idle worker something to do; None if nothing is there for it."""
        worker = self._workers[number]
        for shard in self.waiting:
            if photos := self._shards[shard].piece_for(worker.past):
                break
        else:
            return None
        self.waiting.remove(shard)
        trial = any(self._shards[shard].left[photo] for photo in photos)
        worker.piece = Piece(shard, photos)
        worker.alone_and_fresh = worker.past is _Past.FRESH and len(photos) == 1
        worker.past = max(worker.past, _Past.TRIALS_ONLY if trial else _Past.USED)
        return worker.piece

    def settle(self, number: int, photo: int) -> bool:
        """A photo of a worker's piece has its outcome.

        Returns:
            Whether it is the first outcome of this photo.
        """
        worker = self._workers[number]
        if worker.piece is None:
            return False
        told = self._shards[worker.piece.shard].told
        is_new = photo not in told
        told.add(photo)
        return is_new

    def finish(self, worker: int, whole: bool = True) -> None:
        """A worker is through with its piece.

        Args:
            worker: The worker.
            whole: Whether all of it has been done; what has no outcome yet was done before then.
                Otherwise it was stopped, and the rest waits again.
        """
        piece, self._workers[worker].piece = self._workers[worker].piece, None
        if piece is None:
            return
        if whole:
            for photo in piece.photos:
                self._shards[piece.shard].left.pop(photo, None)
        self._put_back(piece.shard)

    def leave(self, worker: int) -> None:
        """A worker is gone through no fault of a photo; what it had waits for another one."""
        self._remove(worker)

    def die(self, number: int, in_flight: Collection[int] | None) -> list[Culprit]:
        """A worker's process has died, though its node has not.

        Args:
            number: The worker.
            in_flight: Places of the photos that were in flight; None if that is not known.

        Returns:
            Photos that are given up, at most one.

        Raises:
            EnhanceError: Workers die again and again of a shard, but not of its photos.
        """
        worker = self._workers[number]
        piece = self._remove(number)
        if piece is None:
            return []
        shard = self._shards[piece.shard]
        suspects = self._suspects(shard, piece, in_flight)
        for photo in suspects:
            shard.left[photo] += 1
        blamed = {one for one in suspects if shard.left[one] >= BLAMED_AFTER}
        guilty = blamed if worker.alone_and_fresh else set[int]()
        culprits = [Culprit(piece.shard, photo, shard.left.pop(photo)) for photo in guilty]
        shard.told.update(guilty)
        if not shard.left:
            self.waiting.remove(piece.shard)
            del self._shards[piece.shard]
        return culprits

    def needs_fresh_worker(self) -> int | None:
        """An idle worker that should be replaced by a fresh one; None if that helps nobody."""
        if not self.waiting:
            return None
        for number in self.idle:
            past = self._workers[number].past
            if not any(self._shards[shard].piece_for(past) for shard in self.waiting):
                return number
        return None

    @staticmethod
    def _suspects(shard: _Shard, piece: Piece, in_flight: Collection[int] | None) -> list[int]:
        # What has an outcome was survived by an earlier worker, if not by this one.
        unsettled = [photo for photo in piece.photos if photo not in shard.told]
        known = piece.photos if len(piece.photos) == 1 else in_flight or ()
        if suspects := [photo for photo in unsettled if photo in known]:
            return suspects
        shard.unexplained += 1
        if shard.unexplained >= MAX_UNEXPLAINED:
            raise EnhanceError(
                f"shard {piece.shard}: {shard.unexplained} workers died of it, though of none of "
                "its photos; the logs of the cluster's nodes may tell why"
            )
        return unsettled if shard.unexplained >= BLAMED_AFTER else []

    def _remove(self, worker: int) -> Piece | None:
        piece = self._workers.pop(worker).piece
        if piece is not None:
            self._put_back(piece.shard)
        return piece

    def _put_back(self, shard: str) -> None:
        if self._shards[shard].left:
            self.waiting.appendleft(shard)
        else:
            del self._shards[shard]

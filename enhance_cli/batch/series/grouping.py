"""Divides a burst into series of photos that are alike, and finds the look that each shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from enhance_cli.batch.series.scene_colors import brightened, likeness
from enhance_cli.imaging.color_loop import ColorCoefficients
from enhance_cli.imaging.metadata.shot import Shot
from enhance_cli.inference.shared_look import OwnLook, SharedLook, share_look

_ALIKE = 0.45
"""Share of colors that photos of one scene have in common; those of others have 0.2 to 0.4."""

_RECENT = 8
"""Scenes of a burst to which a photographer may come back."""

_RECENT = 8
"""Scenes of a burst to which a photographer may come back."""

_FAR, _FARTHEST, _TIMES_MEDIAN = 0.15, 0.3, 3
"""Distance of a function from the shared one beyond which its photo leaves the series: a multiple
of the median of the series, but within these limits, in [0, 1]."""

_PER_STOP = 0.06
"""By how much farther it may be for each stop from the common exposure: networks make up for a part
of a difference in exposure."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A photo of a burst, as far as grouping needs it: some 40 kilobytes.

    Attributes:
        index: Its position in the burst.
        shot: How it was taken.
        colors: Its colors, see :func:`enhance_cli.batch.series.scene_colors.scene_colors`.
        look: What the networks predict for it alone.
        function: The same, with its protections of white and black.
        grey: Whether it has no color.
    """

    index: int
    shot: Shot
    colors: NDArray[np.float32]
    look: OwnLook
    function: ColorCoefficients
    grey: bool = False


@dataclass(frozen=True, eq=False)
class Series:
    """Photos that share a look.

    Attributes:
        frames: Two or more.
        stops: Exposure of each beyond the common one, in stops.
        look: The look, at the common exposure.
    """

    frames: tuple[Frame, ...]
    stops: tuple[float, ...]
    look: SharedLook


@dataclass(eq=False)
class _Cluster:
    """Frames that are alike, and the sum of their colors at the exposure of the first one."""

    frames: list[Frame] = field(default_factory=list)
    measured: list[float] = field(default_factory=list)
    colors: NDArray[np.float32] | None = None

    def match(self, frame: Frame) -> tuple[float, float]:
        """How alike a frame is, and by how many stops it is brighter than the first one."""
        assert self.colors is not None
        first, last = self.frames[0], self.frames[-1]
        of_all = likeness(
            frame.colors,
            self.colors / np.float32(len(self.frames)),
            frame.shot.stops_beyond(first.shot),
        )
        share, stops = likeness(frame.colors, last.colors, frame.shot.stops_beyond(last.shot))
        return max(of_all, (share, stops + self.measured[-1]), key=lambda one: round(one[0], 3))

    def add(self, frame: Frame, stops: float) -> None:
        moved = brightened(frame.colors, -stops)
        self.colors = moved if self.colors is None else self.colors + moved
        self.frames.append(frame)
        self.measured.append(stops)

    def stops(self) -> NDArray[np.float64]:
        """Exposure of each frame beyond the median, by EXIF if it says so for all."""
        first = self.frames[0].shot
        stated = [frame.shot.stops_beyond(first) for frame in self.frames]
        known = [one for one in stated if one is not None]
        stops = np.array(known if len(known) == len(stated) else self.measured)
        return stops - np.median(stops)


def group(frames: Sequence[Frame], by_hand: bool = False) -> list[Series]:
    """Divide a burst into series; frames that stand alone are in none.

    Args:
        frames: The frames of a burst, in the order in which they were taken.
        by_hand: Whether all of them belong together, however they look.
    """
    clusters: list[_Cluster] = []
    for frame in frames:
        recent = clusters[-_RECENT:]
        fitting = [one for one in recent if one.frames[0].grey == frame.grey or by_hand]
        matches = [(*one.match(frame), one) for one in fitting]
        share, stops, best = max(matches, key=lambda one: one[0], default=(0.0, 0.0, None))
        if share < _ALIKE:
            stops = 0.0  # what was measured means nothing
        if best is None or (share < _ALIKE and not by_hand):
            best = _Cluster()
            clusters.append(best)
        best.add(frame, stops)
    series = (_series(cluster, by_hand) for cluster in clusters)
    return [one for one in series if one is not None]


def _series(cluster: _Cluster, by_hand: bool) -> Series | None:
    """The series of alike frames, without those whose own look is far off; None if one is left."""
    frames, stops = cluster.frames, cluster.stops()
    while len(frames) > 1:
        look = share_look([frame.look for frame in frames], stops.tolist())
        limit = np.clip(_TIMES_MEDIAN * np.median(look.distances), _FAR, _FARTHEST)
        near = look.distances <= limit + _PER_STOP * np.abs(stops)
        if by_hand or near.all():
            return Series(tuple(frames), tuple(stops.tolist()), look)
        frames = [frame for frame, kept in zip(frames, near, strict=True) if kept]
        stops = stops[near]  # the common exposure stays
    return None

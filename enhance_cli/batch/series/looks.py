"""The look of each photo of a run that does not have one of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enhance_cli.imaging.photo import Photo
    from enhance_cli.inference.retouch import Retouch

_ALONE, _UNKNOWN = "alone", "?"

_SUFFIX = re.compile(r"~(?P<burst>[^~/]*)~(?P<series>[^~/]*)")
"""What the settings in the manifest end with if a photo was compared with others."""


@dataclass(frozen=True)
class Member:
    """A photo that was compared with others.

    Attributes:
        burst: Digest of all photos with which it was compared.
        series: Digest of those whose look it shares; ``"alone"`` if there is none, and ``"?"`` if
            that is not known yet.
        retouch: Returns the look, at the exposure of this photo; None if it is not known, or alone.
    """

    burst: str
    series: str = _ALONE
    retouch: Callable[[], Retouch] | None = None

    @property
    def suffix(self) -> str:
        """What the settings of its results end with."""
        return f"~{self.burst}~{self.series}"


class SharedLooks:
    """Which photos share a look.

    Attributes:
        members: The photos that were compared with others.
    """

    def __init__(self) -> None:
        self.members: Mapping[Path, Member] = {}
        self._numbers: dict[str, int] = {}

    def set(self, members: Mapping[Path, Member], order: Iterable[Path] = ()) -> None:
        """Set all photos that were compared with others.

        Args:
            members: The photos.
            order: All photos of the run in the order in which their series are numbered.
        """
        self.members = members
        found = (members[photo].series for photo in order if photo in members)
        shared = dict.fromkeys(one for one in found if one not in {_ALONE, _UNKNOWN})
        self._numbers = {series: number for number, series in enumerate(shared, 1)}

    def number(self, photo: Path) -> int | None:
        """The number of a photo's series; None if it stands alone."""
        member = self.members.get(photo)
        return None if member is None else self._numbers.get(member.series)

    def suffix(self, photo: Path) -> str:
        """What the settings of a photo's results end with in the manifest."""
        member = self.members.get(photo)
        return "" if member is None else member.suffix

    def retouch(self, photo: Path, pixels: Photo) -> Retouch | None:
        """The shared look for a photo; None if it has its own."""
        member = self.members.get(photo)
        if member is None or member.retouch is None:
            return None
        return replace(member.retouch(), grey=pixels.grey)


def from_record(burst: str, settings: str, base: str) -> Member:
    """What an earlier run has found out about a photo of the same burst.

    Args:
        burst: Digest of the burst.
        settings: The settings of its result.
        base: The settings of this run.
    """
    found = _SUFFIX.fullmatch(settings.removeprefix(base))
    known = found is not None and settings.startswith(base) and found["burst"] == burst
    return Member(burst, found["series"] if found is not None and known else _UNKNOWN)


def without_burst(settings: str) -> str:
    """The part of a result's settings on which its pixels depend.

    A photo that stands alone comes out as if it had not been compared with others, and one of a
    series comes out the same as long as the photos of the series are.
    """
    return _SUFFIX.sub(
        lambda found: "" if found["series"] == _ALONE else f"~{found['series']}", settings
    )

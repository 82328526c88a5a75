"""Whether more photos of one name may come in a listing, whatever the case of their letters.

A folder's names come in the order of their characters. So ``DSC_1.NEF`` and ``DSC_1.jpg`` are
neighbours, but ``dsc_1.jpg`` may come a million names later. Nobody needs to wait for that: a store
can be asked what follows ``DSc_1.``, and if that is nothing, no name in another case follows
either, neither of this photo nor of those after it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

from enhance_cli.cloud.planning.inputs import suffix_of
from enhance_cli.imaging.codecs.formats import PHOTOS

_LAST_WITH_CASE = 0x1F000
"""A character beyond all those that have a case."""

_LONGEST = 3
"""Most characters that casefolding makes of one."""

_AT_FIRST = 50_000
"""Names that a store may be asked for before it has listed any."""

_FOR_EACH = 2
"""Names that it may be asked for as well for each photo that has been listed."""

_LEAST = 1000
"""Names for which a question counts, however few it returns."""


class _Stretch(NamedTuple):
    """All names of a folder from one on.

    Attributes:
        first: From which on they are known.
        names: The names, in order.
    """

    first: str
    names: list[str]

    @property
    def last(self) -> str | None:
        """Up to which they are known; None if that is the end of the folder."""
        return self.names[-1] if self.names else None


class LookAhead:
    """What is known of a folder's names beyond those that have been listed.

    Args:
        ask: Returns some of the names after a name, in order, and none at the end of the folder;
            None if the store cannot tell.

    Attributes:
        gave_up: Whether the store cannot tell, or would have to be asked too often.
    """

    def __init__(self, ask: Callable[[str], list[str] | None]) -> None:
        self._ask = ask
        self._stretches: list[_Stretch] = []
        self._names_left = _AT_FIRST
        self.gave_up = False

    def may_come(self, after: str, beginning: str) -> bool:
        """Whether a photo may come whose name has a beginning, apart from case.

        Args:
            after: The name that was listed last.
            beginning: The beginning, casefolded, with a dot at its end.
        """
        self._names_left += _FOR_EACH
        least = first_name(f"{after}\0", beginning)
        while least is not None:
            known = self._known_at(least, after)
            if known is None:
                return True
            place = bisect_left(known.names, least)
            if place == len(known.names):  # only at the end of the folder
                return False
            name = known.names[place]
            if _is_photo(name) and name.casefold().startswith(beginning):
                return True
            least = first_name(f"{name}\0", beginning)
        return False

    def _known_at(self, name: str, after: str) -> _Stretch | None:
        """The stretch in which a name is, or would be; the store is asked if there is none."""
        for stretch in self._stretches:
            if stretch.first <= name and (stretch.last is None or name <= stretch.last):
                return stretch
        may_ask = self._names_left > 0 and not self.gave_up
        names = self._ask(name.removesuffix("\0")) if may_ask else None
        if names is None:
            self.gave_up = True
            return None
        self._names_left -= max(_LEAST, len(names))
        needed = (one for one in self._stretches if one.last is None or one.last > after)
        self._stretches = [_Stretch(name, names), *needed]
        return self._stretches[0]


def _is_photo(name: str) -> bool:
    """Whether this is the name of a photo in the folder itself."""
    return "/" not in name and suffix_of(name).lower() in PHOTOS


def first_name(least: str, beginning: str) -> str | None:
    """The first possible name, from one on, that has a beginning apart from case.

    Args:
        least: The name from which on.
        beginning: The beginning, casefolded, with a dot at its end.

    Returns:
        None if there is none.
    """
    places: list[int] = []
    at = 0
    for char in least:
        if at == len(beginning):
            return least
        places.append(at)
        folded = char.casefold()
        if not beginning.startswith(folded, at):
            break
        at += len(folded)
    else:
        return least + _smallest(beginning[at:])
    for number in reversed(range(len(places))):
        at = places[number]
        choices = _choices(beginning[at : at + _LONGEST])
        if choices[-1][0] > least[number]:
            char, length = next(one for one in choices if one[0] > least[number])
            return least[:number] + char + _smallest(beginning[at + length :])
    return None


def _smallest(folded: str) -> str:
    """The first of all names that differ from a casefolded one in case alone."""
    name, at = "", 0
    while at < len(folded):
        char, length = _choices(folded[at : at + _LONGEST])[0]
        name += char
        at += length
    return name


@lru_cache(2**14)
def _choices(folded: str) -> list[tuple[str, int]]:
    """Each character that casefolds to the beginning of a text, in order, and to how much of it."""
    found = [(folded[0], 1)]
    for length in range(1, len(folded) + 1):
        found += ((char, length) for char in _by_folded().get(folded[:length], ()))
    return sorted(found)


@cache
def _by_folded() -> dict[str, list[str]]:
    """The characters that casefolding changes, by what it makes of them."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for char in map(chr, range(_LAST_WITH_CASE)):
        if char.casefold() != char:
            found[char.casefold()].append(char)
    return dict(found)

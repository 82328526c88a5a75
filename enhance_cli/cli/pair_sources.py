"""The photos of ``train`` and ``eval``: reading their options, and rendering them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from enhance_cli.cli.console import say, say_warning, tracked
from enhance_cli.config.data import Source, SourceKind
from enhance_cli.errors import UsageError
from enhance_cli.run_records import results_passed_over

if TYPE_CHECKING:
    from enhance_cli.data.pair_cache import RenderProgress
    from enhance_cli.data.pair_collection import PairCollection
    from enhance_cli.data.pairs import BadPair


MAX_NAMED = 20
"""Largest number of pairs left out that are named one by one."""


class Run(Protocol):
    """A run that may have pairs to render."""

    def render_missing(self) -> Iterator[RenderProgress]:
        """Render the pairs that have not been rendered yet."""
        ...


def read_source(kind: SourceKind, text: str) -> Source:
    """Read ``DIR``, or ``DIR=REPEATS`` unless a folder has that whole name.

    Raises:
        UsageError: The number of repeats is not above zero.
    """
    folder, sign, number = text.rpartition("=")
    if not sign or os.path.exists(text):  # noqa: PTH110
        return Source(kind, Path(text))
    try:
        repeats = float(number)
    except ValueError:
        return Source(kind, Path(text))
    if not 0 < repeats < float("inf"):
        raise UsageError(f"{text}: the number after = must be above zero")
    return Source(kind, Path(folder), repeats)


def render_pairs(run: Run, pairs: PairCollection) -> None:
    """Report the pairs and the disk space they need, and render them with a progress bar."""
    for found in pairs.found:
        kind = "photos" if found.pairs and found.pairs[0].original is None else "pairs"
        say(f"{found.root}: {found.layout}, {len(found.pairs)} {kind}")
        if found.results:
            say(f"{found.root}: {results_passed_over(found.results)}")
    missing = pairs.missing
    if missing:
        say(
            f"rendering {len(missing)} of them once, at {pairs.cache.long_edge} px, into "
            f"{pairs.cache.folder}: {_size(pairs.cache.cost(missing))} at most"
        )
    for _ in tracked(run.render_missing(), "rendering", len(missing)):
        pass
    warn_of_bad_pairs(pairs.bad)


def warn_of_bad_pairs(bad_pairs: Sequence[BadPair]) -> None:
    """Name the pairs that are left out, with reasons."""
    for bad in bad_pairs[:MAX_NAMED]:
        say_warning(f"skipping {bad.key}: {bad.reason}")
    if len(bad_pairs) > MAX_NAMED:
        say_warning(f"skipping {len(bad_pairs) - MAX_NAMED} more pairs for such reasons")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"

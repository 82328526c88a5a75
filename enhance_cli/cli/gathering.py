"""What ``train`` and ``eval`` say of their photos before they begin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.progress import track

from enhance_cli.cli.console import messages, say, say_warning
from enhance_cli.config import Source, SourceKind
from enhance_cli.errors import UsageError

if TYPE_CHECKING:
    from enhance_cli.data.prepared import Progress
    from enhance_cli.engine.collection import Collection


class Run(Protocol):
    """A run that may have photos to prepare."""

    def prepare(self) -> Iterator[Progress]:
        """Render them."""
        ...


def read_source(kind: SourceKind, text: str) -> Source:
    """Read ``DIR``, or ``DIR=WEIGHT`` where there is no folder of that whole name.

    Raises:
        UsageError: The weight is not above zero.
    """
    folder, sign, number = text.rpartition("=")
    if not sign or Path(text).exists():
        return Source(kind, Path(text))
    try:
        weight = float(number)
    except ValueError:
        return Source(kind, Path(text))
    if not 0 < weight < float("inf"):
        raise UsageError(f"{text}: the weight after = must be a number above zero")
    return Source(kind, Path(folder), weight)


def show_preparation(run: Run, collection: Collection) -> None:
    """Say what was found and what preparing it will cost, and prepare it under a bar."""
    for found in collection.found:
        photos = "photos" if found.pairs and found.pairs[0].original is None else "pairs"
        say(f"{found.root}: {found.layout}, {len(found.pairs)} {photos}")
    missing = collection.missing
    if missing:
        say(
            f"preparing {len(missing)} of them once, at {collection.store.long_edge} px, in "
            f"{collection.store.folder}: {_size(collection.store.cost(missing))} at most"
        )
    for _ in track(
        run.prepare(),
        "preparing",
        len(missing),
        console=messages,
        transient=True,
        disable=not missing or not messages.is_terminal,
    ):
        pass
    for bad in collection.bad:
        say_warning(f"without {bad.key}: {bad.reason}")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"

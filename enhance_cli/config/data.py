"""Where pairs of photos come from, and which ones are held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Expert = Literal["a", "b", "c", "d", "e"]
SourceKind = Literal["fivek", "pairs", "photos"]
NewOrOverwrite = Literal["error", "overwrite"]


@dataclass(frozen=True)
class Source:
    """A folder of training photos.

    Attributes:
        kind: ``"fivek"`` for a copy of MIT-Adobe FiveK, ``"pairs"`` for photos before and after
            retouching, ``"photos"`` for finished photos, which are distorted at random so that the
            networks learn to restore them.
        path: The folder.
        repeats: How often each of its photos comes up in an epoch, on average.
    """

    kind: SourceKind
    path: Path
    repeats: float = 1.0


@dataclass(frozen=True)
class DataConfig:
    """The photos of a training or evaluation run.

    Attributes:
        sources: Folders to read.
        split: Named split, or file of ids, to hold out; None holds out nothing. A run that scores
            takes ``"all"`` as well, and None is then RANDOM250 of FiveK and all other pairs.
        expert: Whose versions to use of MIT-Adobe FiveK; the paper uses expert C's.
        cache_dir: Folder for the rendered pairs; None is the user's cache folder.
        skip_bad_pairs: Skip incomplete or mismatched pairs in place of stopping.
    """

    sources: tuple[Source, ...] = ()
    split: str | None = None
    expert: Expert = "c"
    cache_dir: Path | None = None
    skip_bad_pairs: bool = False

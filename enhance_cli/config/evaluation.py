"""One run of ``enhance eval``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from enhance_cli.config.data import DataConfig, NewOrOverwrite


@dataclass(frozen=True)
class EvalConfig:
    """What to score, and on which pairs.

    Attributes:
        data: The pairs; those that its split holds out are scored.
        weights: Weights files, or folders of them, to score; ``shipped`` are those of the package.
            Without any, and without ``outputs``, one is looked up.
        outputs: Folders of other systems' results, matched to the pairs by file name.
        panels: Folder for a comparison picture of each photo; None writes none.
        with_coarse: Also score CENet's part of the weights without PRNet.
        do_no_harm: Also measure how far the weights change the expert's versions.
        on_conflict: Whether others' files in the place of panels are an error or replaced.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
    """

    data: DataConfig
    weights: tuple[Path, ...] = ()
    outputs: tuple[Path, ...] = ()
    panels: Path | None = None
    with_coarse: bool = False
    do_no_harm: bool = False
    on_conflict: NewOrOverwrite = "error"
    device: str = "auto"

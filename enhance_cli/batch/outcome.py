"""What becomes of a photo, and what all photos of a batch share; nothing here reads a photo."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from enhance_cli.batch.conflicts import Reason
from enhance_cli.batch.output_paths import Job
from enhance_cli.batch.ownership import Ownership
from enhance_cli.batch.series.looks import SharedLooks
from enhance_cli.batch.worker_pool import WorkerPool
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.look_files import Looks

if TYPE_CHECKING:
    from enhance_cli.batch.side_outputs.gallery_page import GalleryEntry
    from enhance_cli.batch.side_outputs.side_outputs import SideOutputs
    from enhance_cli.inference.enhancer import Enhancer


class Status(StrEnum):
    """Whether a photo has a new result."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class PhotoOutcome:
    """The outcome of one photo.

    Attributes:
        input: The photo.
        output: Its result; None if it failed.
        status: Done, failed or skipped.
        reason: Why it was retouched or skipped.
        error: Why it failed, or None.
        seconds: Processing time.
        warnings: A line for each part of the photo or its metadata that was lost.
        series: Number of the series whose look it shares; None if it has its own.
    """

    input: Path
    output: Path | None
    status: Status
    reason: Reason
    error: str | None = None
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    series: int | None = None


@dataclass(frozen=True)
class Processed:
    """A processed photo whose outcome has not been reported yet.

    Attributes:
        job: The photo and its output path.
        outcome: The outcome to report.
        entry: Its entry in the gallery, or None.
        not_shown: Why the gallery cannot show it, or None.
    """

    job: Job
    outcome: PhotoOutcome
    entry: GalleryEntry | None = None
    not_shown: str | None = None


@dataclass(frozen=True)
class BatchContext:
    """What all photos of a batch share.

    Attributes:
        config: The batch's settings.
        settings_of: Returns the digest of the settings that affect a photo's result, for the
            manifest; the first call may take a tenth of a second.
        looks: The look of each photo.
        enhancer: The networks, which load while the first photos are read.
        pool: The workers, and their budget of pixels.
        side_outputs: Comparisons, look-up tables and the gallery.
        ownership: Tells whose a file is, and puts outputs into their places.
        shared: The looks that photos share.
    """

    config: ApplyConfig
    settings_of: Callable[[Path], str]
    looks: Looks
    enhancer: Future[Enhancer]
    pool: WorkerPool
    side_outputs: SideOutputs
    ownership: Ownership
    shared: SharedLooks

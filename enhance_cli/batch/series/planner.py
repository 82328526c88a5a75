"""Plans which photos of a run share a look."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from enhance_cli.atomic_write import why_missing
from enhance_cli.batch.conflicts import Decision, Reason
from enhance_cli.batch.manifest import Manifest
from enhance_cli.batch.output_paths import Job
from enhance_cli.batch.series.bursts import Burst, digest_of
from enhance_cli.batch.series.first_pass import bursts_of, look_at_bursts, look_of_one
from enhance_cli.batch.series.looks import Member, SharedLooks, from_record
from enhance_cli.batch.worker_pool import WorkerPool
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.model import ModelConfig
from enhance_cli.errors import UsageError
from enhance_cli.run_records import Origin

if TYPE_CHECKING:
    from enhance_cli.inference.enhancer import Enhancer

_SYNCED = "sync"


class SeriesPlanner:
    """Plans the looks of a run: from the manifest as far as it knows them, else from the photos.

    Photos of a burst are looked at only if one of them is new or changed.

    Args:
        config: The run's settings.
        jobs: The photos of the run and their output paths.
        model: The weights' configuration.

    Attributes:
        looks: The looks that photos share.
        warnings: Lines on the file that names series.

    Raises:
        UsageError: The weights have no looks that can be shared, or a file cannot be read.
    """

    def __init__(self, config: ApplyConfig, jobs: Sequence[Job], model: ModelConfig) -> None:
        _refuse_unusable(config, model)
        self._config = config
        self._outputs = {job.input: job.output for job in jobs}
        self.looks = SharedLooks()
        self.warnings: list[str] = []
        if config.series not in {"auto", "off"}:  # a file, whose faults are told at once
            self.warnings = self._found[1]

    def recall(self, manifest: Manifest, settings: Callable[[Path], str]) -> None:
        """Take the looks from the records of earlier runs.

        Args:
            manifest: The records.
            settings: Returns the digest of a photo's settings, without a look that it shares.
        """
        known: dict[Path, Member] = {}
        if self._synced is not None:
            known = dict.fromkeys(self._outputs, Member(_SYNCED, digest_of([self._synced])))
        for burst in self._bursts:
            for photo in burst.photos:
                record = manifest.lookup(self._outputs[photo])
                recorded = record.settings if record else ""
                known[photo] = from_record(burst.digest, recorded, settings(photo))
        self.looks.set(known, self._outputs)

    def concern(self, changed: set[Path]) -> bool:
        """Whether one of these photos may share a look."""
        return not changed.isdisjoint(self.looks.members)

    def look(
        self,
        changed: set[Path],
        pool: WorkerPool,
        enhancer: Future[Enhancer],
        looked_at: Callable[[int, int], None],
    ) -> None:
        """Find the looks of photos that have changed, and of all in their bursts.

        Args:
            changed: The photos that are to be retouched.
            pool: The workers.
            enhancer: The networks.
            looked_at: Called with the number of photos that have been looked at, and of all.

        Raises:
            UsageError: The photo whose look is wanted cannot be read.
            EnhanceError: The networks cannot be loaded.
        """
        known = dict(self.looks.members)
        if self._synced is not None:
            retouch = look_of_one(self._synced, self._config, pool, enhancer)
            member = Member(_SYNCED, digest_of([self._synced]), lambda: retouch)
            known = dict.fromkeys(self._outputs, member)
        bursts = [burst for burst in self._bursts if not changed.isdisjoint(burst.photos)]
        total, done = sum(len(burst.photos) for burst in bursts), count(1)
        common = self._config, pool, enhancer
        for members in look_at_bursts(bursts, *common, lambda: looked_at(next(done), total)):
            known |= members
        self.looks.set(known, self._outputs)

    def keep_records(
        self, decisions: Sequence[Decision], manifest: Manifest, settings: Callable[[Path], str]
    ) -> None:
        """Record of results that stay with what their photos have been compared.

        Then the next run need not look at these photos again.

        Args:
            decisions: What becomes of each photo.
            manifest: The records of a locked folder.
            settings: Returns the digest of a photo's settings, without a look that it shares.
        """
        for job, reason in decisions:
            record = manifest.lookup(job.output) if job.input in self.looks.members else None
            if record is None or reason is not Reason.UP_TO_DATE:
                continue
            wanted = settings(job.input) + self.looks.suffix(job.input)
            if record.settings != wanted:
                origin = Origin(record.input, record.folder, record.source, record.content, wanted)
                manifest.announce(origin, job.output, job.output)

    @property
    def _synced(self) -> Path | None:
        return self._config.sync_from if self._config.strength else None

    @property
    def _bursts(self) -> list[Burst]:
        return self._found[0]

    @cached_property
    def _found(self) -> tuple[list[Burst], list[str]]:
        return bursts_of(self._config, list(self._outputs))


def _refuse_unusable(config: ApplyConfig, model: ModelConfig) -> None:
    if config.sync_from is None and config.series == "off":
        return
    option = "--sync-from" if config.sync_from else "--series"
    if not model.is_color_function and not config.coarse_only:
        raise UsageError(
            f"{option}: these weights retouch each pixel by its place, so photos cannot share a "
            "look; use weights with a global PRNet, or --coarse-only"
        )
    photo = config.sync_from
    if photo and not os.path.isfile(photo):  # noqa: PTH113
        is_folder = os.path.isdir(photo)  # noqa: PTH112
        missing = why_missing(photo, "no such file")
        kind = "is a folder; name one photo" if is_folder else missing
        raise UsageError(f"--sync-from {photo}: {kind}")

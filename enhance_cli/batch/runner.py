"""Retouch a batch of photos.

What runs the networks, and the codecs, take longer to import than everything else that happens
before the first photo, and a run may have no use for them: nothing is to be done, or a folder or an
option is wrong. So this module imports at its top only what is needed to tell. The codecs follow
when a photo is to be read, and the networks are loaded in a thread of their own while others read
the first photos.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from enhance_cli.atomic_write import make_folder, rehearse_folder, remedy
from enhance_cli.batch.conflicts import SKIPPED, Decision, decide, why_unwritable
from enhance_cli.batch.manifest import settings_digest
from enhance_cli.batch.outcome import BatchContext, PhotoOutcome, Processed, Status
from enhance_cli.batch.output_paths import Job, Plan, plan_outputs
from enhance_cli.batch.ownership import Ownership
from enhance_cli.batch.record_places import option_of_results, records_for
from enhance_cli.batch.series.planner import SeriesPlanner
from enhance_cli.batch.worker_pool import (
    WorkerPool,
    in_background,
    resolve,
    threads_for,
    torch_threads,
)
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.look_files import Looks
from enhance_cli.config.model import ModelConfig
from enhance_cli.errors import OutputError, UsageError
from enhance_cli.garbage import garbage_left_alone
from enhance_cli.imaging.sidecars.find import sidecar_digest
from enhance_cli.inference.device import choose_device, refuse_unusable_device
from enhance_cli.inference.weights_file import describe_weights, find_weights

if TYPE_CHECKING:
    from enhance_cli.batch.side_outputs.side_outputs import SideOutputs
    from enhance_cli.inference.enhancer import Enhancer


TABLES_ARE_COARSE = (
    "--lut: the tables hold CENet's map alone; these weights also refine each pixel by its place, "
    "which a table cannot hold"
)


class SharedNetworks:
    """The networks of one run, or of several with the same settings.

    Attributes:
        ready: The networks, once a run has loaded them.
        digest: Digest of settings and weights, see :func:`settings_digest`.
    """

    def __init__(self) -> None:
        self.ready: Future[Enhancer] = Future()
        self.digest: Future[str] | None = None


class BatchRunner:
    """One run over a batch. Iterating over it yields a :class:`PhotoOutcome` for each photo.

    It may be iterated again, but not while it is being iterated: that is a second run.

    Whatever is wrong with the whole run is reported at once, before a photo is read. What only the
    tensors of damaged weights can tell is reported before a photo is written.

    Args:
        config: The run's settings.
        plan: Photos and their output paths; None finds all photos of the settings.
        networks: The networks, which an earlier run may have loaded.

    Attributes:
        config: The run's settings.
        plan: All photos and their output paths, and what is to be said beforehand.
        looks: The look of each photo.
        look_files: Each ``enhance.toml`` that was read.
        looked_at: Called when photos are compared with each other before the first one is
            retouched, with the number of those that have been looked at, and that of all.

    Raises:
        EnhanceError: Inputs, output folder, weights or device cannot be used.
    """

    def __init__(
        self, config: ApplyConfig, plan: Plan | None = None, networks: SharedNetworks | None = None
    ) -> None:
        self.config = config
        refuse_unusable_device(config.device)
        self.plan = plan or plan_outputs(config)
        self.looks = Looks(config.look, config.given, config.look_files)
        self.look_files = self.looks.read((job.input for job in self.plan.jobs), config.inputs)
        self._manifest = records_for(config, (job.output for job in self.plan.jobs))
        overwrite = config.on_conflict == "overwrite"
        self._ownership = Ownership(self._manifest, self.plan.originals, overwrite)
        self._side_outputs = self._make_side_outputs() if _has_side_outputs(config) else None
        weights = describe_weights(find_weights(config.weights))
        refuse_missing_cenet(config, weights.config)
        if config.lut and not config.coarse_only and not weights.config.is_color_function:
            self.plan = replace(self.plan, warnings=(*self.plan.warnings, TABLES_ARE_COARSE))
        self._weights = weights.path
        self._series = SeriesPlanner(config, self.plan.jobs, weights.config)
        self.plan = replace(self.plan, warnings=(*self.plan.warnings, *self._series.warnings))
        self.looked_at: Callable[[int, int], None] = lambda _done, _total: None
        self._pool = WorkerPool(config.jobs or threads_for("cpu"), spare=0 if config.jobs else 1)
        self._iterating = threading.Lock()
        self._problems: dict[Path, str] = {}
        self._shared = networks or SharedNetworks()
        if self._shared.digest is None:
            digest = partial(settings_digest, config, weights.path)
            self._shared.digest = in_background(digest)
        self._digest = self._shared.digest

    def stop(self) -> None:
        """End the iteration after the photos in progress."""
        self._pool.stop()

    def close(self) -> None:
        """Let go at once of all records, for which garbage collection may take long to come."""
        vars(self).pop("_batch", None)  # the runner and what its photos share hold each other

    @property
    def was_stopped(self) -> bool:
        """Whether :meth:`stop` has been called."""
        return self._pool.was_stopped

    def decisions(self) -> tuple[Decision, ...]:
        """What a run would do with each photo; nothing is written.

        What else a run would warn of is added to the plan's warnings.

        Raises:
            UsageError: Files are in the way, and ``on_conflict`` is ``"error"``.
            OutputError: A place cannot be written.
        """
        self._refuse_originals()
        if self.config.out is not None and not os.path.isdir(self.config.out):  # noqa: PTH112
            with self._errors_of_out():
                rehearse_folder(self.config.out)
        self._manifest.rehearse()
        with self._networks() as start:
            decisions = self._decide(start)
        jobs = [decision.job for decision in decisions if not decision.skipped]
        found = ((job.output, why_unwritable(job.output)) for job in jobs)
        self._problems = {path: problem for path, problem in found if problem is not None}
        if self._side_outputs is not None:
            jobs = [job for job in jobs if job.output not in self._problems]
            self._side_outputs.rehearse(jobs)
            warnings = (*self.plan.warnings, *self._side_outputs.take_warnings())
            self.plan = replace(self.plan, warnings=warnings)
        return decisions

    def problem_of(self, job: Job) -> str | None:
        """Why a photo's result could not be written; None if it can be.

        It is known after :meth:`decisions`.
        """
        return self._problems.get(job.output)

    @property
    def gallery(self) -> Path | None:
        """The gallery that the last iteration has written; None if it has written none."""
        return self._side_outputs.gallery if self._side_outputs is not None else None

    def series_of(self, job: Job) -> int | None:
        """Number of the series whose look a photo shares; None if it has its own.

        It is known after :meth:`decisions`.
        """
        return self._series.looks.number(job.input)

    def _refuse_originals(self) -> None:
        """Refuse folders of side outputs that hold photos, before a lock is left in one."""
        if self._side_outputs is not None:
            self._manifest.read()
            self._side_outputs.refuse_originals()

    @contextlib.contextmanager
    def _errors_of_out(self) -> Generator[None]:
        try:
            yield
        except OSError as problem:
            raise OutputError(
                f"{option_of_results(self.config)} {self.config.out}: {problem.strerror}; "
                + remedy(problem, "choose another folder")
            ) from problem

    def _decide(self, start_networks: Callable[[], None]) -> tuple[Decision, ...]:
        """Decide about each photo; those that may share a look are looked at before."""
        self._manifest.read()
        self._series.recall(self._manifest, self._own_settings_of)
        decisions = self._decide_by_looks()
        changed = {job.input for job, reason in decisions if reason not in SKIPPED}
        if not self._series.concern(changed):
            return decisions
        start_networks()
        self._series.look(changed, self._pool, self._batch.enhancer, self.looked_at)
        return self._decide_by_looks()

    def _decide_by_looks(self) -> tuple[Decision, ...]:
        common = self.plan.jobs, self._manifest, self._settings_of, self.config.on_conflict
        if self._side_outputs is None:
            return decide(*common, self._ownership)
        passed_over = self._side_outputs.passed_over = []
        return decide(*common, self._ownership, self._side_outputs.places, passed_over)

    def __iter__(self) -> Iterator[PhotoOutcome]:
        """Retouch every photo; one that cannot be read or written does not stop the others.

        Raises:
            OutputError: Nothing more can be written, or another run is writing to the folder.
            UsageError: Files are in the way, and ``on_conflict`` is ``"error"``.
            WeightsError: The weights are damaged.
        """
        self._refuse_originals()
        if self.config.out is not None:
            with self._errors_of_out():
                make_folder(self.config.out)
        with self._once_at_a_time(), self._manifest.locked(), self._networks() as start:
            decisions = self._decide(start)
            self._series.keep_records(decisions, self._manifest, self._own_settings_of)
            idle = all(decision.skipped for decision in decisions)
            if idle and self._side_outputs is None:
                yield from self._skipped(decisions)
                return
            batch = self._batch
            tasks = [self._task(decision) for decision in decisions]
            with batch.side_outputs.opened():
                if not idle:
                    start()
                for processed in batch.pool.run(tasks):
                    yield self._report(processed)

    @contextlib.contextmanager
    def _once_at_a_time(self) -> Generator[None]:
        if not self._iterating.acquire(blocking=False):
            raise UsageError("this batch is being iterated already; finish or close that first")
        try:
            yield
        finally:
            self._iterating.release()

    def _settings_of(self, photo: Path) -> str:
        return self._own_settings_of(photo) + self._series.looks.suffix(photo)

    def _own_settings_of(self, photo: Path) -> str:
        return self._digest.result() + self.looks.digest(photo) + sidecar_digest(photo)

    def _skipped(self, decisions: tuple[Decision, ...]) -> Iterator[PhotoOutcome]:
        """The outcomes of a run that has nothing to do."""
        for job, reason in decisions:
            if self.was_stopped:
                return
            series = self._series.looks.number(job.input)
            yield PhotoOutcome(job.input, job.output, Status.SKIPPED, reason, series=series)

    def _make_side_outputs(self) -> SideOutputs:
        from enhance_cli.batch.side_outputs.side_outputs import SideOutputs

        return SideOutputs(self.config, self._ownership, len(self.plan.jobs))

    @cached_property
    def _batch(self) -> BatchContext:
        return BatchContext(
            config=self.config,
            settings_of=self._settings_of,
            looks=self.looks,
            enhancer=self._shared.ready,
            pool=self._pool,
            side_outputs=self._side_outputs or self._make_side_outputs(),
            ownership=self._ownership,
            shared=self._series.looks,
        )

    @contextlib.contextmanager
    def _networks(self) -> Generator[Callable[[], None]]:
        """Give a function that begins to load the networks, in a thread, unless it has begun.

        Workers wait for the networks, or for the error. PyTorch's settings, if it runs the
        networks, are restored at the end.
        """
        loading: list[threading.Thread] = []
        with contextlib.ExitStack() as settings:

            def start() -> None:
                ready = self._batch.enhancer
                if ready.done():  # in an earlier run
                    self._use_threads(choose_device(self.config.device))
                    settings.enter_context(torch_threads(self._pool.threads))
                if loading or ready.done():
                    return
                load = partial(self._load, settings)
                thread = threading.Thread(target=resolve, args=(ready, load), name="networks")
                loading.append(thread)
                thread.start()

            try:
                yield start
            finally:
                for thread in loading:
                    thread.join()

    def _load(self, settings: contextlib.ExitStack) -> Enhancer:
        """Load the networks, and let the pool, and PyTorch if it runs them, use their threads."""
        with garbage_left_alone():
            from enhance_cli.inference.enhancer import Enhancer

            device = choose_device(self.config.device)
            self._use_threads(device)
            enhancer = Enhancer.load(self._weights, device)
            settings.enter_context(torch_threads(self._pool.threads))
            return enhancer

    def _use_threads(self, device: str) -> None:
        self._pool.grow(self.config.jobs or threads_for(device))

    def _task(self, decision: Decision) -> Callable[[], Processed]:
        from enhance_cli.batch.process_photo import process_photo, skip_photo

        handle = skip_photo if decision.skipped else process_photo
        return partial(handle, decision.job, decision.reason, self._batch)

    def _report(self, processed: Processed) -> PhotoOutcome:
        """Add a photo to the gallery, and the warnings of the run so far to its own."""
        series = self._series.looks.number(processed.job.input)
        self._batch.side_outputs.show(processed.job, processed.entry, processed.not_shown, series)
        own = self._batch.side_outputs.take_warnings()
        warnings = (*processed.outcome.warnings, *own)
        return replace(processed.outcome, warnings=warnings, series=series)


def _has_side_outputs(config: ApplyConfig) -> bool:
    return any((config.lut, config.compare, config.gallery))


def refuse_missing_cenet(config: ApplyConfig, model: ModelConfig) -> None:
    """Raise a UsageError if a run needs CENet, and its weights have none."""
    if model.has_cenet:
        return
    if config.coarse_only:
        raise UsageError(f"--coarse-only: weights of the variant {model.variant} have no CENet")
    if config.lut and not model.is_color_function:
        raise UsageError(
            f"--lut: these weights (variant {model.variant}) retouch each pixel by its place, "
            "which a table cannot hold; use weights with CENet or a global PRNet"
        )

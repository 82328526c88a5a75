"""Retouch a batch of photos."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from enhance_cli.batch.conflicts import Decision, decide
from enhance_cli.batch.manifest import Manifest, settings_digest
from enhance_cli.batch.output_paths import plan_outputs
from enhance_cli.batch.process_photo import (
    BatchContext,
    PhotoOutcome,
    Processed,
    process_photo,
    skip_photo,
)
from enhance_cli.batch.side_outputs import SideOutputs
from enhance_cli.batch.worker_pool import torch_threads, worker_pool_for
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.config.model import ModelConfig
from enhance_cli.errors import OutputError, UsageError
from enhance_cli.inference.enhancer import Enhancer
from enhance_cli.inference.weights import find_weights


class BatchRunner:
    """One run over a batch. Iterating over it yields a :class:`PhotoOutcome` for each photo.

    Whatever is wrong with the whole run is reported at once, before a photo is read.

    Args:
        config: The run's settings.

    Attributes:
        config: The run's settings.
        plan: All photos and their output paths.

    Raises:
        EnhanceError: Inputs, output folder, weights or device cannot be used.
    """

    def __init__(self, config: ApplyConfig) -> None:
        self.config = config
        self.plan = plan_outputs(config)
        side_outputs = SideOutputs(config)
        enhancer = Enhancer.load(config.weights, config.device)
        _refuse_missing_cenet(config, enhancer.model.config)
        weights = enhancer.weights_path or find_weights(config.weights)
        self._batch = BatchContext(
            config=config,
            settings_digest=settings_digest(config, weights),
            enhancer=enhancer,
            pool=worker_pool_for(enhancer.device),
            side_outputs=side_outputs,
            manifest=Manifest(config.out),
        )

    def stop(self) -> None:
        """End the iteration after the photos in progress."""
        self._batch.pool.stop()

    @property
    def was_stopped(self) -> bool:
        """Whether :meth:`stop` has been called."""
        return self._batch.pool.was_stopped

    def decisions(self) -> tuple[Decision, ...]:
        """What a run would do with each photo; nothing is written.

        Raises:
            UsageError: Files are in the way, and ``on_conflict`` is ``"error"``.
        """
        self._batch.manifest.read()
        return decide(
            self.plan.jobs,
            self._batch.manifest,
            self._batch.settings_digest,
            self.config.on_conflict,
            self._batch.side_outputs.missing,
        )

    def __iter__(self) -> Iterator[PhotoOutcome]:
        """Retouch every photo; one that cannot be read or written does not stop the others.

        Raises:
            OutputError: Nothing more can be written, or another run is writing to the folder.
            UsageError: Files are in the way, and ``on_conflict`` is ``"error"``.
        """
        batch = self._batch
        _make_folder(self.config)
        with batch.manifest.locked():
            tasks = [self._task(decision) for decision in self.decisions()]
            with batch.side_outputs.opened(), torch_threads(batch.pool.threads):
                for processed in batch.pool.run(tasks):
                    yield self._report(processed)

    def _task(self, decision: Decision) -> Callable[[], Processed]:
        handle = skip_photo if decision.skipped else process_photo
        return partial(handle, decision.job, decision.reason, self._batch)

    def _report(self, processed: Processed) -> PhotoOutcome:
        """Add a photo to the gallery, and the warnings of the whole run to its own."""
        enhancer = self._batch.enhancer
        self._batch.side_outputs.show(processed.job, processed.entry, processed.not_shown)
        warnings, enhancer.warnings = enhancer.warnings, []
        outcome = processed.outcome
        return replace(outcome, warnings=(*outcome.warnings, *warnings))


def _make_folder(config: ApplyConfig) -> None:
    try:
        config.out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(
            f"--out {config.out}: {problem.strerror}; choose another folder"
        ) from problem


def _refuse_missing_cenet(config: ApplyConfig, model: ModelConfig) -> None:
    if model.has_cenet:
        return
    if config.coarse_only:
        raise UsageError(f"--coarse-only: weights of the variant {model.variant} have no CENet")
    if config.lut and not model.is_color_function:
        raise UsageError(
            f"--lut: these weights (variant {model.variant}) retouch each pixel by its place, "
            "which a table cannot hold; use weights with CENet or a global PRNet"
        )

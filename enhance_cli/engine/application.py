"""Enhance a batch of photos."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from enhance_cli.config import ApplyConfig, ModelConfig
from enhance_cli.engine.conflicts import Decision, Reason, decide
from enhance_cli.engine.enhancer import Enhancer
from enhance_cli.engine.manifest import Manifest, Stamp, settings_digest
from enhance_cli.engine.planning import PlannedPhoto, make_plan
from enhance_cli.engine.retouching import Retouch
from enhance_cli.engine.showing import Showing
from enhance_cli.errors import EnhanceError, OutputError, PhotoError, RetouchError, UsageError
from enhance_cli.imaging import metadata
from enhance_cli.imaging.decoding import decode
from enhance_cli.imaging.encoding import write_photo
from enhance_cli.imaging.photo import Photo


class Status(StrEnum):
    """What became of a photo."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class PhotoOutcome:
    """What became of one photo.

    Attributes:
        input: The photo.
        output: Its result; None where there is none.
        status: Done, failed, or skipped.
        reason: Why it was retouched or skipped.
        error: Why it failed.
        seconds: That it took.
        warnings: What was lost on the way, each in one line.
    """

    input: Path
    output: Path | None
    status: Status
    reason: Reason
    error: str | None = None
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()


class Application:
    """One run over a batch; iterate over it, a :class:`PhotoOutcome` a photo.

    Everything that can be wrong with the whole run shows here, before a photo is touched.

    Args:
        config: The run.

    Raises:
        EnhanceError: Inputs, output folder, weights or device cannot be used.
    """

    def __init__(self, config: ApplyConfig) -> None:
        self.config = config
        self.plan = make_plan(config)
        self.showing = Showing(config)
        self.enhancer = Enhancer.load(config.weights, config.device)
        _refuse_what_the_model_cannot(config, self.enhancer.weights.model.config)
        self.settings = settings_digest(config, self.enhancer.weights.path)
        self.manifest = Manifest(config.out)
        self._stopping = False

    def stop(self) -> None:
        """End the iteration after the photo that is being worked on."""
        self._stopping = True

    @property
    def was_stopped(self) -> bool:
        """Whether somebody asked for the end."""
        return self._stopping

    def decisions(self) -> tuple[Decision, ...]:
        """What a run would do with each photo; nothing is written.

        Raises:
            UsageError: Files are in the way, and that is to be an error.
        """
        self.manifest.read()
        return decide(
            self.plan.photos,
            self.manifest,
            self.settings,
            self.config.on_conflict,
            self.showing.lacks,
        )

    def __iter__(self) -> Iterator[PhotoOutcome]:
        """Enhance every photo; one that cannot be read or written does not stop the others.

        Raises:
            OutputError: Nothing more can be written at all, or another run writes there.
            UsageError: Files are in the way, and that is to be an error.
        """
        _make_folder(self.config.out)
        with self.manifest.held():
            decisions = self.decisions()
            self.showing.open()
            try:
                for decision in decisions:
                    if self._stopping:
                        return
                    yield self._outcome(decision)
            finally:
                self.showing.close()

    def _outcome(self, decision: Decision) -> PhotoOutcome:
        photo, reason = decision.photo, decision.reason
        if decision.skipped:
            self.showing.add_skipped(photo)
            return PhotoOutcome(photo.input, photo.output, Status.SKIPPED, reason)
        started = time.perf_counter()
        stamp = Stamp.of(photo.input)
        try:
            notes = self._enhance_whatever_happens(photo)
        except PhotoError as problem:
            self.showing.add_failed(photo, str(problem))
            seconds = time.perf_counter() - started
            return PhotoOutcome(photo.input, None, Status.FAILED, reason, str(problem), seconds)
        if stamp is not None:
            self.manifest.add(photo.input, stamp, photo.output, self.settings)
        seconds = time.perf_counter() - started
        return PhotoOutcome(
            photo.input, photo.output, Status.DONE, reason, seconds=seconds, warnings=notes
        )

    def _enhance_whatever_happens(self, planned: PlannedPhoto) -> tuple[str, ...]:
        """Let not even a fault of our own in one photo cost the thousands after it."""
        try:
            return self._enhance(planned)
        except EnhanceError:
            raise
        except Exception as problem:
            place = traceback.extract_tb(problem.__traceback__)[-1]
            raise PhotoError(
                f"{planned.input}: {type(problem).__name__}: {' '.join(str(problem).split())} "
                f"({Path(place.filename).name}, line {place.lineno}); this is a fault in enhance, "
                "please report it"
            ) from problem

    def _enhance(self, planned: PlannedPhoto) -> tuple[str, ...]:
        settings = self.config
        photo = decode(planned.input, settings.long_edge, settings.max_pixels)
        try:
            result, seen = self.enhancer.retouch_and_tell(
                photo, settings.coarse_only, settings.strength, settings.srgb
            )
        except RetouchError as problem:
            raise PhotoError(f"{planned.input}: {problem}") from problem
        carried, lost = metadata.for_result(
            planned.input,
            photo.metadata,
            result.size,
            srgb=result.colours.is_srgb,
            keep=settings.keep_metadata,
        )
        both = self.showing.made_small(photo), self.showing.made_small(result)
        notes = [*photo.warnings, *lost, *self.enhancer.notes]
        self.enhancer.notes.clear()
        del photo  # while the result is written, large photos need the memory
        notes += write_photo(result, planned.output, settings.encoding, carried)
        return (*notes, *self._shown(planned, *both, seen))

    def _shown(
        self,
        planned: PlannedPhoto,
        before: Photo | None,
        after: Photo | None,
        seen: Retouch | None,
    ) -> tuple[str, ...]:
        try:
            self.showing.add(planned, before, after, seen)
        except PhotoError as problem:
            return (str(problem),)
        return ()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(f"--out {folder}: {problem.strerror}; choose another folder") from problem


def _refuse_what_the_model_cannot(config: ApplyConfig, model: ModelConfig) -> None:
    for option, asked in (("--coarse-only", config.coarse_only), ("--lut", config.lut)):
        if asked and not model.has_cenet:
            raise UsageError(f"{option}: weights of the variant {model.variant} have no CENet")

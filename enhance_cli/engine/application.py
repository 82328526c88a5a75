"""Enhance a batch of photos."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from enhance_cli.config import ApplyConfig, ModelConfig
from enhance_cli.engine.conflicts import Decision, Reason, decide
from enhance_cli.engine.crew import AbandonedError, cores_shared_out, crew_for
from enhance_cli.engine.enhancer import Enhancer
from enhance_cli.engine.gallery import Exhibit
from enhance_cli.engine.manifest import Manifest, Stamp, settings_digest
from enhance_cli.engine.planning import PlannedPhoto, make_plan
from enhance_cli.engine.showing import Showing
from enhance_cli.errors import EnhanceError, OutputError, PhotoError, RetouchError, UsageError
from enhance_cli.imaging import metadata
from enhance_cli.imaging.decoding import decode
from enhance_cli.imaging.encoding import write_photo


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


@dataclass(frozen=True)
class _Made:
    """A photo whose work is done, but which nobody has been told of.

    Attributes:
        photo: Which.
        outcome: What became of it.
        exhibit: For the gallery.
        unshown: Why the gallery cannot show it.
    """

    photo: PlannedPhoto
    outcome: PhotoOutcome
    exhibit: Exhibit | None = None
    unshown: str | None = None


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
        self.crew = crew_for(self.enhancer.device)

    def stop(self) -> None:
        """End the iteration after the photos that are being worked on."""
        self.crew.stop()

    @property
    def was_stopped(self) -> bool:
        """Whether somebody asked for the end."""
        return self.crew.was_stopped

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
                with cores_shared_out(self.crew.threads):
                    for made in self.crew.run(self._made, decisions):
                        yield self._told(made)
            finally:
                self.showing.close()

    def _made(self, decision: Decision) -> _Made:
        """Do all that is to be done for one photo; in any thread."""
        photo, reason = decision.photo, decision.reason
        if decision.skipped:
            outcome = PhotoOutcome(photo.input, photo.output, Status.SKIPPED, reason)
            try:
                return _Made(photo, outcome, self.showing.prepared_again(photo))
            except PhotoError as problem:
                return _Made(photo, outcome, unshown=str(problem))
        started = time.perf_counter()
        stamp = Stamp.of(photo.input)
        try:
            notes, exhibit = self._enhance_whatever_happens(photo)
        except PhotoError as problem:
            seconds = time.perf_counter() - started
            outcome = PhotoOutcome(photo.input, None, Status.FAILED, reason, str(problem), seconds)
            return _Made(photo, outcome, unshown=str(problem))
        if stamp is not None:
            self.manifest.add(photo.input, stamp, photo.output, self.settings)
        seconds = time.perf_counter() - started
        outcome = PhotoOutcome(
            photo.input, photo.output, Status.DONE, reason, seconds=seconds, warnings=notes
        )
        return _Made(photo, outcome, exhibit)

    def _told(self, made: _Made) -> PhotoOutcome:
        """Show a photo whose turn it is, and what the run is to be told of beside it."""
        if made.exhibit:
            self.showing.add(made.exhibit)
        if made.unshown:
            self.showing.add_failed(made.photo, made.unshown)
        notes, self.enhancer.notes = self.enhancer.notes, []
        return replace(made.outcome, warnings=(*made.outcome.warnings, *notes))

    def _enhance_whatever_happens(
        self, planned: PlannedPhoto
    ) -> tuple[tuple[str, ...], Exhibit | None]:
        """Let not even a fault of our own in one photo cost the thousands after it."""
        try:
            with self.crew.room.admission() as admit:
                return self._enhance(planned, admit)
        except (EnhanceError, AbandonedError):
            raise
        except Exception as problem:
            place = traceback.extract_tb(problem.__traceback__)[-1]
            raise PhotoError(
                f"{planned.input}: {type(problem).__name__}: {' '.join(str(problem).split())} "
                f"({Path(place.filename).name}, line {place.lineno}); this is a fault in enhance, "
                "please report it"
            ) from problem

    def _enhance(
        self, planned: PlannedPhoto, admit: Callable[[int], None]
    ) -> tuple[tuple[str, ...], Exhibit | None]:
        settings = self.config
        self.crew.go_on()
        photo = decode(planned.input, settings.long_edge, settings.max_pixels, admit)
        self.crew.go_on()
        before = self.showing.made_small(photo)
        try:
            result, seen = self.enhancer.retouch_and_tell(
                photo,
                settings.coarse_only,
                settings.strength,
                settings.srgb,
                spend=before is None,
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
        after = self.showing.made_small(result)
        notes = [*photo.warnings, *lost]
        del photo  # while the result is written, large photos need the memory
        self.crew.go_on()
        notes += write_photo(result, planned.output, settings.encoding, carried)
        try:
            exhibit = self.showing.prepared(planned, before, after, seen)
        except PhotoError as problem:
            return (*notes, str(problem)), None
        return tuple(notes), exhibit


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(f"--out {folder}: {problem.strerror}; choose another folder") from problem


def _refuse_what_the_model_cannot(config: ApplyConfig, model: ModelConfig) -> None:
    for option, asked in (("--coarse-only", config.coarse_only), ("--lut", config.lut)):
        if asked and not model.has_cenet:
            raise UsageError(f"{option}: weights of the variant {model.variant} have no CENet")

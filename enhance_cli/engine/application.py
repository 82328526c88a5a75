"""Enhance a batch of photos."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from enhance_cli.config import ApplyConfig, ModelConfig
from enhance_cli.engine.device import pick_device
from enhance_cli.engine.inference import enhance_pixels
from enhance_cli.engine.planning import PlannedPhoto, make_plan
from enhance_cli.engine.weights import find_weights, load_weights
from enhance_cli.errors import OutputError, PhotoError, UsageError
from enhance_cli.imaging import metadata
from enhance_cli.imaging.decoding import Photo, decode
from enhance_cli.imaging.encoding import encode, to_image


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
        status: Done, failed, or skipped because the result was there already.
        error: Why it failed.
        seconds: That it took.
        warnings: What was lost on the way, each in one line.
    """

    input: Path
    output: Path | None
    status: Status
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
        self.device = pick_device(config.device)
        _make_folder(config.out)
        self.weights = load_weights(find_weights(config.weights), self.device)
        _refuse_what_the_model_cannot(config, self.weights.model.config)

    def __iter__(self) -> Iterator[PhotoOutcome]:
        """Enhance every photo; one that cannot be read or written does not stop the others.

        Raises:
            OutputError: Nothing more can be written at all.
        """
        for planned in self.plan.photos:
            if planned.output.exists() and not self.config.overwrite:
                yield PhotoOutcome(planned.input, planned.output, Status.SKIPPED)
                continue
            started = time.perf_counter()
            try:
                notes = self._enhance(planned)
            except PhotoError as problem:
                seconds = time.perf_counter() - started
                yield PhotoOutcome(planned.input, None, Status.FAILED, str(problem), seconds)
            else:
                seconds = time.perf_counter() - started
                yield PhotoOutcome(
                    planned.input, planned.output, Status.DONE, seconds=seconds, warnings=notes
                )

    def _enhance(self, planned: PlannedPhoto) -> tuple[str, ...]:
        photo = decode(planned.input, self.config.long_edge)
        pixels = enhance_pixels(
            self.weights.model, photo.pixels, self.device, self.config.coarse_only
        )
        if not np.isfinite(pixels).all():
            raise PhotoError(f"{planned.input}: the network's result is not finite")
        exif, notes = _exif_of(planned.input, photo)
        image = to_image(pixels, photo.alpha, photo.grey)
        encode(image, planned.output, self.config.quality, exif)
        return (*photo.warnings, *notes)


def _exif_of(path: Path, photo: Photo) -> tuple[bytes | None, tuple[str, ...]]:
    """The EXIF block for the result; a failure is a warning, never a lost photo."""
    height, width = photo.pixels.shape[:2]
    try:
        return metadata.for_result(path, photo.exif, width, height), ()
    except metadata.MetadataError as problem:
        return None, (str(problem),)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(f"--out {folder}: {problem.strerror}; choose another folder") from problem


def _refuse_what_the_model_cannot(config: ApplyConfig, model: ModelConfig) -> None:
    if config.coarse_only and not model.has_cenet:
        raise UsageError(f"--coarse-only: weights of the variant {model.variant} have no CENet")
    if model.fit == "pad" and config.long_edge > model.canvas:
        raise UsageError(
            f"--long-edge {config.long_edge}: these weights see photos of up to {model.canvas} px; "
            f"use --long-edge {model.canvas}"
        )

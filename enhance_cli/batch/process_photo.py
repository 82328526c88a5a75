"""One photo, from its file to its result."""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from pathlib import Path

from enhance_cli.batch.conflicts import Reason, free_path
from enhance_cli.batch.outcome import BatchContext, PhotoOutcome, Processed, Status
from enhance_cli.batch.output_paths import Job
from enhance_cli.batch.side_outputs.lut_file import write_retouch_as_lut
from enhance_cli.batch.side_outputs.side_output import RetouchedPhoto
from enhance_cli.batch.worker_pool import BatchCancelledError
from enhance_cli.config.look_files import Look
from enhance_cli.errors import EnhanceError, PhotoError, PlaceTakenError, RetouchError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.metadata.exif import camera_in
from enhance_cli.imaging.metadata.metadata import metadata_for_result
from enhance_cli.imaging.photo import Photo
from enhance_cli.run_records import Origin


def process_photo(job: Job, reason: Reason, batch: BatchContext) -> Processed:
    """Retouch one photo; called from several threads.

    Errors that concern this photo alone become its outcome, so that the batch goes on.

    Args:
        job: The photo and its output path.
        reason: Why it is retouched.
        batch: What all photos share.

    Raises:
        EnhanceError: Every further photo would fail in the same way, for example on a full disk.
        BatchCancelledError: The batch has been cancelled.
    """
    config, side_outputs = batch.config, batch.side_outputs
    started, origin = time.perf_counter(), Origin.of(job.input, batch.settings_of(job.input))
    claim = batch.ownership.claim(origin, job.input, config.keep_times)
    try:
        with batch.pool.budget.reservation() as reserve:
            batch.pool.check_cancelled()
            check = batch.pool.check_cancelled
            photo = decode(job.input, config.long_edge, config.max_pixels, reserve, check)
            before = side_outputs.preview(photo)
            enhancer = batch.enhancer.result()
            batch.pool.check_cancelled()
            look = _look_of(job, photo, batch)
            unchanged = look.strength == 0 and not config.srgb
            retouch = None if unchanged else batch.shared.retouch(job.input, photo)
            if retouch is None and not unchanged:
                retouch = enhancer.predict(photo, config.coarse_only)
            warnings, entry = photo.warnings, None
            warnings += retouch.warnings if retouch else ()
            if not config.pictures:
                write_retouch_as_lut(retouch, look, job, job.output, config, claim)
            elif reason is Reason.SIDE_OUTPUT_MISSING:
                del photo
                after = side_outputs.preview_of_result(job)
                shown = RetouchedPhoto(job, before, after, retouch, look)
                entry, problems = side_outputs.write(shown, claim)
                warnings = problems  # the run that wrote the result has told of the photo's own
            else:
                in_place = before is None
                turned = look.strength, config.srgb, in_place, look.dials
                result = enhancer.apply(photo, retouch, *turned)
                after = side_outputs.preview(result)
                metadata, lost = metadata_for_result(
                    photo.metadata,
                    result.size,
                    srgb=result.color_space.is_srgb,
                    keep=config.keep_metadata,
                )
                del photo  # large photos need the memory while the result is written
                batch.pool.check_cancelled()
                left_out = write_photo(result, job.output, config.encoding, metadata, claim)
                warnings += (*lost, *left_out)
                shown = RetouchedPhoto(job, before, after, retouch, look)
                entry, problems = side_outputs.write(shown, claim)
                warnings += problems
    except PlaceTakenError as problem:
        return _place_taken(job, reason, batch, problem, started)
    except (PhotoError, RetouchError) as problem:
        return _failed(job, reason, _with_path(job, problem), started)
    except (EnhanceError, BatchCancelledError):
        raise
    except Exception as problem:
        return _failed(job, reason, _bug_report(job, problem), started)
    outcome = PhotoOutcome(
        job.input, job.output, Status.DONE, reason, None, _since(started), warnings
    )
    return Processed(job, outcome, entry)


def _look_of(job: Job, photo: Photo, batch: BatchContext) -> Look:
    """Strength and dials of a photo, which may depend on its camera."""
    return batch.looks.of(job.input, camera_in(photo.metadata.exif))


def _place_taken(
    job: Job, reason: Reason, batch: BatchContext, problem: PlaceTakenError, started: float
) -> Processed:
    """Do with a file that came into a result's place during the run what the user has chosen."""
    if batch.config.on_conflict == "rename":
        beside = free_path(job.output, job.input, batch.ownership)
        return process_photo(replace(job, output=beside), reason, batch)
    if batch.config.on_conflict == "skip":
        reason = Reason.FOREIGN_FILE
        return Processed(job, PhotoOutcome(job.input, job.output, Status.SKIPPED, reason))
    return _failed(job, reason, str(problem), started)


def skip_photo(job: Job, reason: Reason, batch: BatchContext) -> Processed:
    """Skip one photo; the gallery shows the result of an earlier run."""
    outcome = PhotoOutcome(job.input, job.output, Status.SKIPPED, reason)
    if reason is Reason.OTHER_PHOTO:
        return Processed(job, outcome, not_shown=str(reason))
    try:
        entry = batch.side_outputs.entry_for_existing(
            job, lambda photo: _look_of(job, photo, batch)
        )
        return Processed(job, outcome, entry)
    except PhotoError as problem:
        return Processed(job, outcome, not_shown=str(problem))


def _failed(job: Job, reason: Reason, error: str, started: float) -> Processed:
    outcome = PhotoOutcome(job.input, None, Status.FAILED, reason, error, _since(started))
    return Processed(job, outcome, not_shown=error)


def _with_path(job: Job, problem: EnhanceError) -> str:
    return f"{job.input}: {problem}" if isinstance(problem, RetouchError) else str(problem)


def _bug_report(job: Job, problem: Exception) -> str:
    """Turn an unexpected error into a failure of this photo, so that the batch goes on."""
    place = traceback.extract_tb(problem.__traceback__)[-1]
    return (
        f"{job.input}: {type(problem).__name__}: {' '.join(str(problem).split())} "
        f"({Path(place.filename).name}, line {place.lineno}); this is a bug in enhance, "
        "please report it"
    )


def _since(started: float) -> float:
    return time.perf_counter() - started

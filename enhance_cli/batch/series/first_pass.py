"""Looks at the photos of a run before the first one is retouched, and divides them into series."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from enhance_cli.batch.series.bursts import Burst, When, digest_of, find_bursts, in_parts
from enhance_cli.batch.series.looks import Member
from enhance_cli.batch.series.series_file import read_series_file
from enhance_cli.batch.worker_pool import BatchCancelledError, WorkerPool
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import EnhanceError, PhotoError, RetouchError, UsageError
from enhance_cli.imaging.codecs.formats import is_raw

if TYPE_CHECKING:
    from enhance_cli.batch.series.grouping import Frame
    from enhance_cli.imaging.color_loop import ColorCoefficients
    from enhance_cli.imaging.metadata.shot import Shot
    from enhance_cli.inference.enhancer import Enhancer
    from enhance_cli.inference.retouch import Retouch
    from enhance_cli.inference.shared_look import SharedLook

_VIEW = 2
"""A photo is decoded at this multiple of the edge at which the networks see it."""


def bursts_of(config: ApplyConfig, photos: list[Path]) -> tuple[list[Burst], list[str]]:
    """Find the photos that may be of one scene.

    Args:
        config: The run's settings.
        photos: The photos of the run, in order.

    Returns:
        The bursts, and warnings about the file that names them.

    Raises:
        UsageError: That file cannot be read.
    """
    if config.series == "off" or config.strength == 0:
        return [], []
    if config.series == "auto":
        found = find_bursts(photos, config.series_gap, _when)
        return [Burst.of(members, by_hand=False) for members in found], []
    lines, warnings = read_series_file(Path(config.series), photos)
    parts = [part for line in lines for part in in_parts(line)]
    return [Burst.of([photos[index] for index in part], by_hand=True) for part in parts], warnings


def _when(photo: Path) -> When:
    shot = _shot(photo)
    return When((photo.parent, is_raw(photo), shot.camera), shot.time)


def _shot(photo: Path) -> Shot:
    from enhance_cli.imaging.codecs.decode import read_exif
    from enhance_cli.imaging.metadata.shot import shot_of

    return shot_of(read_exif(photo))


def look_at_bursts(
    bursts: list[Burst],
    config: ApplyConfig,
    pool: WorkerPool,
    enhancer: Future[Enhancer],
    looked: Callable[[], None],
) -> Iterator[dict[Path, Member]]:
    """Divide bursts into series; photos are decoded small, side by side.

    Photos that cannot be read are left out; reading them again will report it. If the pool is
    stopped, no further burst is yielded.

    Args:
        bursts: The bursts.
        config: The run's settings.
        pool: The workers.
        enhancer: The networks.
        looked: Called after each photo.

    Yields:
        What has become of each photo of a burst, burst by burst.
    """
    tasks = (
        partial(_look_at, index, photo, config, pool, enhancer)
        for burst in bursts
        for index, photo in enumerate(burst.photos)
    )
    frames = pool.run(tasks)
    for burst in bursts:
        found: list[Frame | None] = []
        for frame in islice(frames, len(burst.photos)):
            found.append(frame)
            looked()
        if len(found) < len(burst.photos):
            return
        yield _members(burst, [frame for frame in found if frame is not None])
    next(frames, None)  # so that the pool has finished


def _look_at(
    index: int, path: Path, config: ApplyConfig, pool: WorkerPool, enhancer: Future[Enhancer]
) -> Frame | None:
    """Read a photo and predict its own look; None if that fails."""
    from enhance_cli.batch.series.grouping import Frame
    from enhance_cli.batch.series.scene_colors import scene_colors
    from enhance_cli.imaging.codecs.decode import decode
    from enhance_cli.imaging.metadata.shot import shot_of
    from enhance_cli.inference.shared_look import own_look

    networks = enhancer.result()
    edge = networks.config.input_edge
    try:
        with pool.budget.reservation() as reserve:
            pool.check_cancelled()
            photo = decode(path, _VIEW * edge, config.max_pixels, reserve)
            retouch = networks.predict(photo, config.coarse_only)
            view = photo.fit_within(edge).as_srgb()
    except (PhotoError, RetouchError):
        return None
    except (EnhanceError, BatchCancelledError):
        raise
    except Exception:  # a bug, which is reported when the photo is retouched
        return None
    return Frame(
        index,
        shot_of(photo.metadata.exif),
        scene_colors(view),
        own_look(view, retouch.function),
        retouch.function,
        photo.grey,
    )


def _members(burst: Burst, frames: list[Frame]) -> dict[Path, Member]:
    from enhance_cli.batch.series.grouping import group

    members = {photo: Member(burst.digest) for photo in burst.photos}
    for series in group(frames, burst.by_hand):
        photos = [burst.photos[frame.index] for frame in series.frames]
        digest = digest_of(photos)
        protection = series.frames[0].function
        for photo, stops in zip(photos, series.stops, strict=True):
            retouch = partial(_retouch, series.look, stops, protection)
            members[photo] = Member(burst.digest, digest, retouch)
    return members


def _retouch(look: SharedLook, stops: float, protection: ColorCoefficients) -> Retouch:
    from enhance_cli.inference.retouch import Retouch
    from enhance_cli.inference.shared_look import look_at_exposure

    return Retouch(look_at_exposure(look, stops, protection), has_cenet=False)


def look_of_one(
    path: Path, config: ApplyConfig, pool: WorkerPool, enhancer: Future[Enhancer]
) -> Retouch:
    """Predict the look of one photo, as it is when the photo is retouched.

    Args:
        path: The photo.
        config: The run's settings.
        pool: The workers, whose memory it takes.
        enhancer: The networks.

    Raises:
        UsageError: The photo cannot be read, or has no look.
    """
    from enhance_cli.imaging.codecs.decode import decode

    try:
        with pool.budget.reservation() as reserve:
            photo = decode(path, config.long_edge, config.max_pixels, reserve)
            return enhancer.result().predict(photo, config.coarse_only)
    except (PhotoError, RetouchError) as problem:
        raise UsageError(f"--sync-from {problem}") from problem

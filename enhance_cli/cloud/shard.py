"""A shard: photos that one worker does in one go, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PHOTOS = 256
"""Most photos of a shard."""

MAX_BYTES = 2 * 2**30
"""Most bytes of the photos of a shard, unless a single one has more."""


@dataclass(frozen=True, slots=True)
class CloudPhoto:
    """A photo in a store, and the place of its result.

    Attributes:
        source: Number of the input to which it belongs.
        key: Its key below that input; empty if the input is the photo itself.
        size: Its size in bytes.
        version: What changes whenever its content does: an ETag, or size and time of a file.
        result: Key of its result below the output.
    """

    source: int
    key: str
    size: int
    version: str
    result: str


@dataclass(frozen=True)
class Shard:
    """Photos that one worker does in one go; can be pickled.

    Attributes:
        name: Its name, unique within the run.
        photos: The photos.
        logs: Keys of the done logs of earlier plans that know of results in the same places.
    """

    name: str
    photos: tuple[CloudPhoto, ...]
    logs: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShardOutcome:
    """The outcome of one photo of a shard; can be pickled.

    Attributes:
        photo: Its place in the shard's photos.
        input: URL of the photo, or its path.
        output: URL of its result, or its path; None if it failed.
        status: ``done``, ``failed`` or ``skipped``.
        reason: Why it was retouched or skipped, in words.
        error: Why it failed, or None.
        seconds: Processing time.
        warnings: A line for each part of the photo or its metadata that was lost.
    """

    photo: int
    input: str
    output: str | None
    status: str
    reason: str
    error: str | None = None
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()

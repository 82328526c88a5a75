"""Which photo goes where, settled before the first is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from enhance_cli.config import ApplyConfig, Format
from enhance_cli.engine.finding import find_photos
from enhance_cli.errors import UsageError
from enhance_cli.imaging.formats import AVIF, JPEG, PNG, TIFF, WEBP, WRITTEN

_SUFFIXES = {"jpg": JPEG, "png": PNG, "tiff": TIFF, "webp": WEBP, "avif": AVIF}


@dataclass(frozen=True)
class PlannedPhoto:
    """One photo and the path of its result."""

    input: Path
    output: Path


@dataclass(frozen=True)
class Plan:
    """All photos of a run.

    Attributes:
        photos: In the order in which they are worked through.
        warnings: Folders that could not be read.
    """

    photos: tuple[PlannedPhoto, ...]
    warnings: tuple[str, ...] = ()


def make_plan(config: ApplyConfig) -> Plan:
    """Find all photos and settle where each result goes.

    A folder's tree is mirrored under ``out``; where several folders are given, each under its own
    name. The result of a RAW or a HEIC is a JPEG where no other format is asked for. Two results
    never share a path, in upper or lower case: beside ``a.jpg``, ``a.nef`` becomes ``a.nef.jpg``.

    Raises:
        UsageError: An input is missing, there is no photo, or a result would replace an input.
    """
    found, warnings = find_photos(config)
    names = _result_names([one.relative for one in found], config.format)
    photos = [
        PlannedPhoto(one.path, config.out / name) for one, name in zip(found, names, strict=True)
    ]
    _refuse_replacing_inputs(photos)
    return Plan(tuple(photos), tuple(warnings))


def _result_names(relatives: list[Path], kind: Format) -> list[Path]:
    """A path of its own for each result; those that can keep their names choose first."""
    taken: set[str] = set()
    names: dict[int, Path] = {}
    suffixes = [_result_suffix(relative, kind) for relative in relatives]
    order = sorted(range(len(relatives)), key=lambda i: relatives[i].suffix != suffixes[i])
    for i in order:
        names[i] = _free_name(relatives[i], suffixes[i], taken)
        taken.add(folded(names[i]))
    return [names[i] for i in range(len(relatives))]


def _result_suffix(relative: Path, kind: Format) -> str:
    """The photo's own suffix where it names the format asked for, else that of the format."""
    own = relative.suffix.lower()
    if own in (WRITTEN if kind == "keep" else _SUFFIXES[kind]):
        return relative.suffix
    return ".jpg" if kind == "keep" else f".{kind}"


def _free_name(relative: Path, suffix: str, taken: set[str]) -> Path:
    wanted = relative.with_suffix(suffix)
    if folded(wanted) in taken and relative.suffix != suffix:
        wanted = relative.with_name(relative.name + suffix)
    number, free = 1, wanted
    while folded(free) in taken:
        number += 1
        free = wanted.with_stem(f"{wanted.stem}-{number}")
    return free


def folded(path: Path) -> str:
    """What a file system that does not tell upper from lower case sees."""
    return str(path).casefold()


def _refuse_replacing_inputs(photos: list[PlannedPhoto]) -> None:
    inputs = {photo.input.resolve() for photo in photos}
    for photo in photos:
        if photo.output.resolve() in inputs:
            raise UsageError(
                f"--out would replace the original {photo.output}; "
                "choose a folder that does not hold the photos"
            )

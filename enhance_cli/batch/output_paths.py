"""Chooses all output paths before the first photo is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from enhance_cli.batch.discovery import InputPhoto, discover_photos
from enhance_cli.batch.ownership import NO_ORIGINALS, Originals
from enhance_cli.config.apply import LUT_SUFFIXES, ApplyConfig, Format, LutFormat
from enhance_cli.errors import UsageError
from enhance_cli.imaging.codecs.encode import refuse_missing_encoder
from enhance_cli.imaging.codecs.formats import SUFFIXES


@dataclass(frozen=True)
class Job:
    """A photo and the path of its result.

    Attributes:
        input: The photo.
        output: Path of the result.
        beside: Of a result beside its photo, the path that it would have below a folder of all
            results; what is written elsewhere is named after it. None if there is such a folder.
    """

    input: Path
    output: Path
    beside: Path | None = None

    def below(self, out: Path | None) -> Path:
        """The result's path below the folder of all results, if it is in one."""
        if out is not None:
            return self.output.relative_to(out)
        return self.beside or Path(self.output.name)


@dataclass(frozen=True)
class Plan:
    """All photos of a run.

    Attributes:
        jobs: The photos and their output paths, in the order of processing.
        warnings: A line for each folder that could not be read, and for what a run leaves out.
        originals: The photos as files that no output may replace.
        passed_over: What the input folders hold besides photos, in words; empty if nothing.
    """

    jobs: tuple[Job, ...]
    warnings: tuple[str, ...] = ()
    originals: Originals = NO_ORIGINALS
    passed_over: str = ""


def plan_outputs(config: ApplyConfig) -> Plan:
    """Find all photos and choose the path of each result.

    The tree of a folder is mirrored under ``out``; if there are several folders, each is mirrored
    under its own name. The result of a RAW, HEIC or JPEG 2000 file is a JPEG unless another format
    is requested. Two results never share a path, even if case is ignored: beside ``a.jpg``, the
    result of ``a.nef`` is ``a.nef.jpg``. Without ``out``, each result stands beside its photo.

    Raises:
        UsageError: An input is missing, there is no photo, or a result would replace an input.
    """
    refuse_missing_encoder(config.format)
    left_out: list[Path] = []
    others: Counter[str] = Counter()
    found, warnings = discover_photos(config, left_out, others)
    jobs = _jobs(found, config)
    photos = [photo.path for photo in found]
    if config.name is not None:  # a file that the user has named may stand beside its photo
        originals = Originals.only(photos)
        _refuse_replacing(originals, jobs, "choose another name")
        return Plan(tuple(jobs), tuple(warnings), originals)
    originals = Originals.of(config.inputs, photos, left_out)
    if config.out is not None:
        _refuse_replacing(originals, jobs, "choose a folder that does not hold the photos")
        refuse_folder_of_originals("--out" if config.pictures else "--lut", config.out, originals)
    return Plan(tuple(jobs), tuple(warnings), originals, in_words(others))


def _jobs(found: list[InputPhoto], config: ApplyConfig) -> list[Job]:
    """The photos, each with the path of its result."""
    names = _result_names([photo.relative for photo in found], config.format, config.suffix)
    if not config.pictures:
        names = [lut_name(name, config.lut_format) for name in names]
    if config.name is not None:
        names = [Path(config.name) for _ in names]
    photos = [photo.path for photo in found]
    if config.out is not None:
        paths = [config.out / name for name in names]
        return [Job(photo, path) for photo, path in zip(photos, paths, strict=True)]
    paths = _result_names(photos, config.format, config.suffix)
    return [Job(*three) for three in zip(photos, paths, names, strict=True)]


def in_words(others: Counter[str]) -> str:
    """``3 files are no photos and were passed over: 2 .mp4, 1 without a suffix``."""
    if not others:
        return ""
    kinds = [f"{count} {suffix or 'without a suffix'}" for suffix, count in others.most_common()]
    more = ", ..." if len(kinds) > _MOST_KINDS else ""
    many = "files are no photos and were" if others.total() > 1 else "file is no photo and was"
    return f"{others.total()} {many} passed over: {', '.join(kinds[:_MOST_KINDS])}{more}"


_MOST_KINDS = 5
"""Most suffixes that a message lists."""


def lut_name(name: Path, kind: LutFormat) -> Path:
    """The name of a result's look-up table; it keeps its suffix, so that no two are equal."""
    return name.with_name(name.name + LUT_SUFFIXES[kind])


def _result_names(relatives: list[Path], kind: Format, addition: str = "") -> list[Path]:
    """A unique path for each result; photos that keep their suffix choose first.

    Args:
        relatives: The photos' own paths.
        kind: Format of the results.
        addition: Added to each name, in front of its suffix.
    """
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    names: dict[int, Path] = {}
    suffixes = [result_suffix(relative, kind) for relative in relatives]
    order = sorted(range(len(relatives)), key=lambda i: relatives[i].suffix != suffixes[i])
    for i in order:
        names[i] = free_name(relatives[i], addition, suffixes[i], taken, numbers)
        taken.add(casefold_key(names[i]))
    return [names[i] for i in range(len(relatives))]


def result_suffix(relative: Path, kind: Format) -> str:
    """The photo's own suffix if it names the requested format, else that of the format."""
    own = relative.suffix.lower()
    if own in SUFFIXES[kind]:
        return relative.suffix
    return ".jpg" if kind == "keep" else f".{kind}"


def free_name(
    relative: Path, addition: str, suffix: str, taken: Container[str], numbers: dict[str, int]
) -> Path:
    """A name that is not taken; ``numbers`` holds the last number given to each name."""
    stem = relative.stem
    wanted = relative.with_name(stem + addition + suffix)
    if casefold_key(wanted) in taken and relative.suffix != suffix:
        stem = relative.name
        wanted = relative.with_name(stem + addition + suffix)
    key, free = casefold_key(wanted), wanted
    number = numbers.get(key, 1)
    while casefold_key(free) in taken:
        number += 1
        free = relative.with_name(f"{stem}-{number}{addition}{suffix}")
    numbers[key] = number
    return free


def casefold_key(path: Path) -> str:
    """The path as a case-insensitive file system sees it."""
    return str(path).casefold()


def _refuse_replacing(originals: Originals, jobs: list[Job], advice: str) -> None:
    for job in jobs:
        if originals.include(job.output):
            raise UsageError(f"--out would replace the original {job.output}; {advice}")


def refuse_folder_of_originals(option: str, folder: Path, originals: Originals) -> None:
    """Refuse to write into a folder in which photos were found, whatever name it goes by.

    Raises:
        UsageError: The folder is one.
    """
    if originals.are_in(folder):
        raise UsageError(
            f"{option} {folder}: holds the originals; choose a folder that does not hold the photos"
        )

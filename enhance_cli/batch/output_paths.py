"""Chooses all output paths before the first photo is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from enhance_cli.batch.discovery import InputPhoto, discover_photos, without_own_results
from enhance_cli.batch.manifest import Manifest
from enhance_cli.batch.ownership import NO_ORIGINALS, Originals, Owner, Ownership
from enhance_cli.batch.record_places import records_for
from enhance_cli.config.apply import LUT_SUFFIXES, ApplyConfig, Format, LutFormat
from enhance_cli.errors import OutputError, UsageError
from enhance_cli.imaging.codecs.encode import refuse_missing_encoder
from enhance_cli.imaging.codecs.formats import SUFFIXES
from enhance_cli.run_records import content_digest, folder_digest, results_passed_over


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
    result of ``a.nef`` is ``a.nef.jpg``. Without ``out``, each result stands beside its photo. A
    photo whose result is there keeps its name.

    Raises:
        UsageError: An input is missing, there is no photo, or a result would replace an input.
    """
    refuse_missing_encoder(config.format)
    config = without_own_results(config)
    left_out: list[Path] = []
    others: Counter[str] = Counter()
    results: list[Path] = []
    found, warnings = discover_photos(config, left_out, others, results)
    jobs = _jobs(found, config)
    photos = [photo.path for photo in found]
    if config.name is not None:  # a file that the user has named may stand beside its photo
        originals = Originals.only(photos)
        _refuse_replacing(originals, jobs, "choose another name")
        return Plan(tuple(jobs), tuple(warnings), originals)
    originals = Originals.of(config.inputs, photos, left_out)
    if config.out is not None:
        refuse_folder_of_originals("--out" if config.pictures else "--lut", config.out, originals)
        _refuse_replacing(originals, jobs, "choose a folder that does not hold the photos")
    return Plan(tuple(jobs), tuple(warnings), originals, passed_over(others, len(results)))


def _jobs(found: list[InputPhoto], config: ApplyConfig) -> list[Job]:
    """The photos, each with the path of its result."""
    photos, relatives = [photo.path for photo in found], [photo.relative for photo in found]
    out, name = config.out, config.name
    if out is not None and name is not None:
        return [Job(photo, out / name) for photo in photos]
    earlier = _earlier(config, photos)
    if out is not None:
        names = _Names(relatives, config, lambda name: out / _file_name(name, config))
        return [
            Job(photo, out / _file_name(name, config))
            for photo, name in zip(photos, names.kept_by(photos, earlier), strict=True)
        ]
    paths = _Names(photos, config, lambda path: path)
    names = _Names(relatives, config, lambda name: _side_file(name, config))
    both = paths.kept_by(photos, earlier), names.kept_by(photos, earlier)
    return [Job(*three) for three in zip(photos, *both, strict=True)]


def _file_name(name: Path, config: ApplyConfig) -> Path:
    """The name of what is written in the place of a result: itself, or its look-up table."""
    return name if config.pictures else lut_name(name, config.lut_format)


def _side_file(name: Path, config: ApplyConfig) -> Path | None:
    """A side output of a result; None if there is none."""
    if config.lut is not None:
        return config.lut / lut_name(name, config.lut_format)
    return config.compare / comparison_name(name) if config.compare is not None else None


def passed_over(others: Counter[str], results: int) -> str:
    """What the input folders hold besides photos, in words."""
    ours = results_passed_over(results) if results else ""
    return "; ".join(filter(None, (in_words(others), ours)))


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


def comparison_name(name: Path) -> Path:
    """The name of a result's comparison; it keeps its suffix, so that no two are equal."""
    return name.with_name(f"{name.name}.jpg")


class _Names:
    """A unique name for each result, the same in every run.

    A photo whose result is there keeps its name, whichever photos have come or gone since, and in
    whichever order they are named. The others choose in the order of the run, first those that keep
    their suffix.

    Args:
        relatives: The photos' own paths.
        config: The run's settings.
        place: Returns the path of what is written under a name; None if nothing is.
    """

    def __init__(
        self, relatives: list[Path], config: ApplyConfig, place: Callable[[Path], Path | None]
    ) -> None:
        self._relatives = relatives
        self._config = config
        self._place = place
        self._suffixes = [result_suffix(relative, config.format) for relative in relatives]
        self._usual = [self._forms(index)[0] for index in range(len(relatives))]

    def kept_by(self, photos: list[Path], earlier: _Earlier | None) -> list[Path]:
        """The name for each photo; some may have results of earlier runs."""
        first = self._chosen({})
        if earlier is None:
            return first
        kept: dict[int, Path] = {}
        taken: set[str] = set()
        for names in (self._by_path(photos, first, earlier), self._by_content(photos, earlier)):
            for index, name in names:
                if index not in kept and casefold_key(name) not in taken:
                    kept[index] = name
                    taken.add(casefold_key(name))
        return self._chosen(kept, lambda index, name: self._is_of(name, photos[index], earlier))

    def _forms(self, index: int, number: int = 1) -> list[Path]:
        """The names that a result may have, the usual one first."""
        relative, suffix, addition = (
            self._relatives[index], self._suffixes[index], self._config.suffix
        )  # fmt: skip
        stems = [relative.stem] + [relative.name] * (relative.suffix != suffix)
        numbered = f"-{number}" if number > 1 else ""
        return [relative.with_name(f"{stem}{numbered}{addition}{suffix}") for stem in stems]

    def _by_path(
        self, photos: list[Path], first: list[Path], earlier: _Earlier
    ) -> Iterator[tuple[int, Path]]:
        """The names under which photos have their results, as far as there is a choice."""
        wanted = Counter(map(casefold_key, self._usual))
        for index, photo in enumerate(photos):
            places = earlier.places_of(photo)
            contended = wanted[casefold_key(self._usual[index])] > 1
            if not places or (not contended and places == {self._place(first[index])}):
                continue
            numbers = {int(one) for place in places for one in _NUMBER.findall(place.name)}
            possible = [first[index]]
            possible += (name for n in sorted({1, *numbers}) for name in self._forms(index, n))
            for name in possible:
                place = self._place(name)
                if place in places and earlier.is_result(place, photo):
                    yield index, name
                    break

    def _by_content(self, photos: list[Path], earlier: _Earlier) -> Iterator[tuple[int, Path]]:
        """The same for photos that have been moved since, if several want one name."""
        wanting: dict[str, list[int]] = {}
        for index, name in enumerate(self._usual):
            wanting.setdefault(casefold_key(name), []).append(index)
        for indices in wanting.values():
            new = [index for index in indices if not earlier.places_of(photos[index])]
            if len(indices) < 2 or not new:
                continue
            names = dict.fromkeys(name for index in new for name in self._forms(index))
            number = 2
            while any(earlier.has(self._place(name)) for name in self._forms(new[0], number)):
                names |= dict.fromkeys(self._forms(new[0], number))
                number += 1
            found = {earlier.content_at(self._place(name)): name for name in reversed(names)}
            found.pop(None, None)
            for index in new if found else ():
                name = found.pop(content_digest(photos[index]), None)
                if name is not None:
                    yield index, name

    def _chosen(
        self,
        kept: Mapping[int, Path],
        may_have: Callable[[int, Path], bool] = lambda _index, _name: True,
    ) -> list[Path]:
        """A name for each photo: those that are kept, and free ones for the others."""
        taken = {casefold_key(name) for name in kept.values()}
        numbers: dict[str, int] = {}
        names = dict(kept)
        relatives, suffixes = self._relatives, self._suffixes
        new = (index for index in range(len(relatives)) if index not in kept)
        for i in sorted(new, key=lambda i: relatives[i].suffix != suffixes[i]):
            while True:
                name = free_name(relatives[i], self._config.suffix, suffixes[i], taken, numbers)
                taken.add(casefold_key(name))
                if name == self._usual[i] or may_have(i, name):
                    break
            names[i] = name
        return [names[i] for i in range(len(relatives))]

    def _is_of(self, name: Path, photo: Path, earlier: _Earlier) -> bool:
        """Whether no result of another photo has a name."""
        place = self._place(name)
        return place is None or not earlier.has(place) or earlier.is_result(place, photo)


_NUMBER = re.compile(r"-(\d{1,9})")


class _Earlier:
    """The results of earlier runs, by their photos."""

    def __init__(self, records: Manifest) -> None:
        self._owners = Ownership(records)
        self._folders: dict[Path, str] = {}
        self._places: dict[tuple[str, str], set[Path]] = {}
        for place, record in records.each():
            self._places.setdefault((record.folder, record.input), set()).add(place)

    def places_of(self, photo: Path) -> set[Path]:
        """Where a photo has, or had, its results."""
        if photo.parent not in self._folders:
            self._folders[photo.parent] = folder_digest(photo)
        return self._places.get((self._folders[photo.parent], photo.name), set())

    def is_result(self, place: Path, photo: Path) -> bool:
        """Whether a photo's result is there as a run left it, or was emptied by a crash."""
        owner = self._owners.look(place).owner
        return owner is Owner.OURS and not self._owners.is_in_the_way(place, photo)

    def has(self, place: Path | None) -> bool:
        """Whether a result is there as a run left it."""
        return place is not None and self._owners.look(place).owner is Owner.OURS

    def content_at(self, place: Path | None) -> str | None:
        """Digest of the photo whose result is there; None if there is none."""
        record = self._owners.look(place).record if place is not None else None
        return record and record.content


def _earlier(config: ApplyConfig, photos: list[Path]) -> _Earlier | None:
    """Results of earlier runs; None if there are none, or the run itself will report a fault."""
    records = records_for(config, photos)
    try:
        records.read()
    except OutputError:
        return None
    return _Earlier(records) if next(records.each(), None) else None


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

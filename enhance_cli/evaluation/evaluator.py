"""Scores weights, and other systems' pictures, on held-out pairs, as in tables 1 and 2.

PyTorch, which takes more than a second to import, is imported with the tensors: by then, all
folders have been looked at, and all weights files have said what they hold.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from enhance_cli.atomic_write import ANYTHING, FileSignature, KeepOthers, Publisher, identity
from enhance_cli.config.evaluation import EvalConfig
from enhance_cli.config.model import LONG_EDGE, VARIANTS
from enhance_cli.data.pair_cache import RenderProgress
from enhance_cli.data.pair_collection import PairCollection
from enhance_cli.data.pairs import BadPair, Pair
from enhance_cli.errors import NoPairsError, NoWeightsError, UsageError
from enhance_cli.evaluation.scoring import Pixels, enhance_pixels, pair_pixels
from enhance_cli.evaluation.system_outputs import SystemOutputs
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.contact_sheet import contact_sheet
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.metrics import Score, mean, score, standard_error
from enhance_cli.imaging.photo import Photo
from enhance_cli.inference.device import choose_device, refuse_unusable_device
from enhance_cli.inference.weights_file import (
    WeightsFile,
    describe_weights,
    find_weights,
    named_weights,
)

if TYPE_CHECKING:
    from enhance_cli.inference.enhancer import Enhancer

IDENTITY = "identity"

CHANGE_THRESHOLD = 10.0
"""Mean CIELab distance above which a finished photo counts as visibly changed."""


@dataclass(frozen=True)
class PhotoScore:
    """The scores of one method on one photo.

    Attributes:
        method: Name of the method in the table.
        key: Key of the pair.
        score: Its scores.
        done: Number of photos scored so far, this one included.
        total: Number of photos to score.
        given: The method's input: ``"original"`` or ``"expert"``, the expert's version.
    """

    method: str
    key: str
    score: Score
    done: int
    total: int
    given: str = "original"


@dataclass(frozen=True)
class ResultRow:
    """One row of the table.

    Attributes:
        method: ``identity``, the variant of the weights, or the name of the folder of outputs.
        score: Mean scores over the photos.
        photos: Number of photos.
        trained_on: Number of these photos that the weights were trained on.
        weights: Path of the weights file; None for the other rows.
        outputs: Path of the folder of outputs; None for the other rows.
        standard_error: Standard errors of the means; None for a single photo.
    """

    method: str
    score: Score
    photos: int
    trained_on: int = 0
    weights: str | None = None
    outputs: str | None = None
    standard_error: Score | None = None


@dataclass(frozen=True)
class FinishedPhotoChange:
    """How much weights change photos that are finished already: the expert's versions.

    Attributes:
        method: Name of the method in the table.
        score: Mean scores of the results against the finished photos; an L2 Lab of 0 means no
            change.
        photos: Number of photos.
        above_threshold: Number of photos whose L2 Lab exceeds ``CHANGE_THRESHOLD``.
        standard_error: Standard errors of the means; None for a single photo.
    """

    method: str
    score: Score
    photos: int
    above_threshold: int
    standard_error: Score | None = None


class Evaluator:
    """One scoring run; iterate over it for progress, then read ``rows``.

    Args:
        config: The run's settings.

    Attributes:
        entries: The models, in the order of the table.
        collection: All pairs of the run.
        outputs: The other systems' results, by folder.
        panels: Folder for a comparison picture of each photo, or None.
        methods: Names of the methods, without identity, in the order of the table.
        scores: Scores of each method, identity included, photo by photo.
        changes: Scores of each model on finished photos; empty unless the config asks for them.
        pairs: The pairs that are scored; known once they have been rendered.
        bad: Pairs that are skipped because another system has no picture of them.

    Raises:
        EnhanceError: Pairs, split, weights, outputs or device are not available.
    """

    def __init__(self, config: EvalConfig) -> None:
        refuse_unusable_device(config.device)
        self._device = config.device
        self._enhancers: dict[Path, Enhancer] = {}
        described = _describe_all(config)
        _refuse_without_effect(config, described)
        self.entries = [entry for file in described for entry in _entries(file, config.with_coarse)]
        long_edge = min((file.config.long_edge for file in described), default=LONG_EDGE)
        self.collection = PairCollection(config.data, long_edge, training=False)
        self.outputs = {str(folder): SystemOutputs(folder) for folder in config.outputs}
        self.panels = config.panels
        self._publishers = self._publishers_of_panels(config)
        self.methods = _row_names(self.entries, list(config.outputs))
        self.scores: dict[str, list[Score]] = {name: [] for name in (IDENTITY, *self.methods)}
        self.changes: dict[str, list[Score]] = {
            name: [] for name in self.methods[: len(self.entries)] if config.do_no_harm
        }
        self.pairs: list[Pair] = []
        self.bad: list[BadPair] = []

    def render_missing(self) -> Iterator[RenderProgress]:
        """Render the pairs that are not in the cache. Without this call, iterating does it first.

        The weights are loaded before, since rendering may take hours.

        Raises:
            EnhanceError: Weights are damaged, pairs do not match, outputs are missing, or the disk
                is full.
        """
        self._load_weights()
        yield from self.collection.render_missing()
        self.pairs, self.bad = self._with_outputs()

    @property
    def total(self) -> int:
        """Number of scores that the iteration yields."""
        return len(self.pairs) * (1 + len(self.methods) + len(self.changes))

    def __iter__(self) -> Iterator[PhotoScore]:
        """Score every photo with every method.

        Raises:
            EnhanceError: A pair or an output cannot be read, or a panel cannot be written.
        """
        for _ in self.render_missing():
            pass
        for done, pair in enumerate(self.pairs, start=1):
            original, expert = pair_pixels(pair, self.collection.cache)
            results = {IDENTITY: original, **self._results(pair, original)}
            for name, pixels in results.items():
                photo_score = score(pixels, expert)
                self.scores[name].append(photo_score)
                yield PhotoScore(name, pair.key, photo_score, done, len(self.pairs))
            for (name, scores), entry in zip(self.changes.items(), self.entries, strict=False):
                photo_score = score(self._enhance(entry, expert), expert)
                scores.append(photo_score)
                yield PhotoScore(name, pair.key, photo_score, done, len(self.pairs), given="expert")
            if self.panels:
                self._write_panel(pair, results, expert)

    @property
    def rows(self) -> list[ResultRow]:
        """The table, identity first; complete after the iteration."""
        rows = [self._row(IDENTITY)]
        keys = {pair.key for pair in self.pairs}
        for name, entry in zip(self.methods, self.entries, strict=False):
            known = len(keys & set(entry.file.provenance.trained_on))
            rows.append(replace(self._row(name), trained_on=known, weights=str(entry.file.path)))
        for name, folder in zip(self.methods[len(self.entries) :], self.outputs, strict=True):
            rows.append(replace(self._row(name), outputs=folder))
        return rows

    def _row(self, name: str) -> ResultRow:
        scores = self.scores[name]
        error = standard_error(scores)
        return ResultRow(name, mean(scores), len(scores), standard_error=error)

    @property
    def change_rows(self) -> list[FinishedPhotoChange]:
        """What the weights do to finished photos; complete after the iteration."""
        return [
            FinishedPhotoChange(
                name,
                mean(scores),
                len(scores),
                sum(photo_score.l2_lab > CHANGE_THRESHOLD for photo_score in scores),
                standard_error(scores),
            )
            for name, scores in self.changes.items()
        ]

    def _load_weights(self) -> None:
        from enhance_cli.inference.enhancer import Enhancer
        from enhance_cli.inference.networks.load import load_networks

        device = choose_device(self._device)
        for path in {entry.file.path: None for entry in self.entries}:
            if path not in self._enhancers:
                self._enhancers[path] = Enhancer(load_networks(path, device), path)

    def _enhance(self, entry: ScoredModel, pixels: Pixels) -> Pixels:
        """Enhance ``(H, W, 3)`` float32 pixels, sRGB in [0, 1]; the result is clamped."""
        return enhance_pixels(self._enhancers[entry.file.path], pixels, entry.coarse_only)

    def _results(self, pair: Pair, original: Pixels) -> dict[str, Pixels]:
        made = [self._enhance(entry, original) for entry in self.entries]
        given = [outputs.pixels(pair, original.shape[:2]) for outputs in self.outputs.values()]
        return dict(zip(self.methods, [*made, *given], strict=True))

    def _with_outputs(self) -> tuple[list[Pair], list[BadPair]]:
        """Return the pairs of which every other system has a picture, and those to skip.

        Raises:
            PairsError: No pair is left, or pairs are missing and the config does not skip them.
        """
        bad = [
            BadPair(pair.key, f"no picture of it in {folder}")
            for folder, outputs in self.outputs.items()
            for pair in self.collection.held_out
            if pair.key not in outputs
        ]
        self.collection.check(bad)
        missing = {pair.key for pair in bad}
        pairs = [pair for pair in self.collection.held_out if pair.key not in missing]
        if not pairs:
            raise NoPairsError(f"{', '.join(self.outputs)}: no picture of any photo that is scored")
        return pairs, bad

    def _write_panel(self, pair: Pair, results: Mapping[str, Pixels], expert: Pixels) -> None:
        assert self.panels is not None
        cells = [("original", results[IDENTITY])]
        for name in self.methods:
            cells.append((f"{name}  {self.scores[name][-1].psnr:.2f} dB", results[name]))
        cells.append((f"expert {self.collection.config.expert.upper()}", expert))
        path = self._panel(pair)
        publisher = self._publishers.get(pair, ANYTHING)
        write_photo(Photo(contact_sheet(cells)), path, metadata=_PANEL, publisher=publisher)

    def _panel(self, pair: Pair) -> Path:
        assert self.panels is not None
        return self.panels / f"{pair.key.replace('/', '-')}.png"

    def _publishers_of_panels(self, config: EvalConfig) -> dict[Pair, Publisher]:
        """Replace panels of an earlier run, and nothing else unless told to.

        Raises:
            UsageError: Another file is in the place of one, or photos are in their folder.
        """
        if self.panels is None:
            return {}
        pairs = self.collection.held_out
        sources = {source.parent for pair in pairs for source in (pair.original, pair.expert)
                   if source}  # fmt: skip
        if identity(self.panels) in {identity(path) for path in (*sources, *config.outputs)} - {
            None
        }:
            raise UsageError(f"--panel {self.panels}: holds the photos; choose another folder")
        if config.on_conflict == "overwrite":
            return {}
        for path in map(self._panel, pairs):
            if os.path.lexists(path) and not _is_panel(path):
                raise UsageError(
                    f"--panel {path}: already exists, and enhance did not write it; choose another "
                    "folder, or replace it with --on-conflict overwrite"
                )
        return {pair: KeepOthers(FileSignature.of(self._panel(pair))) for pair in pairs}


_PANEL = Metadata(texts=(("Software", "enhance eval"),))
"""By which a panel is known."""


def _is_panel(path: Path) -> bool:
    if not path.is_file() or path.is_symlink():
        return False
    with contextlib.suppress(OSError), path.open("rb") as file:
        return b"enhance eval" in file.read(8192)
    return False


@dataclass(frozen=True)
class ScoredModel:
    """A model in the table: both networks, or CENet alone.

    Attributes:
        file: The weights file.
        coarse_only: Whether PRNet is skipped.
    """

    file: WeightsFile
    coarse_only: bool = False

    @property
    def name(self) -> str:
        """Name in the table."""
        variant = self.file.config.variant
        return f"{variant}, coarse only" if self.coarse_only else variant


def _describe_all(config: EvalConfig) -> list[WeightsFile]:
    """Describe the given weights, or the default ones if nothing else is scored."""
    if not config.weights and not config.outputs:
        return [describe_weights(find_weights(None))]
    described: list[WeightsFile] = []
    for path in config.weights:
        if os.path.isdir(path):  # noqa: PTH112
            described += _describe_folder(path)
        else:
            described.append(describe_weights(find_weights(named_weights(path))))
    return described


def _refuse_without_effect(config: EvalConfig, described: list[WeightsFile]) -> None:
    """Refuse options that concern weights if none are scored that they could concern.

    Raises:
        UsageError: There is such an option.
    """
    options = {"--with-coarse": config.with_coarse, "--do-no-harm": config.do_no_harm}
    given = [option for option, on in options.items() if on]
    if given and not described:
        raise UsageError(
            f"{given[0]} has no effect: only --outputs are scored; score weights beside them, by "
            "--weights FILE or --weights shipped"
        )
    if config.with_coarse and not any(len(_entries(file, True)) > 1 for file in described):
        raise UsageError(
            "--with-coarse has no effect: no weights that are scored have both CENet and PRNet; "
            "leave it out"
        )


def _entries(file: WeightsFile, with_coarse: bool) -> list[ScoredModel]:
    both = with_coarse and file.config.has_cenet and file.config.has_prnet
    return [*([ScoredModel(file, coarse_only=True)] if both else []), ScoredModel(file)]


def _describe_folder(folder: Path) -> list[WeightsFile]:
    """Describe all weights of a folder, in the order of table 1."""
    found = [describe_weights(path) for path in sorted(folder.glob("*.safetensors"))]
    if not found:
        raise NoWeightsError(f"--weights {folder}: no weights file (.safetensors) in this folder")
    return sorted(found, key=lambda file: VARIANTS.index(file.config.variant))


def _row_names(entries: list[ScoredModel], folders: list[Path]) -> list[str]:
    """Name the rows by variant or folder; add the file's name or its path where names repeat."""
    wanted = [
        *((entry.name, entry.file.path) for entry in entries),
        *((folder.resolve().name, folder) for folder in folders),
    ]
    short = [name for name, _ in wanted]
    names: list[str] = []
    for name, path in wanted:
        row = name if short.count(name) == 1 else f"{name} ({path.name})"
        names.append(row if row not in names else f"{name} ({path})")
    return names

"""Score weights, and other systems' pictures, on held-out pairs, as tables 1 and 2 do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from enhance_cli.config import LONG_EDGE, VARIANTS, EvalConfig
from enhance_cli.data.pairs import BadPair, Pair, by_name, fivek_id
from enhance_cli.data.prepared import PreparedPairs, Progress
from enhance_cli.engine.collection import Collection
from enhance_cli.engine.device import pick_device
from enhance_cli.engine.retouching import enhance_pixels
from enhance_cli.engine.weights import Weights, find_weights, load_weights
from enhance_cli.errors import PairsError, UsageError, WeightsError
from enhance_cli.imaging.decoding import decode
from enhance_cli.imaging.lossless import write_png
from enhance_cli.imaging.metrics import Score, mean, score
from enhance_cli.imaging.sheet import labelled_sheet
from enhance_cli.models.cascade import Cascade

IDENTITY = "identity"

VISIBLE = 10.0
"""Mean CIELab change from which on a finished photo counts as retouched anew."""

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class PhotoScore:
    """What one method reaches on one photo.

    Attributes:
        method: Row of the table.
        key: Of the pair.
        score: The figures.
        done: Photos scored so far, this one included.
        total: Photos to score.
        given: What the method was given, the original or the expert's version.
    """

    method: str
    key: str
    score: Score
    done: int
    total: int
    given: str = "original"


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        method: ``identity``, the variant of the weights, or the name of the folder of outputs.
        score: Mean over the photos.
        photos: How many were scored.
        trained_on: How many of them the weights learned from.
        weights: The weights file, or None.
        outputs: The folder of outputs, or None.
    """

    method: str
    score: Score
    photos: int
    trained_on: int = 0
    weights: str | None = None
    outputs: str | None = None


@dataclass(frozen=True)
class Harm:
    """How far weights change photos that are finished already: the expert's versions.

    Attributes:
        method: Row of the table.
        score: Of the result against what was given, mean over the photos; no change is 0 in
            L2 Lab.
        photos: How many were given.
        visible: How many of them were changed by more than ``VISIBLE`` in L2 Lab.
    """

    method: str
    score: Score
    photos: int
    visible: int


class Evaluation:
    """One scoring run; iterate over it for progress, then read ``rows``.

    Args:
        config: What to score.

    Attributes:
        collection: Its pairs.
        methods: Rows below identity.
        pairs: What is scored, once it is prepared.
        bad: Pairs left out because another system has no picture of them.

    Raises:
        EnhanceError: Pairs, split, weights, outputs or device cannot be had.
    """

    def __init__(self, config: EvalConfig) -> None:
        self.device = pick_device(config.device)
        loaded = _load_all(config, self.device)
        self.entries = [entry for one in loaded for entry in _entries(one, config.with_coarse)]
        long_edge = min((one.model.config.long_edge for one in loaded), default=LONG_EDGE)
        self.collection = Collection(config.data, long_edge, learning=False)
        self.outputs = {str(folder): _Outputs(folder) for folder in config.outputs}
        self.panels = config.panels
        self.methods = _row_names(self.entries, list(config.outputs))
        self.scores: dict[str, list[Score]] = {name: [] for name in (IDENTITY, *self.methods)}
        self.harms: dict[str, list[Score]] = {
            name: [] for name in self.methods[: len(self.entries)] if config.do_no_harm
        }
        self.pairs: list[Pair] = []
        self.bad: list[BadPair] = []

    def prepare(self) -> Iterator[Progress]:
        """Render the photos that have not been rendered yet; else scoring begins with that.

        Raises:
            EnhanceError: Pairs do not belong together, outputs are missing, or the disk has no
                room.
        """
        yield from self.collection.prepare()
        self.pairs, self.bad = self._with_outputs()

    @property
    def total(self) -> int:
        """Number of scores to come."""
        return len(self.pairs) * (1 + len(self.methods) + len(self.harms))

    def __iter__(self) -> Iterator[PhotoScore]:
        """Score every photo with every method.

        Raises:
            EnhanceError: A pair or an output cannot be read, or a panel not be written.
        """
        for _ in self.prepare():
            pass
        for done, pair in enumerate(self.pairs, start=1):
            original, expert = pair_pixels(pair, self.collection.store)
            results = {IDENTITY: original, **self._results(pair, original)}
            for name, pixels in results.items():
                one = score(pixels, expert)
                self.scores[name].append(one)
                yield PhotoScore(name, pair.key, one, done, len(self.pairs))
            for (name, scores), entry in zip(self.harms.items(), self.entries, strict=False):
                one = score(entry.enhance(expert, self.device), expert)
                scores.append(one)
                yield PhotoScore(name, pair.key, one, done, len(self.pairs), given="expert")
            if self.panels:
                self._write_panel(pair, results, expert)

    @property
    def rows(self) -> list[Row]:
        """The table, identity first; to be read after the run."""
        rows = [Row(IDENTITY, mean(self.scores[IDENTITY]), len(self.scores[IDENTITY]))]
        keys = {pair.key for pair in self.pairs}
        for name, entry in zip(self.methods, self.entries, strict=False):
            known = len(keys & set(entry.weights.provenance.trained_on))
            scores = self.scores[name]
            rows.append(Row(name, mean(scores), len(scores), known, str(entry.weights.path)))
        for name, folder in zip(self.methods[len(self.entries) :], self.outputs, strict=True):
            scores = self.scores[name]
            rows.append(Row(name, mean(scores), len(scores), outputs=folder))
        return rows

    @property
    def harm_rows(self) -> list[Harm]:
        """What the weights do to finished photos; to be read after the run."""
        return [
            Harm(name, mean(scores), len(scores), sum(one.l2_lab > VISIBLE for one in scores))
            for name, scores in self.harms.items()
        ]

    def _results(self, pair: Pair, original: Pixels) -> dict[str, Pixels]:
        made = [entry.enhance(original, self.device) for entry in self.entries]
        given = [outputs.pixels(pair, original.shape[:2]) for outputs in self.outputs.values()]
        return dict(zip(self.methods, [*made, *given], strict=True))

    def _with_outputs(self) -> tuple[list[Pair], list[BadPair]]:
        """The pairs for which every other system has a picture, and those left out."""
        bad = [
            BadPair(pair.key, f"no picture of it in {folder}")
            for folder, outputs in self.outputs.items()
            for pair in self.collection.held_out
            if pair.key not in outputs
        ]
        self.collection.check(bad)
        gone = {one.key for one in bad}
        pairs = [pair for pair in self.collection.held_out if pair.key not in gone]
        if not pairs:
            raise PairsError(f"{', '.join(self.outputs)}: no picture of any photo to be scored")
        return pairs, bad

    def _write_panel(self, pair: Pair, results: Mapping[str, Pixels], expert: Pixels) -> None:
        assert self.panels is not None
        cells = [("original", results[IDENTITY])]
        for name in self.methods:
            cells.append((f"{name}  {self.scores[name][-1].psnr:.2f} dB", results[name]))
        cells.append((f"expert {self.collection.config.expert.upper()}", expert))
        write_png(labelled_sheet(cells), self.panels / f"{pair.key.replace('/', '-')}.png")


@dataclass(frozen=True)
class _Entry:
    """Weights in the table: whole, or CENet's half of them."""

    weights: Weights
    coarse_only: bool = False

    @property
    def name(self) -> str:
        variant = self.weights.model.config.variant
        return f"{variant}, coarse only" if self.coarse_only else variant

    def enhance(self, pixels: Pixels, device: torch.device) -> Pixels:
        return enhance_pixels(self.weights.model, pixels, device, self.coarse_only)


class _Outputs:
    """Another system's pictures, told apart by their names."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UsageError(f"--outputs {folder}: no such folder")
        found = by_name(folder, lambda path: _output_name(path.stem))
        for name, paths in found.items():
            if len(paths) > 1:
                raise PairsError(f"{name}: there twice, as {paths[0]} and {paths[1]}")
        self._paths = {name: paths[0] for name, paths in found.items()}

    def __contains__(self, key: str) -> bool:
        return _output_name(key) in self._paths

    def pixels(self, pair: Pair, shape: tuple[int, int]) -> Pixels:
        path = self._paths[_output_name(pair.key)]
        pixels = decode(path, max(shape)).as_srgb()
        if pixels.shape[:2] != shape:
            raise PairsError(
                f"{pair.key}: {path} is {pixels.shape[1]} x {pixels.shape[0]} where the pair is "
                f"{shape[1]} x {shape[0]}; give pictures of whole photos, not smaller"
            )
        return pixels


def _load_all(config: EvalConfig, device: torch.device) -> list[Weights]:
    """Load those given, or the usual ones where nothing else is scored."""
    if not config.weights and not config.outputs:
        return [load_weights(find_weights(None), device)]
    loaded: list[Weights] = []
    for path in config.weights:
        if path.is_dir():
            loaded += _load_folder(path, device)
        else:
            loaded.append(load_weights(find_weights(path), device))
    return loaded


def _entries(weights: Weights, with_coarse: bool) -> list[_Entry]:
    geometry = weights.model.config
    halves = with_coarse and geometry.has_cenet and geometry.has_prnet
    return [*([_Entry(weights, coarse_only=True)] if halves else []), _Entry(weights)]


def _load_folder(folder: Path, device: torch.device) -> list[Weights]:
    """All weights of a folder, in the order of table 1."""
    found = [load_weights(path, device) for path in sorted(folder.glob("*.safetensors"))]
    if not found:
        raise WeightsError(f"--weights {folder}: no weights file (.safetensors) in this folder")
    return sorted(found, key=lambda one: VARIANTS.index(one.model.config.variant))


def score_pairs(
    model: Cascade, pairs: list[Pair], store: PreparedPairs, device: torch.device
) -> Score:
    """Mean figures of a model over pairs."""
    model.eval()
    scores = []
    for pair in pairs:
        original, expert = pair_pixels(pair, store)
        scores.append(score(enhance_pixels(model, original, device), expert))
    return mean(scores)


def comparison(
    pair: Pair, store: PreparedPairs, models: Mapping[str, Cascade], device: torch.device
) -> NDArray[np.uint8]:
    """Figure 3 for one pair: original, each model's result, expert."""
    original, expert = pair_pixels(pair, store)
    results = [
        (name, enhance_pixels(model.eval(), original, device)) for name, model in models.items()
    ]
    return labelled_sheet([("original", original), *results, ("expert", expert)])


def pair_pixels(pair: Pair, store: PreparedPairs) -> list[Pixels]:
    """Read original and expert as ``(H, W, 3)`` float32 in [0, 1].

    Raises:
        EnhanceError: The pair cannot be read.
    """
    both = store.load(pair).permute(0, 2, 3, 1).numpy()
    return [photo.astype(np.float32) / np.float32(255) for photo in both]


def _output_name(key: str) -> str:
    return fivek_id(key) or Path(key).name


def _row_names(entries: list[_Entry], folders: list[Path]) -> list[str]:
    """Variants and folders; with the file's name, or the whole path, where two are alike."""
    wanted = [
        *((entry.name, entry.weights.path) for entry in entries),
        *((folder.resolve().name, folder) for folder in folders),
    ]
    short = [name for name, _ in wanted]
    names: list[str] = []
    for name, path in wanted:
        row = name if short.count(name) == 1 else f"{name} ({path.name})"
        names.append(row if row not in names else f"{name} ({path})")
    return names

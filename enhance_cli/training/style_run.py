"""``enhance train --style-from``: from a folder of edited photos to a weights file with a style."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from enhance_cli.atomic_write import FileSignature, KeepOthers
from enhance_cli.config.training import StyleConfig
from enhance_cli.data.pair_cache import RenderProgress
from enhance_cli.data.pair_collection import PairCollection
from enhance_cli.data.pairs import BadPair, Pair
from enhance_cli.errors import PairsError, TrainingError
from enhance_cli.evaluation.scoring import pair_pixels
from enhance_cli.inference.device import pick_device
from enhance_cli.inference.weights import load_weights, save_weights
from enhance_cli.inference.weights_file import Provenance
from enhance_cli.models.cascade import Cascade
from enhance_cli.models.color_function import ColorFunction
from enhance_cli.models.prnet import downscaled
from enhance_cli.models.style import EDGE, style_features
from enhance_cli.training.preparation import StyleSources
from enhance_cli.training.style_fit import (
    MIN_PAIRS,
    PIXELS,
    Edit,
    Fit,
    Gain,
    StyleFit,
    beyond_color,
    far_from,
)

MIXED = "its edit is far from the style of the others"
NOT_COLOR = "its edit is more than a change of color: cropped, moved or changed in places"


@dataclass(frozen=True)
class StyleResult:
    """A fitted style, and what it is worth.

    Attributes:
        fit: The style.
        gain: What it gains on held-out edits.
        pairs: The pairs to which it was fitted.
        left_out: The pairs that were left out, with reasons.
    """

    fit: Fit
    gain: Gain
    pairs: tuple[Pair, ...]
    left_out: tuple[BadPair, ...]


@contextlib.contextmanager
def _one_thread() -> Generator[None]:
    """Compute in one thread: with small tensors, several mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class StyleRun:
    """Fits a style on top of networks, which stay as they are.

    Iterate over it: after each photo that the networks have seen, it yields its pair. Then call
    :meth:`fit` and :meth:`write`.

    Args:
        config: Settings of the run.
        sources: Its pairs and networks.

    Raises:
        EnhanceError: Weights or device are not available.
    """

    def __init__(self, config: StyleConfig, sources: StyleSources) -> None:
        self.config = config
        self.pairs: PairCollection = sources.pairs
        self._there = FileSignature.of(config.out)
        self._device = pick_device(config.device)
        self._weights = load_weights(sources.weights.path, self._device)
        self._edits: dict[Pair, Edit] = {}

    def render_missing(self) -> Iterator[RenderProgress]:
        """Render the pairs that have not been rendered yet.

        Raises:
            OutputError: The disk is full.
        """
        return self.pairs.render_missing()

    def __iter__(self) -> Iterator[Pair]:
        """Run the networks on the original of every pair.

        Raises:
            EnhanceError: A pair cannot be read.
        """
        for pair in self.pairs.train:
            pixels = pair_pixels(pair, self.pairs.cache)
            original, edited = (torch.from_numpy(p).permute(2, 0, 1)[None] for p in pixels)
            self._edits[pair] = _edit(self._weights.model, original, edited, self._device)
            yield pair

    @_one_thread()
    @torch.inference_mode()
    def fit(self) -> StyleResult:
        """Fit the style, without the pairs that are unlike the others.

        Raises:
            PairsError: Too few pairs are left.
        """
        pairs = list(self._edits)
        left_out: list[BadPair] = []

        def keep(odd: list[bool], reason: str) -> None:
            left_out.extend(
                BadPair(pair.key, reason) for pair, is_odd in zip(pairs, odd, strict=True) if is_odd
            )
            pairs[:] = [pair for pair, is_odd in zip(pairs, odd, strict=True) if not is_odd]
            if len(pairs) < MIN_PAIRS:
                raise PairsError(_too_few(len(pairs), left_out))

        keep([False] * len(pairs), "")
        keep(beyond_color([self._edits[pair] for pair in pairs]), NOT_COLOR)
        keep(far_from(self._fit_of(pairs).errors()), MIXED)
        final = self._fit_of(pairs)
        return StyleResult(final.fit(), final.gain(), tuple(pairs), tuple(left_out))

    def _fit_of(self, pairs: list[Pair]) -> StyleFit:
        return StyleFit([self._edits[pair] for pair in pairs])

    def write(self, result: StyleResult) -> None:
        """Write the networks with the style, if it gains anything on held-out edits.

        Raises:
            TrainingError: It gains nothing clear, and the config does not ask for it all the same.
            PlaceTakenError: Another file has come in its place.
            WeightsError: The file cannot be written.
        """
        if not result.gain.is_clear and not self.config.even_without_gain:
            raise TrainingError(
                "no clear gain on held-out edits, so nothing was written; give more edits of one "
                "style, or write it all the same with --set "
                "even_without_gain=true"
            )
        base = self._weights
        model = Cascade(replace(base.model.config, style=True))
        model.load_state_dict(base.model.state_dict(), strict=False)
        model.style = result.fit.style
        own = (pair.key for pair in result.pairs)
        keys = tuple(sorted({*base.provenance.trained_on, *own}))
        style = {"pairs": len(result.pairs), **result.fit.penalty._asdict()}
        recipe = {**base.provenance.recipe, "style": style}
        gain = result.gain
        figures = {
            "held_out_edits": len(result.pairs),
            "without_style": gain.without._asdict(),
            "with_style": gain.styled._asdict(),
        }
        save_weights(
            self.config.out, model, Provenance(keys, recipe, figures), KeepOthers(self._there)
        )


@_one_thread()
@torch.inference_mode()
def _edit(model: Cascade, original: Tensor, edited: Tensor, device: torch.device) -> Edit:
    """Run the networks on an original, ``(1, 3, H, W)``, and take some pixels of both photos."""
    edge = model.config.input_edge
    view, after = (downscaled(photo, edge) for photo in (original, edited))
    function = _on_cpu(model.unstyled(view.to(device)).function)
    small = downscaled(view, EDGE)
    count = view.shape[-2] * view.shape[-1]
    some = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:PIXELS]
    before, after = (photo.flatten(2)[:, :, None, some] for photo in (view, after))
    return Edit(function, small, style_features(function, small)[0], before, after)


def _on_cpu(function: ColorFunction) -> ColorFunction:
    mapping, polynomial = function.mapping, function.polynomial
    return function._replace(
        mapping=mapping and type(mapping)(*(part.cpu() for part in mapping)),
        polynomial=None if polynomial is None else polynomial.cpu(),
    )


def _too_few(count: int, left_out: list[BadPair]) -> str:
    reasons = "".join(f"; {pair.key}: {pair.reason}" for pair in left_out[:3])
    return (
        f"{count} of the pairs can be used, and a style needs at least {MIN_PAIRS}; 20 to 200 are "
        f"best{reasons}"
    )

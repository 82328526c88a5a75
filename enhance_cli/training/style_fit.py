"""Fits a style to edited photos by ridge regression, and says what it gains on held-out edits."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from enhance_cli.imaging.metrics import l2_lab, psnr
from enhance_cli.models.color_function import ColorFunction
from enhance_cli.models.color_polynomial import (
    EXPONENTS,
    TERMS,
    color_monomials,
    fit_color_polynomial,
    legendre_terms,
)
from enhance_cli.models.color_polynomial import evaluate_color_polynomial as evaluate
from enhance_cli.models.style import FEATURES, Style
from enhance_cli.models.typed_torch import solve, unflatten

FOLDS = 10
"""Number of parts into which the photos are divided, each of which is held out once."""

PIXELS = 1024
"""Largest number of pixels of a photo to which a style is fitted."""

MIN_PAIRS = 3
"""Least number of pairs; with fewer, none could be held out."""

MAX_ERROR, TIMES_MEDIAN = 0.05, 3.0
"""Root mean square error from which an edit counts as more than a change of color, unless so many
have such errors that the median is a third of its own. Among 250 edits by FiveK's expert C, the
largest was 0.035; if an edit is cropped by 8 %, it is 0.1 in the median."""

FAR_OFF, DEVIATIONS = 0.1, 5.0
"""An edit is far from the style of all if its root mean square error exceeds ``FAR_OFF``, and the
median by ``DEVIATIONS`` robust standard deviations."""

ROUNDS = 10
"""Number of fits by which the style of most edits is found."""

_GROWTH = 3.0
"""Factor of the ridge penalty for each degree of a term: simple corrections are more likely."""

_RIDGES = (1e-4, 1e-3, 1e-2, 1e-1)
_LINEAR = [number for number, powers in enumerate(EXPONENTS) if sum(powers) <= 1]
"""The terms of a polynomial that may depend on features: 1, B, G and R."""


class Penalty(NamedTuple):
    """How strongly a fit is held back.

    Attributes:
        ridge: Penalty on the constant part, for terms of degree 0.
        features: Penalty on the part that depends on features; None leaves that part out.
        terms: Number of terms of degree 0 and 1 that depend on features: 1 or 4.
    """

    ridge: float
    features: float | None = None
    terms: int = 1


PENALTIES = tuple(
    penalty
    for ridge in _RIDGES
    for penalty in (
        Penalty(ridge),
        Penalty(ridge, 0.3),
        Penalty(ridge, 1.0),
        Penalty(ridge, 1.0, terms=4),
    )
)
"""The penalties from which cross-validation chooses; a weak one suits many or consistent edits."""


@dataclass(frozen=True, eq=False)
class Edit:
    """An edited photo, as the fit sees it.

    Attributes:
        function: The networks' function of color, for one photo.
        photo: The photo, ``(1, 3, h, w)``, small.
        features: Its features, ``(9,)``.
        before: Colors of some of its pixels, ``(1, 3, 1, N)``.
        after: Colors of the same pixels in the edited version, ``(1, 3, 1, N)``.
    """

    function: ColorFunction
    photo: Tensor
    features: Tensor
    before: Tensor
    after: Tensor

    @cached_property
    def result(self) -> Tensor:
        """The networks' result for these pixels, ``(1, 3, 1, N)``."""
        return self.function(self.before).clamp(0, 1)

    @cached_property
    def color_error(self) -> float:
        """How far the edit is from any change of color alone: root mean square error."""
        change = self.after - self.before
        return _rms(change - evaluate(fit_color_polynomial(change, self.before), self.before))


class Distance(NamedTuple):
    """Mean distance of photos from their edits.

    Attributes:
        psnr: Mean PSNR in dB.
        l2_lab: Mean distance in CIELab.
    """

    psnr: float
    l2_lab: float


@dataclass(frozen=True)
class Gain:
    """What a style gains on edits to which it was not fitted.

    Attributes:
        without: Distance of the networks' results from the edits.
        styled: Distance of the corrected results.
        error: Standard error of the gain in dB.
    """

    without: Distance
    styled: Distance
    error: float

    @property
    def psnr(self) -> float:
        """Mean gain in dB."""
        return self.styled.psnr - self.without.psnr

    @property
    def is_clear(self) -> bool:
        """Whether both figures are better, and PSNR by more than its standard error."""
        return self.psnr > self.error and self.styled.l2_lab < self.without.l2_lab


@dataclass(frozen=True)
class Fit:
    """A fitted style.

    Attributes:
        style: The style, fitted to all edits.
        penalty: Its penalty.
    """

    style: Style
    penalty: Penalty


class StyleFit:
    """Ridge regressions on the same edits.

    Args:
        edits: The edits. Neighbours in this order are held out together, since photos of one scene
            mostly have neighbouring names.
    """

    def __init__(self, edits: Sequence[Edit]) -> None:
        self.edits = edits
        self._scale = Style()
        features = torch.stack([edit.features for edit in edits])
        self._scale.mean = features.mean(0)
        self._scale.deviation = features.std(0, correction=0).clamp(min=0.01)
        statistics = [self._statistics(edit) for edit in edits]
        self._gram, self._moments, self._energy = map(torch.stack, zip(*statistics, strict=True))

    def fit(self) -> Fit:
        """Fit a style to all edits, with the penalty that is best on held-out ones."""
        every = list(range(len(self.edits)))
        penalty = self._best_penalty(every)
        return Fit(self._style(_solve(self._sums(every), penalty)), penalty)

    def gain(self) -> Gain:
        """Measure the gain on held-out edits. The penalty is chosen without them, too."""
        rows: list[tuple[Distance, Distance]] = []
        every = list(range(len(self.edits)))
        for held_out in _folds(every):
            others = _without(every, held_out)
            style = self._style(_solve(self._sums(others), self._best_penalty(others)))
            for number in held_out:
                edit = self.edits[number]
                styled = style(edit.function, edit.photo)(edit.before)
                rows.append((_distance(edit.result, edit.after), _distance(styled, edit.after)))
        without, styled = (_mean(column) for column in zip(*rows, strict=True))
        gains = torch.tensor([after.psnr - before.psnr for before, after in rows])
        return Gain(without, styled, float(gains.std()) / len(rows) ** 0.5)

    def errors(self) -> list[float]:
        """How far each edit is from the style of most of them: root mean square error.

        Edits that are far off count less, so that they do not pull the style towards them.
        """
        every = list(range(len(self.edits)))
        penalty = self._best_penalty(every)
        errors = torch.ones(len(every)).double()
        for _ in range(ROUNDS):
            importance = 1 / errors.clamp(min=float(errors.median()))
            fitted = _solve(self._sums(every, importance), penalty)
            errors = self._mean_squares(fitted, every).sqrt()
        return errors.tolist()

    def _statistics(self, edit: Edit) -> tuple[Tensor, Tensor, Tensor]:
        """What least squares needs of an edit: Gram matrix, moments and energy."""
        terms = (legendre_terms() @ color_monomials(edit.result))[0].double()
        features = self._scale.standardised(edit.features[None])[0].double()
        dependent = (terms[_LINEAR, None] * features[:, None]).flatten(0, 1)
        design = torch.cat([terms, dependent])
        change = (edit.after - edit.result)[0, :, 0].double()
        count = change.shape[1]
        return design @ design.T / count, design @ change.T / count, change.square().mean()

    def _sums(self, numbers: list[int], importance: Tensor | None = None) -> _Sums:
        """Add up what least squares needs; ``importance`` is the weight of each edit."""
        weights = torch.ones(len(numbers)).double() if importance is None else importance
        gram = torch.einsum("n,nkl->kl", weights, self._gram[numbers])
        moments = torch.einsum("n,nkc->kc", weights, self._moments[numbers])
        return _Sums(gram, moments, float(weights.sum()))

    def _best_penalty(self, numbers: list[int]) -> Penalty:
        folds = _folds(numbers)
        parts = [self._sums(fold) for fold in folds]
        total = self._sums(numbers)
        found: dict[Penalty, float] = {}
        for penalty in PENALTIES:
            errors = [
                self._mean_squares(_solve(total.less(part), penalty), fold)
                for fold, part in zip(folds, parts, strict=True)
            ]
            found[penalty] = float(torch.cat(errors).log().mean())
        return min(found, key=found.__getitem__)

    def _mean_squares(self, weights: Tensor, numbers: list[int]) -> Tensor:
        """Mean square error on each of some edits, before clamping."""
        gram, moments = self._gram[numbers], self._moments[numbers]
        fitted = torch.einsum("kc,nkl,lc->n", weights, gram, weights)
        crossed = torch.einsum("kc,nkc->n", weights, moments)
        return ((fitted - 2 * crossed) / 3 + self._energy[numbers]).clamp(min=1e-9)

    def _style(self, weights: Tensor) -> Style:
        style = Style()
        style.mean, style.deviation = self._scale.mean, self._scale.deviation
        basis = legendre_terms().double()
        style.constant = (basis.T @ weights[:TERMS]).float()
        slopes = unflatten(weights[TERMS:], 0, (len(_LINEAR), FEATURES))
        style.slopes = torch.einsum("tm,tkc->kmc", basis[_LINEAR], slopes).float()
        return style


class _Sums(NamedTuple):
    """Sums of what least squares needs, over some edits.

    Attributes:
        gram: Gram matrices, ``(71, 71)``.
        moments: Moments, ``(71, 3)``.
        edits: Number of edits, or sum of their weights.
    """

    gram: Tensor
    moments: Tensor
    edits: float

    def less(self, other: _Sums) -> _Sums:
        """The sums without those of some of the edits."""
        return _Sums(self.gram - other.gram, self.moments - other.moments, self.edits - other.edits)


def _solve(sums: _Sums, penalty: Penalty) -> Tensor:
    """Fit the coefficients of all columns of the design, ``(71, 3)``."""
    degrees = torch.tensor([sum(powers) for powers in EXPONENTS])
    diagonal = penalty.ridge * _GROWTH ** degrees.double()
    if penalty.features is not None:
        more = torch.full((penalty.terms * FEATURES,), penalty.features).double()
        diagonal = torch.cat([diagonal, more])
    used = len(diagonal)
    gram = sums.gram[:used, :used] / sums.edits + diagonal.diag()
    weights = torch.zeros_like(sums.moments)
    weights[:used] = solve(gram, sums.moments[:used] / sums.edits)
    return weights


def far_from(errors: Sequence[float]) -> list[bool]:
    """Which of some distances from the style of all are far off."""
    found = torch.tensor(errors)
    median = found.median()
    spread = 1.4826 * (found - median).abs().median()
    return ((found > FAR_OFF) & (found > median + DEVIATIONS * spread)).tolist()


def beyond_color(edits: Sequence[Edit]) -> list[bool]:
    """Which of some edits cannot be changes of color alone."""
    errors = torch.tensor([edit.color_error for edit in edits])
    return (errors > max(MAX_ERROR, TIMES_MEDIAN * float(errors.median()))).tolist()


def _folds(numbers: list[int]) -> list[list[int]]:
    """Divide edits into ``FOLDS`` runs of neighbours, as equal as possible."""
    edits = min(FOLDS, len(numbers))
    bounds = [round(part * len(numbers) / edits) for part in range(edits + 1)]
    return [numbers[start:end] for start, end in itertools.pairwise(bounds)]


def _without(numbers: list[int], held_out: list[int]) -> list[int]:
    return [number for number in numbers if number not in held_out]


def _distance(result: Tensor, edit: Tensor) -> Distance:
    pixels = (photo[0].clamp(0, 1).permute(1, 2, 0).numpy() for photo in (result, edit))
    first, second = pixels
    return Distance(min(psnr(first, second), 60.0), l2_lab(first, second))


def _mean(distances: Sequence[Distance]) -> Distance:
    return Distance(*torch.tensor(distances).mean(0).tolist())


def _rms(errors: Tensor) -> float:
    return float(errors.square().mean().sqrt())

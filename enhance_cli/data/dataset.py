"""Training samples: squares of equal size out of pairs of photos of any size."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from enhance_cli.config import LONG_EDGE, Fit
from enhance_cli.data.distortion import UNDEGRADED, draw_distortion
from enhance_cli.data.pairs import Pair
from enhance_cli.data.prepared import PreparedPairs

GRID = 16
"""Squares that grow have sides that are multiples of this, in pixels."""

EXPOSURE_FOLLOWS = 0.45
"""Share of a change of exposure that is still there after retouching: 0.38 to 0.57, measured, like
the next, between versions of 814 photos retouched by two published systems."""

BALANCE_FOLLOWS = 1.2
"""The same for a cast, 1.2 to 1.3: colours are made stronger, casts among them."""

BEYOND = 0.3
"""How far beyond two versions of a photo, as a share of their distance, a blend may lie."""

MATTED = 0.4
"""Share of the finished samples that lie on plain ground."""

TILES = (2, 4, 8)
"""To a side, of a square that is put together in another order."""

GRAINY = 0.5
"""Share of the grounds that are not plain after all."""


class Sample(NamedTuple):
    """One square of a pair, or a batch of them with a leading axis.

    Attributes:
        original: ``(3, S, S)``, sRGB in [0, 1].
        expert: The same square of the expert's version.
        mask: ``(1, S, S)``, 1 where there is photo and 0 where there is padding.
        view: The whole original in the square that CENet sees, ``(3, V, V)``; empty where the
            framing asks for none.
        number: int64; which pair it comes from.
    """

    original: Tensor
    expert: Tensor
    mask: Tensor
    view: Tensor
    number: Tensor


class Framing(NamedTuple):
    """How a square is cut from a photo.

    Attributes:
        side: Of the square, in pixels.
        crop: False pads the whole photo with black (section 3.2); True fills the square with a
            random part of the photo.
        zoom: Smallest share of width and height in that part.
        keep_aspect: The part is a square too; otherwise it is squashed to one.
        flip: Mirror left to right at random.
        rotate: Turn by quarter turns at random.
        jitter: Largest random change of exposure, see :func:`draw_jitter`.
        view: How the whole original is shown beside its part; None leaves it out.
        grow_from: Side in epoch 0, where it is smaller.
        grown_after: Epochs after which the side has been reached.
    """

    side: int = LONG_EDGE
    crop: bool = False
    zoom: float = 1.0
    keep_aspect: bool = True
    flip: bool = False
    rotate: bool = False
    jitter: float = 0.0
    view: View | None = None
    grow_from: int = 0
    grown_after: float = 0.0

    def at(self, epoch: int) -> Framing:
        """The framing of an epoch; large squares cost more, so its side grows slowly at first.

        Padded photos do not grow: a smaller square would cut them.
        """
        grows = self.crop and 0 < self.grow_from < self.side
        if not grows or epoch >= self.grown_after:
            return self
        share = (epoch / self.grown_after) ** 2
        side = self.grow_from + share * (self.side - self.grow_from)
        return self._replace(side=GRID * max(1, round(side / GRID)))


class View(NamedTuple):
    """How a whole photo is brought into a square: padded with black, or squashed."""

    side: int
    fit: Fit


def _unchanged(photo: Tensor) -> Tensor:
    return photo


class Change(NamedTuple):
    """What is done to a pair at random, photo by photo, ``(3, H, W)``, sRGB in [0, 1].

    Made once they are cut to size, since it costs as much as all the rest.
    """

    original: Callable[[Tensor], Tensor] = _unchanged
    expert: Callable[[Tensor], Tensor] = _unchanged


class Turn(NamedTuple):
    """Which sample to draw.

    Attributes:
        epoch: From 0.
        number: Of the pair.
        again: How often the pair has come up in this epoch already.
    """

    epoch: int
    number: int
    again: int = 0


class PairDataset(Dataset[Sample]):
    """Samples of pairs, asked for by :class:`Turn`; what is drawn depends on seed and turn alone.

    Args:
        pairs: What to sample from. Where a pair has no original, it is made by distorting.
        store: Where their pixels come from.
        framing: How squares are cut.
        finished_share: Share of samples in which the expert's version is the original too.
        plain_share: Share of samples that show no photo, see :func:`plain`.
        blend: Share of samples that lie between two versions of their photo, where there are more.
        shuffle: Share of samples whose squares are put together anew, see :func:`shuffled`.
        seed: Of all random choices.
    """

    def __init__(
        self,
        pairs: list[Pair],
        store: PreparedPairs,
        framing: Framing,
        finished_share: float = 0.0,
        plain_share: float = 0.0,
        blend: float = 0.0,
        shuffle: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.pairs = pairs
        self.store = store
        self.framing = framing
        self.finished_share = finished_share
        self.plain_share = plain_share
        self.blend = blend
        self.shuffle = shuffle
        self._versions = _versions(pairs) if blend else {}
        self.seed = seed

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, turn: Turn) -> Sample:  # type: ignore[override]
        """Draw a sample.

        Raises:
            PairsError: The two photos of the pair do not belong together.
            PhotoError: One of them cannot be read.
        """
        draw = random.Random(f"{self.seed}/{turn.epoch}/{turn.number}/{turn.again}")
        framing = self.framing.at(turn.epoch)
        both, change = self._drawn(turn.number, framing, draw)
        if self.framing.flip and draw.random() < 0.5:
            both = both.flip(-1)
        if self.framing.rotate:
            both = both.rot90(draw.randrange(4), (-2, -1))
        squares, mask = frame(both, framing, draw)
        original, expert = change.original(squares[0]), change.expert(squares[1])
        if draw.random() < self.shuffle:
            parts = shuffled(torch.cat([original, expert, mask]), draw)
            original, expert, mask = parts.split((3, 3, 1))
        view = _viewed(both[:1], framing.view, change.original)
        return Sample(original * mask, expert * mask, mask, view, torch.tensor(turn.number))

    def _drawn(self, number: int, framing: Framing, draw: random.Random) -> tuple[Tensor, Change]:
        """Original and expert, and what is still to be done to them once they are cut to size."""
        photos = self._load(number, framing)
        expert = photos[-1]
        if draw.random() < self.plain_share:
            ground = plain(expert, draw)
            return torch.stack([ground, ground]), Change()
        if draw.random() < self.finished_share:
            finished = matted(expert, draw) if draw.random() < MATTED else expert
            return torch.stack([finished, finished]), Change()
        if len(photos) == 1:
            both = torch.stack([expert, expert])
            degraded = draw.random() >= UNDEGRADED
            return both, Change(draw_distortion(expert, draw)) if degraded else Change()
        if draw.random() < self.blend:
            photos = self._blended(number, photos, framing, draw)
        return photos, draw_jitter(framing.jitter, draw) if framing.jitter else Change()

    def _blended(
        self, number: int, photos: Tensor, framing: Framing, draw: random.Random
    ) -> Tensor:
        """What lies between, or a little beyond, two versions of one photo, before and after."""
        others = [one for one in self._versions.get(number, ()) if one != number]
        if not others:
            return photos
        other = self._load(draw.choice(others), framing)
        if other.shape != photos.shape:
            return photos
        return photos.lerp(other, draw.uniform(-BEYOND, 1 + BEYOND)).clamp(0, 1)

    def _load(self, number: int, framing: Framing) -> Tensor:
        """A pair's photos, halved while they still fill the smallest part that may be cut."""
        pair = self.pairs[number]
        photos = self.store.load(pair)
        if framing.crop:
            least = framing.zoom * min(photos.shape[-2:])
            photos = self.store.load(pair, max(0, int(math.log2(max(1, least / framing.side)))))
        return photos.float() / 255


def _versions(pairs: list[Pair]) -> dict[int, list[int]]:
    """For each pair that is one of several versions of a photo, the numbers of all of them."""
    groups: dict[str, list[int]] = {}
    for number, pair in enumerate(pairs):
        if pair.photo is not None:
            groups.setdefault(pair.photo, []).append(number)
    return {number: group for group in groups.values() for number in group if len(group) > 1}


def epoch_turns(weights: list[float], epoch: int, draw: random.Random) -> list[Turn]:
    """Put the samples of one epoch in order.

    Args:
        weights: Of each pair: how often it comes up in an epoch. Of pairs with weight 0.5 a random
            half comes up; the number of samples is the same in every epoch.
        epoch: From 0.
        draw: Source of the random choices.
    """
    groups: dict[float, list[int]] = {}
    for index, weight in enumerate(weights):
        groups.setdefault(weight, []).append(index)
    turns: list[Turn] = []
    for weight, group in groups.items():
        whole = int(weight)
        turns += [Turn(epoch, index, again) for again in range(whole) for index in group]
        rest = draw.sample(group, round((weight - whole) * len(group)))
        turns += [Turn(epoch, index, whole) for index in rest]
    draw.shuffle(turns)
    return turns


def draw_jitter(stops: float, draw: random.Random) -> Change:
    """Draw a small change of a pair's exposure and colour balance.

    Who retouches a darker photo of the same scene hands in a darker result, though not by as much,
    and keeps its cast; so the expert's version follows.

    Args:
        stops: Largest change: of the exponent that all channels share, in powers of two, and, a
            third as much, of the gain of each. Black stays black, and white about white.
        draw: Source of the random choices.
    """
    exposure = draw.uniform(-stops, stops)
    balance = torch.tensor([draw.uniform(-stops, stops) / 3 for _ in range(3)])
    balance = (balance - balance.mean())[:, None, None]

    def changed(photo: Tensor, exposure: float, balance: Tensor) -> Tensor:
        return (photo ** (2**-exposure) * 2**balance).clamp(0, 1)

    return Change(
        lambda photo: changed(photo, exposure, balance),
        lambda photo: changed(photo, EXPOSURE_FOLLOWS * exposure, BALANCE_FOLLOWS * balance),
    )


def shuffled(square: Tensor, draw: random.Random) -> Tensor:
    """Cut a square into tiles and put them together in another order.

    What is to be made of a photo is mostly a matter of which colours there are, and not of where
    they are. One that never comes back in the same order is not so soon known by heart.

    Args:
        square: ``(..., S, S)``; all that is before the last two axes is cut alike.
        draw: Source of the random choices: the order, and whether there are 2 x 2, 4 x 4 or
            8 x 8 tiles.

    Returns:
        The same shape. Where S is no multiple of the number of tiles, nothing is changed.
    """
    count = draw.choice(TILES)
    side, rest = divmod(square.shape[-1], count)
    if rest:
        return square
    order = draw.sample(range(count**2), count**2)
    tiles = square.unflatten(-1, (count, side)).unflatten(-3, (count, side)).transpose(-3, -2)
    again = tiles.flatten(-4, -3)[..., order, :, :].unflatten(-3, (count, count))
    return again.transpose(-3, -2).flatten(-4, -3).flatten(-2)


def matted(photo: Tensor, draw: random.Random) -> Tensor:
    """Leave a part of a finished photo, and make the rest plain or noisy.

    A studio's ground, a white sky or a black one shall stay as plain as it is, and grain may not
    bring a cast; among finished photos there are too few of them to learn that from.

    Args:
        photo: ``(3, H, W)``, sRGB in [0, 1].
        draw: Source of the random choices. Half of the grounds are white.
    """
    height, width = photo.shape[-2:]
    white = draw.random() < 0.5
    ground = _grainy(torch.ones_like(photo), draw) if white else plain(photo, draw)
    tall, wide = (round(side * draw.random()) for side in (height, width))
    top, left = draw.randint(0, height - tall), draw.randint(0, width - wide)
    window = slice(top, top + tall), slice(left, left + wide)
    ground[:, *window] = photo[:, *window]
    return ground


def plain(photo: Tensor, draw: random.Random) -> Tensor:
    """A frame of one colour or of grain, of the size of ``photo``: nothing to be retouched.

    Args:
        photo: ``(3, H, W)``.
        draw: Source of the random choices. A third of the frames are of a colour that is in the
            photo, for of all colours few are as dull and dark as soil and leaves are; a third are
            of any colour, a sixth grey, the others white or black. Every other one has grain of
            any strength and size.
    """
    height, width = photo.shape[-2:]
    own = photo[:, draw.randrange(height), draw.randrange(width)].tolist()
    grey, colour = [draw.random()] * 3, [draw.random() for _ in range(3)]
    end = [float(draw.random() < 0.5)] * 3
    chosen = draw.choice([own, own, colour, colour, grey, end])
    return _grainy(photo.new_tensor(chosen)[:, None, None].expand_as(photo).clone(), draw)


def _grainy(ground: Tensor, draw: random.Random) -> Tensor:
    if draw.random() >= GRAINY:
        return ground
    height, width = ground.shape[-2:]
    return ground.lerp(_grain(height, width, draw), draw.random())


def _grain(height: int, width: int, draw: random.Random) -> Tensor:
    """Squares of 1 to 4 pixels, each of a colour of its own."""
    side = draw.randint(1, 4)
    source = torch.Generator().manual_seed(draw.getrandbits(32))
    colours = torch.rand(3, -(-height // side), -(-width // side), generator=source)
    squares = colours.repeat_interleave(side, 1).repeat_interleave(side, 2)
    return squares[:, :height, :width]


def frame(photos: Tensor, framing: Framing, draw: random.Random) -> tuple[Tensor, Tensor]:
    """Cut the same square from several photos of equal size.

    Args:
        photos: ``(B, 3, H, W)``.
        framing: How.
        draw: Source of the random choices.

    Returns:
        ``(B, 3, S, S)``, and the mask ``(1, S, S)``.
    """
    if not framing.crop:
        return _pad(photos, framing.side)
    return _crop(photos, framing, draw), torch.ones(1, framing.side, framing.side)


def _viewed(photo: Tensor, view: View | None, distort: Callable[[Tensor], Tensor]) -> Tensor:
    if view is None:
        return photo.new_empty(0)
    if view.fit == "pad":
        padded, mask = _pad(photo, view.side)
        return distort(padded[0]) * mask
    size = (view.side, view.side)
    squashed = F.interpolate(photo, size, mode="bilinear", align_corners=False, antialias=True)
    return distort(squashed[0])


def _pad(photos: Tensor, side: int) -> tuple[Tensor, Tensor]:
    height, width = photos.shape[-2:]
    padding = (0, side - width, 0, side - height)
    return F.pad(photos, padding), F.pad(torch.ones(1, height, width), padding)


def _crop(photos: Tensor, framing: Framing, draw: random.Random) -> Tensor:
    height, width = photos.shape[-2:]
    if framing.keep_aspect:
        tall = wide = max(1, round(min(height, width) * draw.uniform(framing.zoom, 1)))
    else:
        tall = max(1, round(height * draw.uniform(framing.zoom, 1)))
        wide = max(1, round(width * draw.uniform(framing.zoom, 1)))
    top, left = draw.randint(0, height - tall), draw.randint(0, width - wide)
    part = photos[..., top : top + tall, left : left + wide]
    size = (framing.side, framing.side)
    return F.interpolate(part, size, mode="bilinear", align_corners=False, antialias=True)

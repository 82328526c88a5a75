"""How well frames of a scene match, with and without a shared look.

python tests/benchmarks/series.py DATA [--photos 40] [--sheet FILE]

DATA holds the folders ``input`` and ``expertC`` of pairs. Of every fifth photo, which no weights
have learned from, series are made: crops, a pan, and a bracket of -1.5 to 1.5 stops. Two frames are
compared where they show the same part of the scene, by the mean over pixels of the distance in
CIELab, and by the difference in mean L*, after the difference in exposure has been taken out in
linear light. Pixels that are clipped, before or after, are left out. The cost is the PSNR against
the expert's version of the same part, of frames at the photo's own exposure.
"""

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from measuring import machine
from PIL import Image
from skimage.color import rgb2lab

from enhance_cli.batch.series.grouping import Frame, group
from enhance_cli.batch.series.scene_colors import scene_colors
from enhance_cli.imaging.contact_sheet import contact_sheet
from enhance_cli.imaging.metadata.shot import NO_SHOT, Shot
from enhance_cli.imaging.metrics import psnr
from enhance_cli.imaging.photo import Photo, quantize
from enhance_cli.inference.enhancer import Enhancer
from enhance_cli.inference.shared_look import look_at_exposure, own_look

KINDS = ("crops", "pan", "bracket")
STOPS = (-1.5, -0.75, 0.0, 0.75, 1.5)
LEAST_SHARED = 50
"""Pixels that two frames must have in common to be compared."""


class Window(NamedTuple):
    """A part of a photo, and the exposure at which a frame shows it."""

    top: int
    left: int
    height: int
    width: int
    stops: float = 0.0

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """The part of a photo."""
        rows = slice(self.top, self.top + self.height)
        return np.ascontiguousarray(pixels[rows, self.left : self.left + self.width])


class Difference(NamedTuple):
    """How far two frames differ where they show the same."""

    lab: float
    lightness: float


def as_floats(pixels: np.ndarray) -> np.ndarray:
    """Integers of any depth in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def exposed(pixels: np.ndarray, stops: float) -> np.ndarray:
    """The same scene exposed by a number of stops more, in [0, 1], not clamped above."""
    values = as_floats(pixels)
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    linear = linear * 2.0**stops
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def windows(kind: str, size: tuple[int, int], draw: np.random.Generator) -> list[Window]:
    """The frames of a series."""
    rows, columns = size

    def somewhere(share: float, stops: float = 0.0) -> Window:
        height, width = int(rows * share), int(columns * share)
        top, left = draw.integers(0, rows - height + 1), draw.integers(0, columns - width + 1)
        return Window(int(top), int(left), height, width, stops)

    if kind == "crops":
        return [somewhere(draw.uniform(0.55, 0.9)) for _ in range(5)]
    if kind == "bracket":
        return [somewhere(0.9, stops) for stops in STOPS]
    height, width = int(rows * 0.9), int(columns * 0.6)
    steps = ((columns - width) * step // 4 for step in range(5))
    return [Window(int(draw.integers(0, rows - height + 1)), x, height, width) for x in steps]


def differences(
    frames: list[Window], before: list[np.ndarray], after: list[np.ndarray]
) -> Iterator[Difference]:
    """Compare all pairs of frames that overlap."""
    for pair in itertools.combinations(range(len(frames)), 2):
        top, left = (max(frames[i][axis] for i in pair) for axis in (0, 1))
        bottom, right = (min(frames[i][a] + frames[i][a + 2] for i in pair) for a in (0, 1))
        if bottom <= top or right <= left:
            continue
        labs, shown = [], np.ones((bottom - top, right - left), bool)
        for i in pair:
            one = frames[i]
            part = Window(top - one.top, left - one.left, bottom - top, right - left)
            for pixels in (part.of(before[i]), part.of(after[i])):
                values = as_floats(pixels)
                shown &= (values > 1 / 255).all(-1) & (values < 254 / 255).all(-1)
            labs.append(rgb2lab(exposed(part.of(after[i]), -one.stops)))
        if shown.sum() >= LEAST_SHARED:
            apart = labs[0][shown] - labs[1][shown]
            lab = np.linalg.norm(apart, axis=-1).mean()
            yield Difference(float(lab), abs(float(apart[:, 0].mean())))


def together(
    enhancer: Enhancer, photos: list[Photo], stops: list[float] | None
) -> tuple[list[np.ndarray], list[np.ndarray], int]:
    """Each frame on its own, all with the look of their series, and how many are in it."""
    frames = []
    for index, photo in enumerate(photos):
        retouch = enhancer.predict(photo)
        view = photo.fit_within(enhancer.model.config.input_edge).as_srgb()
        light = None if stops is None else Shot(light=stops[index], stated=(True, True))
        look = own_look(view, retouch.function)
        frames.append(Frame(index, light or NO_SHOT, scene_colors(view), look, retouch.function))
    retouches = [enhancer.predict(photo) for photo in photos]
    alone = [enhancer.apply(*pair).pixels for pair in zip(photos, retouches, strict=True)]
    shared, count = list(alone), 0
    for series in group(frames):
        for frame, stop in zip(series.frames, series.stops, strict=True):
            function = look_at_exposure(series.look, stop, frame.function)
            own = replace(retouches[frame.index], function=function)
            shared[frame.index] = enhancer.apply(photos[frame.index], own).pixels
            count += 1
    return alone, shared, count


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--photos", type=int, default=50)
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--bits", type=int, choices=(8, 16), default=16, help="of the frames")
    parser.add_argument("--sheet", type=Path, help="also write a picture of some series")
    given = parser.parse_args()
    enhancer = Enhancer.load(device="cpu")
    names = sorted(path.name for path in (given.data / "input").iterdir())[::5][: given.photos]
    print(f"{machine()}, {len(names)} photos, 5 frames each\n")
    print("| series | exposure | in it | dE without | dE with | L* without | L* with | dB |")
    print("|---|---|---|---|---|---|---|---|")
    cells: list[tuple[str, np.ndarray]] = []
    for kind, told in itertools.product(given.kinds, (True, False)):
        draw, seen, costs, members = np.random.default_rng(0), ([], []), [], 0
        for number, name in enumerate(names):
            photo, expert = (
                np.asarray(Image.open(given.data / side / name).convert("RGB"))
                for side in ("input", "expertC")
            )
            frames = windows(kind, photo.shape[:2], draw)
            before = [
                quantize(exposed(one.of(photo), one.stops), np.dtype(f"uint{given.bits}"))
                for one in frames
            ]
            stops = [one.stops for one in frames] if told else None
            alone, shared, count = together(enhancer, [Photo(one) for one in before], stops)
            members += count
            for of_all, after in zip(seen, (alone, shared), strict=True):
                of_all.extend(differences(frames, before, after))
            for one, *versions in zip(frames, alone, shared, strict=True):
                if not one.stops:
                    best = as_floats(one.of(expert))
                    costs.append([psnr(as_floats(version), best) for version in versions])
            if told and number % 10 == 4:
                rows = (("photo", before), ("without", alone), ("with", shared))
                cells += [(label, as_floats(one)) for label, row in rows for one in row]
        figures = [np.array(found) for found in seen]
        columns = [
            " / ".join(f"{np.quantile(found[:, axis], at):.2f}" for at in (0.5, 0.95))
            for axis in (0, 1)
            for found in figures
        ]
        cost = np.diff(np.mean(costs, axis=0))[0]
        share = members / (len(names) * len(STOPS))
        exposure = "EXIF" if told else "brightness"
        print(
            f"| {kind} | {exposure} | {share:.0%} | {' | '.join(columns)} | {cost:+.2f} |",
            flush=True,
        )
    if given.sheet:
        Image.fromarray(contact_sheet(cells, columns=5)).save(given.sheet, quality=90)


if __name__ == "__main__":
    main()

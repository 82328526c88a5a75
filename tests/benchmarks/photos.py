"""Folders of realistic camera JPEGs: scikit-image's photos, enlarged, with film grain."""

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

SCENES = ("coffee", "astronaut", "chelsea", "rocket")
DISTINCT = 8
"""Number of different files in a folder; the others are hard links to these."""

GRAIN = 5.0
"""Standard deviation in 8-bit levels; it makes 24 megapixels take 9 to 10 MB, as from a camera."""


def make_photos(folder: Path, count: int, megapixels: float, of: Path | None = None) -> Path:
    """Make a folder of 3:2 JPEGs, quality 95, 4:2:2.

    Args:
        folder: The folder; photos that it has already are kept.
        count: Number of photos.
        megapixels: Megapixels of each photo.
        of: A folder with such photos to link to, or None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = of or folder
    for number in range(count):
        path = folder / f"{number:05d}.jpg"
        if path.exists():
            continue
        first = source / f"{number % DISTINCT:05d}.jpg"
        if first.exists() and first != path:
            os.link(first, path)
        else:
            # In a separate process: the peak memory of a child is at least that of its parent.
            with ProcessPoolExecutor(1) as process:
                process.submit(_write, path, number, megapixels).result()
    return folder


def _write(path: Path, number: int, megapixels: float) -> None:
    width = round((megapixels * 1.5e6) ** 0.5)
    height = round(width / 1.5)
    draw = np.random.default_rng(number)
    scene = Image.fromarray(getattr(data, SCENES[number % len(SCENES)])())
    pixels = np.asarray(scene.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    grain = draw.normal(0, GRAIN, (height, width, 1)).astype(np.int16)
    grainy = (pixels + grain).clip(0, 255).astype(np.uint8)
    Image.fromarray(grainy).save(path, quality=95, subsampling="4:2:2")

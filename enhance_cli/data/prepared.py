"""Pairs rendered once, checked, and kept on disk at the size at which they are learned from.

A prepared pair is one lossless picture, original left and expert right, so that anyone can open it
and see what the networks see. Its name carries a digest of the sources and of the settings: when
either changes, another picture is made.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from enhance_cli.config import LONG_EDGE
from enhance_cli.data.pairs import BadPair, Pair
from enhance_cli.errors import OutputError, PairsError, PhotoError
from enhance_cli.imaging.decoding import decode
from enhance_cli.imaging.formats import is_raw
from enhance_cli.imaging.likeness import same_photo
from enhance_cli.imaging.lossless import read_png, write_png
from enhance_cli.imaging.photo import quantized
from enhance_cli.imaging.resizing import resize_pixels

RENDERING = 2
"""To be raised whenever rendering changes, so that old pictures are not used again."""

BYTES_PER_PIXEL = 2.0
"""Of a prepared picture."""

MEMORY = 4 * 2**30
"""Bytes of pixels that are kept in memory."""

THREADS = 8
"""Most photos rendered at a time: each may take a few hundred megabytes meanwhile."""

ROUNDING = 0.01
"""How far width and height of a pair may differ for having been resized apart."""

RAW_BORDER = 0.03
"""The same for camera RAW, of which every developer crops a different border."""


@dataclass(frozen=True)
class Progress:
    """One pair has been looked at.

    Attributes:
        pair: Which.
        done: Pairs so far, this one included.
        total: Pairs to prepare.
        bad: What is wrong with it, or None.
    """

    pair: Pair
    done: int
    total: int
    bad: BadPair | None = None


class PreparedPairs:
    """A folder of prepared pairs, several runs and processes may share one.

    Args:
        folder: Where they are kept.
        long_edge: Longer edge of a photo in pixels; the paper's is 500 (section 3.1).
        memory: Bytes of pixels to keep in memory.
    """

    def __init__(self, folder: Path, long_edge: int = LONG_EDGE, memory: int = MEMORY) -> None:
        self.folder = folder
        self.long_edge = long_edge
        self._free = memory
        self._kept: dict[tuple[Pair, int], Tensor] = {}
        self._paths: dict[Pair, Path] = {}

    def path(self, pair: Pair) -> Path:
        """Where the prepared pair lies, or would lie.

        Raises:
            PhotoError: A source is not there.
        """
        if pair not in self._paths:
            settings = [f"{RENDERING}/{self.long_edge}"]
            settings += [_identity(source) for source in _sources(pair)]
            digest = hashlib.sha256("\n".join(settings).encode()).hexdigest()[:16]
            name = re.sub(r"[^\w.-]+", "_", pair.key)[-80:]
            self._paths[pair] = self.folder / f"{name}-{digest}.png"
        return self._paths[pair]

    def missing(self, pairs: list[Pair]) -> list[Pair]:
        """Those that are not prepared yet, each once."""
        return [pair for pair in dict.fromkeys(pairs) if not self._is_there(pair)]

    def cost(self, pairs: list[Pair]) -> int:
        """Bytes that preparing these pairs takes on disk at most, about."""
        pictures = sum(len(_sources(pair)) for pair in pairs)
        return round(pictures * self.long_edge**2 * 0.7 * BYTES_PER_PIXEL)

    def check_room(self, pairs: list[Pair]) -> None:
        """Raise an OutputError where the disk has no room for these pairs."""
        cost = self.cost(pairs)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
        except OSError as problem:
            raise OutputError(
                f"{self.folder}: {problem.strerror or problem}; choose another --cache-dir"
            ) from problem
        if cost > free:
            raise OutputError(
                f"{self.folder}: the prepared photos take about {cost / 1e9:.2f} GB, "
                f"{free / 1e9:.2f} GB are free; make room or choose another --cache-dir"
            )

    def prepare(self, pairs: list[Pair]) -> Iterator[Progress]:
        """Render what is missing, several at a time; those that are bad are told and passed over.

        May be interrupted at any time; what is done is kept.

        Raises:
            OutputError: The disk is full.
        """
        executor = ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1))
        try:
            waiting = {executor.submit(self._prepare_one, pair): pair for pair in pairs}
            for done, future in enumerate(as_completed(waiting), start=1):
                pair, bad = waiting[future], None
                try:
                    future.result()
                except (PairsError, PhotoError) as problem:
                    bad = BadPair(pair.key, str(problem))
                yield Progress(pair, done, len(pairs), bad)
        finally:
            executor.shutdown(cancel_futures=True)

    def load(self, pair: Pair, halvings: int = 0) -> Tensor:
        """Read a pair, from memory or disk, or from its sources where it is not prepared.

        Args:
            pair: Which.
            halvings: How often width and height are to be halved, rounding up.

        Returns:
            Original and expert, ``(2, 3, H, W)`` uint8, sRGB; the expert's version alone,
            ``(1, 3, H, W)``, where there is no original.

        Raises:
            PairsError: The two photos do not belong together.
            PhotoError: One of them cannot be read.
            OutputError: The disk is full.
        """
        if (pair, halvings) in self._kept:
            return self._kept[pair, halvings]
        if halvings:
            tensor = _halved(self.load(pair, halvings - 1))
        else:
            pictures = self._prepare_one(pair)
            tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
        if tensor.nbytes <= self._free:
            self._free -= tensor.nbytes
            self._kept[pair, halvings] = tensor
        return tensor

    def _prepare_one(self, pair: Pair) -> NDArray[np.uint8]:
        stored = self._stored(pair)
        if stored is not None:
            return stored
        pictures = render(pair, self.long_edge)
        sheet = np.concatenate(list(pictures), axis=1)
        write_png(sheet, self.path(pair))
        return pictures

    def _stored(self, pair: Pair) -> NDArray[np.uint8] | None:
        sheet = read_png(self.path(pair))
        return None if sheet is None else np.stack(np.split(sheet, len(_sources(pair)), axis=1))

    def _is_there(self, pair: Pair) -> bool:
        try:
            return self.path(pair).is_file()
        except PhotoError:
            return False


def render(pair: Pair, long_edge: int = LONG_EDGE) -> NDArray[np.uint8]:
    """Develop and resize the photos of a pair, and see that they belong together.

    Args:
        pair: Where they lie.
        long_edge: Longer edge in pixels; a smaller photo is not enlarged.

    Returns:
        ``(2, H, W, 3)``, original and expert, or ``(1, H, W, 3)`` where there is no original.

    Raises:
        PairsError: They differ in shape, or show different photos.
        PhotoError: One of them cannot be read.
    """
    expert = decode(pair.expert, long_edge).as_srgb()
    if pair.original is None:
        return _eight_bits(expert)[None]
    original = decode(pair.original, long_edge).as_srgb()
    tolerance = RAW_BORDER if is_raw(pair.original) else ROUNDING
    sides = zip(original.shape[:2], expert.shape[:2], strict=True)
    if any(abs(one / other - 1) > tolerance for one, other in sides):
        sizes = [f"{photo.shape[1]} x {photo.shape[0]}" for photo in (original, expert)]
        raise PairsError(f"{pair.original} is {sizes[0]}, {pair.expert} is {sizes[1]}")
    original = resize_pixels(original, (expert.shape[1], expert.shape[0]))
    both = np.stack([_eight_bits(original), _eight_bits(expert)])
    if not same_photo(both[0], both[1]):
        raise PairsError(f"{pair.original} and {pair.expert} show different photos")
    return both


def _halved(pictures: Tensor) -> Tensor:
    means = F.avg_pool2d(pictures.float(), 2, ceil_mode=True, count_include_pad=False)
    return means.round().to(torch.uint8)


def _eight_bits(photo: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(quantized(photo, np.dtype(np.uint8)), np.uint8)


def _sources(pair: Pair) -> list[Path]:
    return [pair.expert] if pair.original is None else [pair.original, pair.expert]


def _identity(source: Path) -> str:
    try:
        state = source.stat()
    except OSError as problem:
        raise PhotoError(f"{source}: {problem.strerror}") from problem
    return f"{source.resolve()} {state.st_size} {state.st_mtime_ns}"

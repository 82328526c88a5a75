"""Pairs are rendered once, checked, and cached on disk at the size that training uses.

A rendered pair is a PNG with the original left and the expert's version right, so that anyone can
open it and see what the networks see. Its name contains a digest of the source files and the
settings: if either changes, the pair is rendered again.
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
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from enhance_cli.atomic_write import atomic_write
from enhance_cli.config.model import LONG_EDGE
from enhance_cli.data.pairs import BadPair, Pair
from enhance_cli.errors import OutputError, PairsError, PhotoError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import retried, write_errors_reported
from enhance_cli.imaging.codecs.formats import is_raw
from enhance_cli.imaging.codecs.png import read_png_rgb, write_png_rgb
from enhance_cli.imaging.photo import to_uint8
from enhance_cli.imaging.resize import resize_pixels, size_of
from enhance_cli.imaging.same_photo import same_photo

if TYPE_CHECKING:
    from torch import Tensor  # late, since finding and rendering pairs needs no PyTorch

RENDERING_VERSION = 2
"""Raise this whenever rendering changes, so that older files are no longer used."""

BYTES_PER_PIXEL = 2.0
"""Size of a rendered photo on disk: a generous estimate for PNG."""

MEMORY = 4 * 2**30
"""Bytes of pixels that a cache keeps in memory by default."""

MAX_THREADS = 8
"""Largest number of pairs rendered at the same time. Each may take a few hundred megabytes."""

AT_ONCE = 256
"""Number of pairs loaded together."""

SIZE_TOLERANCE = 0.01
"""Allowed relative difference between the sides of a pair's photos, after downscaling."""

RAW_SIZE_TOLERANCE = 0.03
"""The same for camera RAW, where each converter crops a different border."""


@dataclass(frozen=True)
class RenderProgress:
    """Reports that one more pair has been rendered.

    Attributes:
        pair: The pair.
        done: Number of pairs rendered so far, this one included.
        total: Number of pairs to render.
        bad: What is wrong with the pair, or None.
    """

    pair: Pair
    done: int
    total: int
    bad: BadPair | None = None


class PairCache:
    """A folder of rendered pairs. Several runs and processes may share it.

    Args:
        folder: The folder; created when it is needed.
        long_edge: Longer edge to which photos are downscaled, in pixels; 500 in the paper
            (section 3.1).
        memory: Bytes of pixels to keep in memory.
    """

    def __init__(self, folder: Path, long_edge: int = LONG_EDGE, memory: int = MEMORY) -> None:
        self.folder = folder
        self.long_edge = long_edge
        self._free = memory
        self._kept: dict[tuple[Pair, int], Tensor] = {}
        self._paths: dict[Pair, Path] = {}

    def path(self, pair: Pair) -> Path:
        """Return the path of a rendered pair, whether the file exists or not.

        Raises:
            PhotoError: A source file does not exist.
        """
        if pair not in self._paths:
            settings = [f"{RENDERING_VERSION}/{self.long_edge}"]
            settings += [_identity(source) for source in _sources(pair)]
            digest = hashlib.sha256("\n".join(settings).encode()).hexdigest()[:16]
            name = re.sub(r"[^\w.-]+", "_", pair.key)[-80:]
            self._paths[pair] = self.folder / f"{name}-{digest}.png"
        return self._paths[pair]

    def missing(self, pairs: list[Pair]) -> list[Pair]:
        """Return the pairs that have not been rendered yet, without duplicates."""
        return [pair for pair in dict.fromkeys(pairs) if not self._is_rendered(pair)]

    def cost(self, pairs: list[Pair]) -> int:
        """Estimate an upper bound of the disk space that these pairs take, in bytes."""
        photos = sum(len(_sources(pair)) for pair in pairs)
        return round(photos * self.long_edge**2 * 0.7 * BYTES_PER_PIXEL)

    def check_room(self, pairs: list[Pair]) -> None:
        """Check that the disk has room for these pairs.

        Raises:
            OutputError: It has not, or the folder cannot be created.
        """
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
                f"{self.folder}: the rendered pairs take about {cost / 1e9:.2f} GB, "
                f"{free / 1e9:.2f} GB are free; make room or choose another --cache-dir"
            )

    def render(self, pairs: list[Pair]) -> Iterator[RenderProgress]:
        """Render pairs in several threads. Bad pairs are reported and skipped.

        Pairs that another process renders meanwhile are not rendered again.

        It may be interrupted at any time; finished pairs are kept.

        Raises:
            OutputError: The disk is full.
        """
        executor = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1))
        try:
            pending = {executor.submit(self._render_if_missing, pair): pair for pair in pairs}
            for done, future in enumerate(as_completed(pending), start=1):
                pair, bad = pending[future], None
                try:
                    future.result()
                except (PairsError, PhotoError) as problem:
                    bad = BadPair(pair.key, str(problem))
                yield RenderProgress(pair, done, len(pairs), bad)
        finally:
            executor.shutdown(cancel_futures=True)

    def share(self, pairs: list[Pair], readers: int) -> None:
        """Load pairs into memory, as many as fit, for processes that are forked afterwards.

        Args:
            pairs: The pairs, all rendered.
            readers: Number of those processes. They divide the memory that is left.
        """
        with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as executor:
            for start in range(0, len(pairs), AT_ONCE):
                if self._free <= 0:
                    break
                group = pairs[start : start + AT_ONCE]
                for pair, tensor in zip(group, executor.map(self._tensor, group), strict=True):
                    self._keep(pair, 0, tensor)
        self._free //= max(1, readers)

    def load(self, pair: Pair, halvings: int = 0) -> Tensor:
        """Load a pair from memory or disk, or render it.

        Args:
            pair: The pair.
            halvings: Number of times that width and height are halved, rounding up.

        Returns:
            Original and expert, ``(2, 3, H, W)``, uint8, sRGB. If the pair has no original, the
            expert's version alone, ``(1, 3, H, W)``.

        Raises:
            PairsError: The two photos do not match.
            PhotoError: One of them cannot be read.
            OutputError: The disk is full.
        """
        if (pair, halvings) in self._kept:
            return self._kept[pair, halvings]
        tensor = _halved(self.load(pair, halvings - 1)) if halvings else self._tensor(pair)
        self._keep(pair, halvings, tensor)
        return tensor

    def _tensor(self, pair: Pair) -> Tensor:
        import torch

        photos = self._load_or_render(pair)
        return torch.from_numpy(photos).permute(0, 3, 1, 2).contiguous()

    def _keep(self, pair: Pair, halvings: int, tensor: Tensor) -> None:
        if tensor.nbytes <= self._free and (pair, halvings) not in self._kept:
            self._free -= tensor.nbytes
            self._kept[pair, halvings] = tensor

    def _render_if_missing(self, pair: Pair) -> None:
        if not self._is_rendered(pair):
            self._load_or_render(pair)

    def _load_or_render(self, pair: Pair) -> NDArray[np.uint8]:
        stored = self._stored(pair)
        if stored is not None:
            return stored
        photos = render_pair(pair, self.long_edge)
        self._store(self.path(pair), np.concatenate(list(photos), axis=1))
        return photos

    def _store(self, path: Path, side_by_side: NDArray[np.uint8]) -> None:
        def attempt() -> None:
            with atomic_write(path) as temporary:
                write_png_rgb(side_by_side, temporary)

        with write_errors_reported(path):
            retried(attempt)

    def _stored(self, pair: Pair) -> NDArray[np.uint8] | None:
        both = read_png_rgb(self.path(pair))
        return None if both is None else np.stack(np.split(both, len(_sources(pair)), axis=1))

    def _is_rendered(self, pair: Pair) -> bool:
        try:
            return os.path.isfile(self.path(pair))  # noqa: PTH113
        except PhotoError:
            return False


def render_pair(pair: Pair, long_edge: int = LONG_EDGE) -> NDArray[np.uint8]:
    """Decode and downscale the photos of a pair, and check that they match.

    Args:
        pair: The pair.
        long_edge: Longer edge in pixels; smaller photos keep their size.

    Returns:
        Original and expert, ``(2, H, W, 3)``, uint8, sRGB. If the pair has no original, the
        expert's version alone, ``(1, H, W, 3)``.

    Raises:
        PairsError: The photos differ in size after downscaling, or are different photos.
        PhotoError: One of the photos cannot be read.
    """
    expert = decode(pair.expert, long_edge).as_srgb()
    if pair.original is None:
        return to_uint8(expert)[None]
    original = decode(pair.original, long_edge).as_srgb()
    tolerance = RAW_SIZE_TOLERANCE if is_raw(pair.original) else SIZE_TOLERANCE
    sides = zip(original.shape[:2], expert.shape[:2], strict=True)
    if any(abs(before / after - 1) > tolerance for before, after in sides):
        sizes = [f"{photo.shape[1]} x {photo.shape[0]}" for photo in (original, expert)]
        raise PairsError(f"{pair.original} is {sizes[0]}, {pair.expert} is {sizes[1]}")
    original = resize_pixels(original, size_of(expert))
    both = np.stack([to_uint8(original), to_uint8(expert)])
    if not same_photo(both[0], both[1]):
        raise PairsError(f"{pair.original} and {pair.expert} show different photos")
    return both


def _halved(photos: Tensor) -> Tensor:
    import torch
    from torch.nn import functional as F

    means = F.avg_pool2d(photos.float(), 2, ceil_mode=True, count_include_pad=False)
    return means.round().to(torch.uint8)


def _sources(pair: Pair) -> list[Path]:
    return [pair.expert] if pair.original is None else [pair.original, pair.expert]


def _identity(source: Path) -> str:
    try:
        state = source.stat()
    except OSError as problem:
        raise PhotoError(f"{source}: {problem.strerror}") from problem
    return f"{source.resolve()} {state.st_size} {state.st_mtime_ns}"

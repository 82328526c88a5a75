"""What resizing is made of: averages of blocks, and Pillow's filters, on pixels of any dtype."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Resampling

from enhance_cli.imaging.jit import jit

Doubles = NDArray[np.float64]


def resample(
    pixels: NDArray[Any],
    size: tuple[int, int],
    box: tuple[float, float, float, float],
    resampling: Resampling,
) -> NDArray[np.float32]:
    """Resize pixels with a filter that averages when it downscales.

    Args:
        pixels: ``(H, W, C)``.
        size: Width and height of the result in pixels.
        box: Left, top, right and bottom of the part that is resized, in pixels.
        resampling: ``BILINEAR`` or ``LANCZOS``.

    Returns:
        ``(height, width, C)``, in the units of ``pixels``, not clipped.
    """
    height, width, channels = pixels.shape
    left, top, right, bottom = box
    columns = _taps(resampling, left, right, width, size[0])
    rows = _taps(resampling, top, bottom, height, size[1])
    result = np.empty((size[1], size[0], channels), np.float32)
    _resample(_lines(pixels), *rows, *columns, result)
    return result


@lru_cache(maxsize=64)
def _taps(
    resampling: Resampling, low: float, high: float, length: int, count: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Which pixels of a line each pixel of the result sees, and how much of them.

    Returns:
        The first one, ``(count,)``, and the weights from there on, ``(count, taps)``; weights of
        what lies beyond the end of the line are 0.
    """
    scale = (high - low) / count
    radius = {Resampling.BILINEAR: 1, Resampling.LANCZOS: 3}[resampling] * max(1.0, scale)
    centers = low + (np.arange(count) + 0.5) * scale
    first = np.floor(centers - radius + 0.5).clip(0).astype(np.intp)
    end = np.floor(centers + radius + 0.5).clip(max=length).astype(np.intp)
    positions = first[:, None] + np.arange(int((end - first).max()))
    distances = (positions + 0.5 - centers[:, None]) / max(1.0, scale)
    weights = _bilinear(distances) if resampling == Resampling.BILINEAR else _lanczos(distances)
    weights[positions >= end[:, None]] = 0
    weights /= weights.sum(1, keepdims=True)
    taps = first, weights.astype(np.float32)
    for array in taps:
        array.flags.writeable = False  # threads share them
    return taps


def _bilinear(x: Doubles) -> Doubles:
    return (1 - np.abs(x)).clip(0)


def _lanczos(x: Doubles) -> Doubles:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


@jit(fastmath={"contract", "reassoc"})
def _resample(source, tops, down, lefts, across, result):  # noqa: ANN001, ANN202
    channels = result.shape[2]
    height, length = source.shape
    line = np.empty(length, np.float32)
    # One channel after the other, since the taps of a pixel then lie side by side.
    plane = np.zeros(length // channels + across.shape[1], np.float32)
    for y in range(result.shape[0]):
        line[:] = 0
        for tap in range(down.shape[1]):
            weight, row = down[y, tap], tops[y] + tap
            if weight != 0 and row < height:
                for x in range(length):
                    line[x] += weight * np.float32(source[row, x])
        for channel in range(channels):
            for x in range(length // channels):
                plane[x] = line[x * channels + channel]
            for x in range(result.shape[1]):
                seen, total = plane[lefts[x] :], np.float32(0)
                for tap in range(across.shape[1]):
                    total += across[x, tap] * seen[tap]
                result[y, x, channel] = total


def block_means(pixels: NDArray[Any], across: int, down: int) -> NDArray[np.float32]:
    """Average blocks of pixels, as Pillow's ``Image.reduce`` does, without copying the photo.

    Args:
        pixels: ``(H, W, C)``.
        across: Width of a block in pixels.
        down: Height of a block in pixels.

    Returns:
        The averages, in the units of ``pixels``, not rounded. Width and height are rounded up,
        since the blocks at the right and at the bottom may be partial.
    """
    height, width, channels = pixels.shape
    means = np.empty((-(-height // down), -(-width // across), channels), np.float32)
    _block_means(_lines(pixels), means, across, down)
    return means


@jit()
def _block_means(source, means, across, down):  # noqa: ANN001, ANN202
    height = source.shape[0]
    tall, wide, channels = means.shape
    width = source.shape[1] // channels
    sums = np.empty(source.shape[1], np.float32)
    for y in range(tall):
        top, bottom = y * down, min((y + 1) * down, height)
        sums[:] = 0
        for row in range(top, bottom):
            for number in range(source.shape[1]):
                sums[number] += np.float32(source[row, number])
        for x in range(wide):
            left, right = x * across, min((x + 1) * across, width)
            for channel in range(channels):
                total = 0.0
                for column in range(left, right):
                    total += sums[column * channels + channel]
                means[y, x, channel] = total / ((bottom - top) * (right - left))


def _lines(pixels: NDArray[Any]) -> NDArray[Any]:
    """The lines of ``(H, W, C)`` pixels: ``(H, W * C)``, contiguous and read-only."""
    height, width, channels = pixels.shape
    lines = np.ascontiguousarray(pixels).reshape(height, width * channels)
    lines.flags.writeable = False  # always, since Numba compiles once more for the others
    return lines

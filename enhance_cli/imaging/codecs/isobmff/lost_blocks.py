"""Blocks of zeros in compressed pixel data.

A disk, or a copy that was interrupted, leaves zeros in place of what is lost. Decoders of AVIF,
HEIC and JPEG 2000 make some picture of them without a word.
"""

from __future__ import annotations

from collections.abc import Iterable

from enhance_cli.imaging.codecs.damaged_jpeg import PARTS_WRONG, SMALL_SHARE

_BLOCK = bytes(512)
"""Zeros that mean a loss. HEVC never has three in a row, and AV1 of a black picture sixteen."""


def check_lost_blocks(parts: Iterable[bytes], warnings: list[str]) -> None:
    """Look for blocks of zeros.

    Args:
        parts: The compressed pixel data, each part of which is decoded by itself.
        warnings: Gets a line if little of the picture can be wrong.

    Raises:
        ValueError: More than a tenth of the data is lost, or follows what is.
    """
    lost = total = 0
    for part in parts:
        total += len(part)
        start = part.find(_BLOCK)
        lost += len(part) - start if start >= 0 else 0  # what follows cannot be decoded right
    if lost > SMALL_SHARE * total:
        raise ValueError("blocks of its pixel data are missing")
    warnings += [PARTS_WRONG] if lost else []

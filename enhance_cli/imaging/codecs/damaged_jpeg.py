"""JPEGs whose pixel data are damaged or cut off: what can be completed, and what is refused.

libjpeg decodes such files without an error. Of Huffman-coded data, it says in a warning what is
wrong. Where it does not, the same data are decoded again with others behind them: pixels that
change are missing, and if none changes although the last bytes are taken away, there are too many.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from itertools import pairwise
from typing import NamedTuple

import imagecodecs
import simplejpeg

from enhance_cli.imaging.containers.jpeg_segments import (
    DRI,
    EOI,
    FRAMES,
    SOS,
    Segment,
    jpeg_segments,
)
from enhance_cli.imaging.containers.source import Source

END_MISSING = "the end of the file is missing"
PARTS_WRONG = "its pixel data are damaged: some of the picture is missing or wrong"

_END = b"\xff\xd9"
_FILLING = bytes(range(1, 255)) * 4
"""Stands for missing pixels. It differs from what the decoder puts there."""

_LAST_BLOCKS = 32
"""Rows of pixels that may be missing: the last row of blocks, and one that is smoothed with it."""

_TAKEN_AWAY = 64
"""Bytes at the end of the data without which some pixels must change."""

_FEW = 4
"""Bytes too many that do not count: some cameras write them."""

SMALL_SHARE = 0.1
"""Share of the picture that may be wrong: more is an error."""

_SCALE = 8
"""Libjpeg decodes at an eighth of the size fastest."""

_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
"""A marker that ends a scan: neither stuffing nor a restart (ITU-T T.81, B.1.1)."""

_RESTART = re.compile(rb"\xff+[\xd0-\xd7]")

_SOF0, _SOF1 = 0xC0, 0xC1
_LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_ARITHMETIC = frozenset({0xC9, 0xCA})
_IN_TABLES = frozenset({0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE})
"""Markers of segments that may stand between scans."""

_SURPLUS = re.compile(r"(\d+) extraneous bytes before marker 0x(c4|d[0-9a])")
_DAMAGE = ("premature end", "bad Huffman code", "bad arithmetic code", "instead of RST")
"""What libjpeg says of damaged pixel data. Its other warnings are of harmless oddities."""


def mend_jpeg(content: bytes, said: str, warnings: list[str]) -> bytes:
    """Complete a JPEG that lacks its end, and refuse one of which more is missing or wrong.

    Args:
        content: The file.
        said: The warning of libjpeg, if there was one.
        warnings: Gets a line if some of the picture is missing or wrong.

    Returns:
        The content with an end, and without what follows it.

    Raises:
        ValueError: More than the end is missing, or much of the picture is wrong.
    """
    picture, ended = _split(content)
    problem = _problem(picture, said, ended=ended)
    if problem:
        if not ended or _wrong_share(picture) > SMALL_SHARE:
            raise ValueError(problem)
        warnings.append(PARTS_WRONG)
    elif not ended:
        warnings.append(END_MISSING)
    return picture + _END


def damage_of(content: bytes) -> str | None:
    """What is wrong with the pixel data of a JPEG, its end included; None if nothing is.

    Of lossless JPEGs, which libjpeg does not decode at every depth, it is not known.
    """
    if _segment_of(_LOSSLESS, content) is not None:
        return None
    said = _complaint(content)
    if not said and not is_arithmetic(content):
        return None
    picture, ended = _split(content)
    return _problem(picture, said, ended=ended) or (None if ended else END_MISSING)


def is_arithmetic(content: bytes) -> bool:
    """Whether pixel data are coded arithmetically: libjpeg does not notice if they end early."""
    return _segment_of(_ARITHMETIC, content) is not None


def _problem(picture: bytes, said: str, *, ended: bool) -> str | None:
    """What is wrong with the pixel data but for their very end; None if nothing is."""
    cut = max(_start_of_data(picture), len(picture) - _TAKEN_AWAY)
    uncertain = 0 if ended else _LAST_BLOCKS
    try:
        pixels = _Decoded.of(picture, uncertain)
    except (imagecodecs.Jpeg8Error, ValueError) as problem:
        return said or str(problem)
    try:
        filled = _Decoded.of(picture + _FILLING, uncertain)
        shorter = _Decoded.of(picture[:cut] + _FILLING, uncertain)
    except (imagecodecs.Jpeg8Error, ValueError):  # scans so short that a table is cut
        return said if _tells_damage(said) else None
    if pixels.certain != filled.certain:
        return "truncated: a part of the picture is missing"
    if pixels.whole == shorter.whole:
        return "the pixel data do not fit the picture"
    return _damage_in(_complaint(picture + _END), ended=ended)


class _Decoded(NamedTuple):
    """Digests of a decoded picture, which takes too much memory for several at a time.

    Attributes:
        whole: Of all rows.
        certain: Of those above the last ones.
    """

    whole: bytes
    certain: bytes

    @classmethod
    def of(cls, picture: bytes, uncertain: int) -> _Decoded:
        """Decode a picture.

        Args:
            picture: The content up to the end marker.
            uncertain: Number of the last rows.

        Raises:
            Jpeg8Error: It cannot be decoded.
            ValueError: Likewise.
        """
        pixels = imagecodecs.jpeg8_decode(picture + _END)
        certain = pixels[: max(0, len(pixels) - uncertain)]
        return cls(hashlib.sha256(pixels.data).digest(), hashlib.sha256(certain.data).digest())


def _damage_in(said: str, *, ended: bool) -> str | None:
    """What libjpeg says, if it tells damage."""
    surplus = _SURPLUS.search(said)
    harmless = int(surplus[1]) <= _FEW if surplus else not ended and "premature end" in said
    return None if harmless or not _tells_damage(said) else said


def _tells_damage(said: str) -> bool:
    return any(words in said for words in _DAMAGE) or _SURPLUS.search(said) is not None


def _complaint(content: bytes) -> str:
    """What libjpeg says of a JPEG; nothing if it is content."""
    frame = _segment_of(FRAMES, content)
    channels = 3 if frame is None else content[frame.start + 5]
    try:
        space = {1: "GRAY", 4: "CMYK"}.get(channels, "RGB")
        simplejpeg.decode_jpeg(content, space, min_factor=_SCALE)
    except ValueError as problem:
        return str(problem)
    return ""


def _split(content: bytes) -> tuple[bytes, bool]:
    """The content up to the end marker of its picture, and whether there is one.

    A marker that cannot stand between scans is a sign of damage. Decoders stop there. Zeros that
    fill the space before the end are left out, but for one.
    """
    at, end, ended = _start_of_data(content), len(content), False
    while match := _MARKER.search(content, at):
        marker = match[1][0]
        if marker not in _IN_TABLES:
            end, ended = match.start(), marker == EOI
            break
        at = match.end() + int.from_bytes(content[match.end() : match.end() + 2], "big")
    data = content[:end].rstrip(b"\xff")
    kept = len(data.rstrip(b"\0")) + 1
    return data[:kept], ended


def _start_of_data(content: bytes) -> int:
    """Where the pixel data begin; where the content ends if there are none."""
    scan = _segment_of({SOS}, content)
    return len(content) if scan is None else min(scan.end, len(content))


def _segment_of(markers: Collection[int], content: bytes) -> Segment | None:
    """The first segment in front of the pixel data that has one of these markers."""
    segments = jpeg_segments(Source(content))
    return next((segment for segment in segments if segment.marker in markers), None)


def _wrong_share(picture: bytes) -> float:
    """The share of the picture that is wrong: all if nothing limits the damage.

    Restart markers do. What lies between two of them is decoded as a picture of its own.
    """
    frame, interval = _segment_of({_SOF0, _SOF1}, picture), _segment_of({DRI}, picture)
    start = _start_of_data(picture)
    if frame is None or interval is None or _MARKER.search(picture, start):
        return 1.0
    at, described = frame.start, picture[frame.start : frame.end]
    across, down = _block_size(described)
    height, width = (int.from_bytes(described[n : n + 2], "big") for n in (1, 3))
    per_row = -(-width // across)
    total = per_row * -(-height // down)
    length = int.from_bytes(picture[interval.start : interval.start + 2])
    if not 0 < length * across < 2**16 - 2**5:
        return 1.0
    cuts = [(start, start), *(m.span() for m in _RESTART.finditer(picture, start))]
    cuts.append((len(picture), len(picture)))
    parts = [picture[before[1] : after[0]] for before, after in pairwise(cuts)]
    right = 0
    for number, part in enumerate(parts):
        blocks = min(length, total - number * length)
        if blocks <= 0:
            break
        size = down.to_bytes(2, "big") + (blocks * across).to_bytes(2, "big")
        head = picture[: at + 1] + size + picture[at + 5 : start]
        right += 0 if _complaint(head + part + _END) else blocks
    return 1 - right / total


def _block_size(frame: bytes) -> tuple[int, int]:
    """Width and height of the blocks that are coded together, in pixels (ITU-T T.81, A.2)."""
    factors = [frame[7 + 3 * number] for number in range(frame[5])]
    if len(factors) == 1:
        return 8, 8
    return 8 * max(factor >> 4 for factor in factors), 8 * max(factor & 15 for factor in factors)

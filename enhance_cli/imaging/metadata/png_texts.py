"""Texts of a PNG, and the metadata that ImageMagick and others hide in them.

Before PNG had a chunk for EXIF, programs wrote whole blocks as texts in hexadecimal, under the
keyword ``Raw profile type``. Readers still honour them, and so they must not contradict the result.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from enhance_cli.imaging.metadata.exif import PREFIX as EXIF_PREFIX
from enhance_cli.imaging.metadata.location import may_tell_location
from enhance_cli.imaging.metadata.xmp import PREFIX as XMP_PREFIX

Texts = tuple[tuple[str, str], ...]
"""Keywords and texts."""

XMP_KEYWORD = "XML:com.adobe.xmp"
"""Keyword of the text that is the XMP packet (XMP part 3, 1.1.5)."""

_RAW_PROFILE = "raw profile type "
_EXIF_BEGINNINGS = (b"II", b"MM", EXIF_PREFIX)

_PLAIN = frozenset({
    "title", "author", "description", "copyright", "creation time", "software", "disclaimer",
    "warning", "source", "comment",
})  # fmt: skip
"""Keywords of the PNG standard (third edition, 11.3.3.2), in lower case; none is for places."""


class PngTexts(NamedTuple):
    """The texts of a PNG, by what they are.

    Attributes:
        texts: The keywords and texts that are nothing else.
        exif: An EXIF block, or None.
        xmp: An XMP packet, or None.
    """

    texts: Texts
    exif: bytes | None = None
    xmp: bytes | None = None


def sort_texts(texts: Iterable[tuple[str, str]]) -> PngTexts:
    """Tell texts from EXIF and XMP that are stored as texts; those of other kinds stay texts."""
    plain: list[tuple[str, str]] = []
    exif: bytes | None = None
    xmp: bytes | None = None
    for keyword, text in texts:
        if keyword == XMP_KEYWORD:
            xmp = xmp or text.encode()
            continue
        kind = keyword.lower().removeprefix(_RAW_PROFILE)
        if kind == keyword.lower() or kind not in {"exif", "app1", "xmp"}:
            plain.append((keyword, text))
            continue
        content = _from_hexadecimal(text)
        if kind == "xmp" or content.startswith(XMP_PREFIX):
            xmp = xmp or content.removeprefix(XMP_PREFIX)
        elif content.startswith(_EXIF_BEGINNINGS):
            exif = exif or content
    return PngTexts(tuple(plain), exif or None, xmp or None)


def without_location(texts: Texts) -> Texts:
    """The texts under the standard's own keywords that do not read like coordinates."""
    return tuple(
        (keyword, text)
        for keyword, text in texts
        if keyword.lower() in _PLAIN and not may_tell_location(text)
    )


def _from_hexadecimal(text: str) -> bytes:
    """The bytes of a raw profile: a line with its name, one with its length, and digits."""
    try:
        return bytes.fromhex("".join(text.strip().split("\n")[2:]))
    except ValueError:
        return b""

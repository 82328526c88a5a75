"""The names of XMP sidecars, in which editors keep what they do not write into a photo."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from enhance_cli.imaging.codecs.formats import SIDECAR, is_raw


def find_sidecar(photo: Path) -> Path | None:
    """Find the sidecar of a photo; None if there is none."""
    candidates = (photo.with_name(name) for name in sidecar_names(photo.name))
    # Unlike a path's own method, this takes names that are too long: nothing has them.
    return next((path for path in candidates if os.path.isfile(path)), None)  # noqa: PTH113


def sidecar_names(photo: str) -> tuple[str, ...]:
    """The names that the sidecar of a photo may have, in the order of precedence.

    darktable and digiKam name it ``a.nef.xmp``. Adobe's programs name it ``a.xmp``, which may be
    that of another file, and write them for RAW files only.
    """
    if not is_raw(Path(photo)):
        return (photo + SIDECAR,)
    stem = photo[: photo.rindex(".")]
    return tuple(name + suffix for name in (photo, stem) for suffix in (SIDECAR, SIDECAR.upper()))


def sidecar_digest(photo: Path) -> str:
    """Digest of the content of a photo's sidecar; empty if there is none.

    A result is made anew if this has changed.
    """
    sidecar = find_sidecar(photo)
    if sidecar is None:
        return ""
    try:
        return hashlib.sha256(sidecar.read_bytes()).hexdigest()[:16]
    except OSError:  # reported when the photo is read
        return ""

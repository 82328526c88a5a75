"""Opening image files with Pillow, without changing its settings for the whole process.

``Image.open`` would need three of them changed: its limit of 179 megapixels, which panoramas
exceed, its list of formats, which lacks HEIC, and its warnings. A program that imports this package
keeps its own.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from PIL import Image
from pillow_heif import HeifImageFile

_SIGNATURE_LENGTH = 16

_HEIF_BRANDS = frozenset({
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1",
})  # fmt: skip
"""Major brands of HEIF files (ISO/IEC 23008-12, annex B)."""


@contextlib.contextmanager
def open_image(path: Path) -> Generator[Image.Image]:
    """Open an image file of any format that Pillow reads, or HEIC.

    Args:
        path: The file.

    Raises:
        PIL.UnidentifiedImageError: The file is not an image.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        signature = file.read(_SIGNATURE_LENGTH)
        for read in _readers(signature):
            file.seek(0)
            # What readers raise on files of other formats (as in Image.open).
            with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):
                image = read(file, str(path))
                break
        else:
            raise Image.UnidentifiedImageError(f"cannot identify image file {str(path)!r}")
        with image:
            yield image


def _readers(signature: bytes) -> Iterator[Callable[[IO[bytes], str], Image.Image]]:
    """The readers that accept a signature; the common formats first."""
    if signature[4:8] == b"ftyp" and signature[8:12] in _HEIF_BRANDS:
        yield HeifImageFile
    Image.preinit()
    common = list(Image.ID)
    yield from _accepting(signature, common)
    Image.init()
    yield from _accepting(signature, (one for one in Image.ID if one not in common))


def _accepting(signature: bytes, formats: Iterable[str]) -> Iterator[Any]:
    for name in formats:
        read, accepts = Image.OPEN[name]
        if not accepts or accepts(signature) is True:
            yield read

"""Opening image files with Pillow, without changing its settings for the whole process.

``Image.open`` would need two of them changed: its limit of 179 megapixels, which panoramas exceed,
and its list of formats, which lacks HEIC. A program that imports this package keeps its own.
"""

from __future__ import annotations

import contextlib
import importlib
import struct
from collections.abc import Callable, Generator, Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile
from pillow_heif import HeifImageFile

_SIGNATURE_LENGTH = 16
"""Bytes at the beginning of a file by which Pillow's formats recognise it."""

_HEIF_BRANDS = frozenset({
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1",
})  # fmt: skip
"""Major brands of HEIF files (ISO/IEC 23008-12, annex B)."""

_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF")
"""The formats, as Pillow names them; it knows others that start programs, such as Ghostscript."""

_PLUGINS = (
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.TiffImagePlugin",
    "PIL.WebPImagePlugin",
    "PIL.AvifImagePlugin",
)
"""Their plugins, in the same order."""

_NOT_THIS_FORMAT = (SyntaxError, IndexError, TypeError, struct.error)
"""What a reader raises on a file of another format (as in ``Image.open``)."""


class _Format(NamedTuple):
    """An image format, as Pillow registers it.

    Attributes:
        read: Opens a file, given the file object and its name.
        accepts: Tells whether the first bytes are those of the format; None if only reading tells.
    """

    read: Callable[..., Image.Image]
    accepts: Callable[[bytes], Any] | None


class _LargeTiffFile(TiffImageFile):
    """A TIFF of any size: Pillow's own class checks the limit again when it allocates memory."""

    def load_prepare(self) -> None:
        if self._im is None:
            self.im = Image.core.new(self.mode, getattr(self, "_tile_size", self.size))
        super().load_prepare()


@contextlib.contextmanager
def open_image(path: Path, content: bytes | None = None) -> Generator[Image.Image]:
    """Open a JPEG, PNG, TIFF, WebP, AVIF or HEIC file, whatever its size.

    As with ``Image.open``, the header is read and the pixels are not. The file is closed at the end
    of the ``with`` block.

    Args:
        path: The file.
        content: What to read in place of the file: its content, if that is at hand or mended.

    Raises:
        PIL.UnidentifiedImageError: The file is no image of these formats.
        OSError: The file cannot be read.
    """
    with (
        path.open("rb") if content is None else BytesIO(content) as file,
        _identify(file, str(path)) as image,
    ):
        yield image


def _identify(file: IO[bytes], name: str) -> Image.Image:
    signature = file.read(_SIGNATURE_LENGTH)
    for read, accepts in _formats():
        with contextlib.suppress(*_NOT_THIS_FORMAT):
            accepted = accepts is None or accepts(signature)
            if accepted and not isinstance(accepted, str):  # a text says which library is missing
                file.seek(0)
                return read(file, name)
    raise Image.UnidentifiedImageError(f"cannot identify image file {name!r}")


def _formats() -> Iterator[_Format]:
    """The formats of photos; each is loaded when those before it have not recognised a file."""
    yield _Format(HeifImageFile, is_heif)
    for name, plugin in zip(_FORMATS, _PLUGINS, strict=True):
        importlib.import_module(plugin)
        read, accepts = Image.OPEN[name]
        yield _Format(_LargeTiffFile if name == "TIFF" else read, accepts)


def is_heif(signature: bytes) -> bool:
    """Whether the first bytes of a file are those of a HEIC or another HEIF, but for AVIF."""
    return signature[4:8] == b"ftyp" and signature[8:12] in _HEIF_BRANDS

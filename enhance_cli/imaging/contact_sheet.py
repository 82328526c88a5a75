"""Contact sheets: photos side by side, with a label below each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from enhance_cli.imaging.codecs.open_image import open_image
from enhance_cli.imaging.photo import to_uint8

_CELL = (500, 375)
"""Width and height of a photo on a before-and-after sheet, at most."""

_MARGIN = 16
_LINE = 34
"""Height of a label with the space around it."""

_BACKGROUND, _TEXT = "#202020", "#f0f0f0"
_COLUMNS = 4


def contact_sheet(
    cells: Sequence[tuple[str, NDArray[np.float32]]], columns: int = _COLUMNS
) -> NDArray[np.uint8]:
    """Arrange versions of one photo in rows, as in figure 3 of the paper, without resizing them.

    Args:
        cells: Label and pixels of each version; pixels are ``(H, W, 3)``, sRGB in [0, 1].
        columns: Maximum number of versions in a row.

    Returns:
        The sheet, ``(H', W', 3)``, sRGB.
    """
    letters = (
        f"({chr(ord('a') + number)}) " if number < 26 else "" for number in range(len(cells))
    )
    labelled = [
        (letter + label, Image.fromarray(to_uint8(pixels)))
        for letter, (label, pixels) in zip(letters, cells, strict=True)
    ]
    return np.asarray(_sheet(labelled, min(columns, len(cells))))


def before_after_sheet(pairs: Sequence[tuple[Path, Path]]) -> NDArray[np.uint8]:
    """Arrange photos in two columns, before and after, with a row for each pair.

    Args:
        pairs: The files before and after. All are shown within 500 x 375 pixels.

    Returns:
        The sheet, ``(H, W, 3)``, sRGB.

    Raises:
        OSError: A file cannot be read as an image.
    """
    cells = []
    for before, after in pairs:
        for path, label in ((before, before.name), (after, "after")):
            with open_image(path) as picture:
                cells.append((label, ImageOps.contain(picture.convert("RGB"), _CELL)))
    return np.asarray(_sheet(cells, 2))


def _sheet(cells: Sequence[tuple[str, Image.Image]], columns: int) -> Image.Image:
    width = max(picture.width for _, picture in cells) + _MARGIN
    height = max(picture.height for _, picture in cells) + _LINE
    rows = math.ceil(len(cells) / columns)
    sheet = Image.new("RGB", (_MARGIN + columns * width, _MARGIN + rows * height), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for number, (label, picture) in enumerate(cells):
        row, column = divmod(number, columns)
        left, top = _MARGIN + column * width, _MARGIN + row * height
        sheet.paste(picture, (left, top))
        draw.text((left, top + picture.height + 4), label, _TEXT, _fitting_font(label, width, draw))
    return sheet


def _fitting_font(
    label: str, width: int, draw: ImageDraw.ImageDraw
) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    size = 20
    while size > 8 and draw.textlength(label, ImageFont.load_default(size)) > width - _MARGIN:
        size -= 1
    return ImageFont.load_default(size)

"""Before and after, side by side on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

_CELL = (500, 375)
_MARGIN = 16
_HEADING = 34
_GROUND, _INK = "#202020", "#f0f0f0"


def before_after_sheet(
    pairs: Sequence[tuple[Path, Path]], columns: tuple[str, str] = ("before", "after")
) -> Image.Image:
    """Lay pictures out in two columns, a row a pair.

    Args:
        pairs: Files before and after.
        columns: Headings.
    """
    width, height = _CELL
    sheet = Image.new(
        "RGB",
        (3 * _MARGIN + 2 * width, _HEADING + len(pairs) * (height + _HEADING)),
        _GROUND,
    )
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=20)
    for column, heading in enumerate(columns):
        draw.text((_MARGIN + column * (width + _MARGIN), 6), heading, _INK, font)
    for row, pair in enumerate(pairs):
        top = _HEADING + row * (height + _HEADING)
        for column, path in enumerate(pair):
            left = _MARGIN + column * (width + _MARGIN)
            with Image.open(path) as picture:
                fitted = ImageOps.contain(picture.convert("RGB"), _CELL)
            sheet.paste(fitted, (left, top))
        draw.text((_MARGIN, top + height + 4), pair[0].name, _INK, font)
    return sheet

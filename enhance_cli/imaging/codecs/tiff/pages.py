"""Which page of a TIFF is the photo."""

from __future__ import annotations

from collections.abc import Iterator

import tifffile
from tifffile import PHOTOMETRIC

from enhance_cli.imaging.codecs.stored_image import SEVERAL_IMAGES
from enhance_cli.imaging.metadata import xmp
from enhance_cli.imaging.metadata.metadata import Metadata

RAW_DATA = frozenset({PHOTOMETRIC.CFA, PHOTOMETRIC.LINEAR_RAW})
"""The kinds of pixels that are a camera's raw data."""

_ORIENTATION, _OLD_SUBFILE_TYPE = 274, 255
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
"""NewSubfileType's bits for a smaller version of another page and for a mask, and the value of the
older SubfileType for a smaller version."""

_MAX_PAGES = 16
"""Pages that are looked at, and pages below each."""

_THUMBNAIL_EDGE = 640
"""Longest edge of a first page that can be a thumbnail although no tag says so."""

_SAME_ASPECT = 0.02
"""Largest relative difference between the aspect ratios of a photo and its thumbnail."""


def photo_page(tiff: tifffile.TiffFile, warnings: list[str]) -> tifffile.TiffPage:
    """The page with the photo: the first one that is no thumbnail.

    Args:
        tiff: The file.
        warnings: Gets a line if there are further pictures.
    """
    first, *more = first_pages(tiff)
    photos = [page for page in (first, *more) if not _is_minor(page)]
    if first not in photos:
        photos += [page for page in sub_pages(first) if not _is_minor(page)]
    elif len(photos) > 1 and _looks_like_thumbnail(first, photos[1]):
        photos.remove(first)
    if len(photos) > 1:
        warnings.append(SEVERAL_IMAGES)
    return photos[0] if photos else first


def orientation_of(page: tifffile.TiffPage, first: tifffile.TiffPage, metadata: Metadata) -> int:
    """The orientation of a page as its tag, that of the first page or else XMP states it."""
    for tags in (page.tags, first.tags):
        value = tags.valueof(_ORIENTATION)
        value = value[0] if isinstance(value, tuple | bytes) and value else value
        if isinstance(value, int) and 1 <= value <= 8:
            return int(value)
    return (xmp.orientation_in(metadata.xmp) if metadata.xmp else None) or 1


def first_pages(tiff: tifffile.TiffFile) -> Iterator[tifffile.TiffPage]:
    """The first pages of a file, up to one that is damaged."""
    yield tiff.pages.first
    for number in range(1, _MAX_PAGES):
        try:
            page = tiff.pages[number]
        # A damaged directory makes tifffile raise whatever its parsing runs into.
        except Exception:
            return
        if isinstance(page, tifffile.TiffPage):
            yield page


def sub_pages(page: tifffile.TiffPage) -> Iterator[tifffile.TiffPage]:
    """The pages in SubIFDs, among which cameras hide the photo behind its thumbnail."""
    for number in range(min(len(page.subifds or ()), _MAX_PAGES)):
        sub = page.pages[number] if page.pages is not None else None
        if isinstance(sub, tifffile.TiffPage):
            yield sub


def _is_minor(page: tifffile.TiffPage) -> bool:
    """Whether its tags call a page a thumbnail or a mask."""
    old = page.tags.valueof(_OLD_SUBFILE_TYPE)
    return bool(page.subfiletype & (_REDUCED | _MASK)) or old == _OLD_REDUCED


def _looks_like_thumbnail(first: tifffile.TiffPage, second: tifffile.TiffPage) -> bool:
    """Whether the first page is small, and the second one larger and of the same shape."""
    edges = first.imagewidth, first.imagelength
    scales = second.imagewidth / edges[0], second.imagelength / edges[1]
    same = abs(scales[0] - scales[1]) <= _SAME_ASPECT * max(scales)
    return max(edges) <= _THUMBNAIL_EDGE and same and min(scales) >= 2

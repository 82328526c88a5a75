"""Finding the gain map of a JPEG or HEIC, and decoding it.

Three kinds of description are read: that of ISO 21496-1 and that of Adobe and Google in a JPEG, and
Apple's in both. A map that is damaged, or that does not fit its photo, is no error: it counts as
absent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from enhance_cli.imaging.codecs.isobmff.picture_boxes import content_of, read_picture_boxes
from enhance_cli.imaging.codecs.open_image import open_image
from enhance_cli.imaging.codecs.stored_image import upright
from enhance_cli.imaging.color_space import ColorSpace
from enhance_cli.imaging.containers.jpeg_segments import APP1, APP2, jpeg_segments
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.gain_maps import apple, hdrgm, iso_21496
from enhance_cli.imaging.gain_maps.gain_map import GainMap, GainMapError, GainMapParameters
from enhance_cli.imaging.gain_maps.multi_picture import Place, further_pictures, has_index
from enhance_cli.imaging.metadata import xmp
from enhance_cli.imaging.resize import Size, fit_within

_NO_NAME = Path("gain map")

_MAX_BYTES = 2**26
"""Longest picture of a map that is read. Maps of full size take a few megabytes."""

_SKEW = 0.02
"""By how much the shapes of photo and map may differ, beside a pixel of rounding."""


@dataclass(frozen=True)
class FoundGainMap:
    """A gain map that is not decoded yet.

    Attributes:
        size: Width and height of its picture.
        decode: Decodes the picture, given the longer edge of the photo or None: grey or RGB, not
            turned upright, and its ICC profile.
        parameters: What its pixels mean; None for one of Apple's.
        headroom: Headroom of one of Apple's.
    """

    size: Size
    decode: Callable[[int | None], tuple[NDArray[np.uint8], bytes | None]]
    parameters: GainMapParameters | None
    headroom: float = 1.0

    @property
    def pixels(self) -> int:
        """The number of pixels that decoding it takes."""
        return self.size.width * self.size.height


def find_gain_map(image: Image.Image, heif: bytes | None = None) -> FoundGainMap | None:
    """Find the gain map of an opened JPEG or HEIC whose pixels are not decoded yet.

    Args:
        image: The file, opened by Pillow.
        heif: Its content, if it is a HEIC.

    Returns:
        The map; None if there is none that can be read.
    """
    path = getattr(image, "filename", "")
    if heif is not None:
        with contextlib.suppress(GainMapError):
            return _found_in_heif(heif, image)
    if not path or image.format not in {"JPEG", "MPO"}:
        return None
    packet = image.info.get("xmp")
    place = hdrgm.announced(packet) if isinstance(packet, bytes) else None
    if place is None and not has_index(image):
        return None
    with Path(path).open("rb") as file:
        source = Source(file)
        places = further_pictures(source)
        places += _counted_from_end(places, source.size)
        if place is not None:
            places.append(Place(source.size - place.start, place.length))
        for one in places:
            with contextlib.suppress(GainMapError):
                found = _found_at(source, one, image)
                if found is not None:
                    return found
    return None


def decode_gain_map(found: FoundGainMap, long_edge: int | None, orientation: int) -> GainMap | None:
    """Decode a map, turned upright.

    Args:
        found: The map.
        long_edge: Longer edge of the photo, in pixels; the map is decoded with at least twice as
            many. None decodes all its pixels.
        orientation: Orientation of the photo, as EXIF numbers it.

    Returns:
        The map; None if it is damaged.
    """
    # Codecs raise exceptions of any type for damaged files.
    with contextlib.suppress(Exception):
        pixels, profile = found.decode(long_edge)
        pixels = upright(pixels, orientation)
        if found.parameters is None:
            grey = pixels if pixels.ndim == 2 else pixels[..., 1]
            return apple.gain_map_of_apple(grey, found.headroom)
        return _assembled(pixels, found.parameters, profile)
    return None


def _decode_jpeg(content: bytes, long_edge: int | None) -> tuple[NDArray[np.uint8], bytes | None]:
    with open_image(_NO_NAME, content) as image:
        if long_edge:
            image.draft(None, fit_within(image.size, 2 * long_edge))
        pixels = np.asarray(image if image.mode == "L" else image.convert("RGB"))
        return pixels, image.info.get("icc_profile")


def _counted_from_end(places: list[Place], size: int) -> list[Place]:
    """Where the pictures are if they end a file of ``size`` bytes, one behind the other.

    Editors that change the length of the first picture do not always correct the index.
    """
    lengths = [place.length for place in places]
    return [Place(size - sum(lengths[n:]), length) for n, length in enumerate(lengths)]


def _assembled(pixels: np.ndarray, parameters: GainMapParameters, profile: bytes | None) -> GainMap:
    """The map of decoded pixels.

    Raises:
        ProfileError: Its color space cannot be used.
    """
    if pixels.ndim == 3 and parameters.same_for_all and (pixels == pixels[..., :1]).all():
        pixels = np.ascontiguousarray(pixels[..., 0])
    if not parameters.own_space or not profile:
        return GainMap(pixels, replace(parameters, own_space=False))
    return GainMap(pixels, parameters, ColorSpace(profile))


def _found_at(source: Source, place: Place, image: Image.Image) -> FoundGainMap | None:
    """The gain map at a place of a file; None if it is none.

    Raises:
        GainMapError: It cannot be used.
    """
    if not 0 < place.start < source.size:
        return None
    description = _description(source, place.start, image)
    if description is None:
        return None
    parameters, headroom = description
    length = min(place.length or source.size, source.size - place.start)
    if length > _MAX_BYTES:
        raise GainMapError("too long")
    content = source.read(place.start, length)
    try:
        with open_image(_NO_NAME, content) as opened:
            decode = partial(_decode_jpeg, content)
            found = FoundGainMap(Size(*opened.size), decode, parameters, headroom)
            if opened.format not in {"JPEG", "MPO"}:
                raise GainMapError("not a JPEG")
    except OSError as problem:
        raise GainMapError("damaged") from problem
    _refuse_misfit(found.size, Size(*image.size))
    return found


def _found_in_heif(content: bytes, image: Image.Image) -> FoundGainMap | None:
    """Apple's gain map in a HEIC, an auxiliary picture; libheif turns it upright.

    Raises:
        GainMapError: It cannot be used.
    """
    numbers = image.info.get("aux", {}).get(apple.AUXILIARY_TYPE)
    if not numbers:
        return None
    packets = [
        content_of(item, content)
        for item in read_picture_boxes(content).items
        if item.content_type == b"application/rdf+xml"
    ]
    packet = next((one for one in packets if apple.states_headroom(one)), None)
    headroom = apple.headroom_of(packet, image.info.get("exif"))
    # What libheif raises for damage is of no common type.
    try:
        auxiliary = pillow_heif.open_heif(content).get_aux_image(numbers[0])
    except Exception as problem:
        raise GainMapError("damaged") from problem
    if auxiliary.mode != "L":
        raise GainMapError("of another kind")
    found = FoundGainMap(
        Size(*auxiliary.size), lambda _edge: (np.asarray(auxiliary), None), None, headroom
    )
    _refuse_misfit(found.size, Size(*image.size))
    return found


def _description(
    source: Source, start: int, image: Image.Image
) -> tuple[GainMapParameters | None, float] | None:
    """What describes the picture at a position as a gain map, and Apple's headroom."""
    packet = None
    for segment in jpeg_segments(source, start):
        if segment.marker not in {APP1, APP2}:
            continue
        content = source.between(segment.start, segment.end)
        if segment.marker == APP2 and content.startswith(iso_21496.PREFIX):
            return iso_21496.read(content), 1.0
        if segment.marker == APP1 and content.startswith(xmp.PREFIX):
            packet = packet or content.removeprefix(xmp.PREFIX)
    if packet is None:
        return None
    parameters = hdrgm.read(packet)
    if parameters is not None:
        return parameters, 1.0
    if apple.is_apple(packet):
        return None, apple.headroom_of(packet, image.info.get("exif"))
    return None


def _refuse_misfit(size: Size, photo: Size) -> None:
    """Raise a GainMapError if a map is larger than its photo, or of another shape."""
    if not (0 < size.width <= photo.width and 0 < size.height <= photo.height):
        raise GainMapError("larger than its photo")
    height = size.width * photo.height / photo.width
    if abs(height - size.height) > 1 + _SKEW * max(height, size.height):
        raise GainMapError("of another shape than its photo")

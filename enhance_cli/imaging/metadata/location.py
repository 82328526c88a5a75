"""How metadata says where a photo was taken: names of properties, and texts with coordinates.

Names of places that a photographer has written, such as keywords and captions, are not known here.
"""

from __future__ import annotations

import re

from enhance_cli.imaging.metadata.xml_packet import Name

_NAMESPACES = frozenset({
    "http://www.w3.org/2003/01/geo/wgs84_pos#",
    "http://www.georss.org/georss",
    "http://www.opengis.net/gml",
    "http://www.opengis.net/kml/2.2",
    "http://rs.tdwg.org/dwc/terms/",
    "http://rs.tdwg.org/dwc/index.htm",
})  # fmt: skip
"""Namespaces of which every property tells a location."""

_PLACES = frozenset({
    "city", "state", "country", "countrycode", "countryname", "provincestate", "province", "region",
    "worldregion", "sublocation", "coverage", "spatial", "poi", "landmark", "where",
})  # fmt: skip
"""Properties for a place by its name, in lower case (Photoshop, IPTC Core and Extension, DC)."""

_PARTS = re.compile(r"^gps|location|locality|latitude|long(?:i|ti)tude|altitude|geotag|geohash")
"""What the name of a property for coordinates or a place begins with or contains."""

_NOT_PLACES = frozenset({"subjectlocation", "filelocation", "colocation"})
"""Properties whose names contain one of ``_PARTS``, and that mean something else: pixels, files."""

_COORDINATES = re.compile(
    r"gps|latitude|longitude|\bgeo:"
    r"|\d\s?\N{DEGREE SIGN}(?!\s?[CF]\b)"
    r"|\d[.,]\d{1,9}\s?[NSns]\b.{0,3}\d{1,3}[.,]\d"
    r"|\d\.\d{3,15}\s?[,;/|]\s?[+-]?\d{1,3}\.\d{3,15}"
    r"|[+-]\d{2}\.\d{2,15}[+-]\d{3}\.\d",
    re.IGNORECASE,
)
"""Coordinates as programs write them in texts: in degrees, in decimals, and as in ISO 6709."""

_EMBEDDED_FROM = 256
"""Length from which base64 is taken for a file in a text, which may have a location of its own."""

_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_BASE64_LINE = 40
"""Least characters of a line of base64, on average; the words of a text are shorter."""


def names_location(name: Name) -> bool:
    """Whether an XMP property of this name tells where the photo was taken."""
    local = name.local.lower()
    if local in _NOT_PLACES:
        return False
    return name.namespace in _NAMESPACES or local in _PLACES or _PARTS.search(local) is not None


def may_tell_location(text: str) -> bool:
    """Whether a text reads like coordinates, or contains an embedded file that may hold some."""
    if _COORDINATES.search(text):
        return True
    if len(text) < _EMBEDDED_FROM or _BASE64.fullmatch(text) is None:
        return False
    return len(text.split()) <= 1 + len(text) // _BASE64_LINE

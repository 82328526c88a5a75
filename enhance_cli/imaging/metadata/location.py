"""How metadata says where a photo was taken: names of properties, and texts with coordinates.

Names of places that a photographer has written, such as keywords and captions, are not known here.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from functools import lru_cache
from urllib.parse import unquote_plus

from enhance_cli.imaging.metadata.xml_packet import Name

TEXTS_LOST = "texts that may tell the location were left out"

_KNOWN = frozenset({
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "http://www.w3.org/XML/1998/namespace",
    "adobe:ns:meta/",
    "http://purl.org/dc/elements/1.1/",
    "http://ns.adobe.com/xap/1.0/",
    "http://ns.adobe.com/xap/1.0/mm/",
    "http://ns.adobe.com/xap/1.0/rights/",
    "http://ns.adobe.com/xap/1.0/bj/",
    "http://ns.adobe.com/xap/1.0/g/",
    "http://ns.adobe.com/xap/1.0/g/img/",
    "http://ns.adobe.com/xap/1.0/t/pg/",
    "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "http://ns.adobe.com/xap/1.0/sType/Font#",
    "http://ns.adobe.com/xap/1.0/sType/Job#",
    "http://ns.adobe.com/xap/1.0/sType/ManifestItem#",
    "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "http://ns.adobe.com/xap/1.0/sType/Version#",
    "http://ns.adobe.com/xmp/sType/Area#",
    "http://ns.adobe.com/xmp/note/",
    "http://ns.adobe.com/xmp/Identifier/qual/1.0/",
    "http://ns.adobe.com/xmp/1.0/DynamicMedia/",
    "http://ns.adobe.com/tiff/1.0/",
    "http://ns.adobe.com/exif/1.0/",
    "http://ns.adobe.com/exif/1.0/aux/",
    "http://cipa.jp/exif/1.0/",
    "http://ns.adobe.com/photoshop/1.0/",
    "http://ns.adobe.com/camera-raw-settings/1.0/",
    "http://ns.adobe.com/camera-raw-saved-settings/1.0/",
    "http://ns.adobe.com/lightroom/1.0/",
    "http://ns.adobe.com/pdf/1.3/",
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.useplus.org/ldf/xmp/1.0/",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "http://www.metadataworkinggroup.com/schemas/regions/",
    "http://ns.google.com/photos/1.0/camera/",
    "http://ns.google.com/photos/1.0/panorama/",
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/1.0/container/item/",
    "http://ns.google.com/photos/dd/1.0/container/",
    "http://ns.google.com/photos/dd/1.0/item/",
    "http://ns.apple.com/HDRGainMap/1.0/",
    "http://ns.apple.com/pixeldatainfo/1.0/",
})  # fmt: skip
"""Namespaces of which it is known which properties tell a location; what others do is not."""

_WITHOUT_NAMESPACE = frozenset({"about", "parseType", "resource"})
"""Attributes of RDF that old programs write without a prefix."""

_PLACES = frozenset({
    "city", "state", "country", "countrycode", "countryname", "provincestate", "province", "region",
    "worldregion", "sublocation", "coverage", "spatial", "poi", "landmark", "where", "place",
    "placename", "event", "eventid", "eventname", "venue", "address", "street", "streetaddress",
    "postalcode", "zip", "zipcode", "town", "village", "county", "district", "neighborhood",
    "neighbourhood", "lat", "lon", "lng", "long", "coords", "coordinates", "geo", "elevation",
    "posealtitude", "poseheadingdegrees",
})  # fmt: skip
"""Properties for a place by its name, in lower case (Photoshop, IPTC Core and Extension, DC), and
for the direction of a panorama, which EXIF counts among the GPS tags."""

_PARTS = re.compile(r"^gps|location|locality|latitude|long(?:i|ti)tude|altitude|geotag|geohash")
"""What the name of a property for coordinates or a place begins with or contains."""

_NOT_PLACES = frozenset({"subjectlocation", "filelocation", "colocation"})
"""Properties whose names contain one of ``_PARTS``, and that mean something else: pixels, files."""

_CARDINAL = r"(?:north|south|east|west|nord|sud|s\xfcd|est|ost|ouest|norte|sur|este|oeste)"
_URL = r"(?:https?://|www\.)[^\s<>\"]{0,200}"

_WORDS = re.compile(
    rf"""gps | \bgeo(?:-?uri|rss|json)?["']?\s?[:=]
    | \bgeo(?:hash|tag|ref) | l[ao]t[ia]tud | long(?:i|ti)tud | широт | долгот | [纬緯経经經]度
    | [北南]\s?[纬緯] | [東东西]\s?[経经經] | (?:breiten|l(?:ä|ae)ngen)grad
    | (?<![a-z])(?:lat|lng|lon)(?![a-z])[^0-9a-z]{{0,8}}(?:[nsew]\s?)?\d
    | (?<![a-z])long(?![a-z])["']?\s?[:=]\W{{0,4}}\d
    | \b[ck]oord[a-z]{{0,9}}\b[^0-9a-z]{{0,12}}\d
    | \b(?:utm|ups)\b\W{{0,3}}(?:zone\W{{0,3}})?\d | \bmgrs\b | \bepsg\W{{0,2}}\d | \bwgs\W?84
    | \beasting | \bnorthing | \bgrid\W?ref | \bmaidenhead
    | \b(?:qth|grid|locator)\W{{1,3}}[a-r]{{2}}\d\d
    | \bw3w\b | what3words | //w3w | \bplus\W?codes? | \bopen\Wlocation\Wcode
    | {_URL}(?:map|osm\.org|goo\.gl|waze|geoha|ge0\.me|plus\.codes)
    | /{{3}}[^\W\d_]{{1,30}}[.。・][^\W\d_]{{1,30}}[.。・][^\W\d_]{{1,30}}
    | \b(?:multi)?(?:point|linestring|polygon)\s?[zm]{{0,2}}\s?\({{1,3}}
        \s?[+-]?\d{{1,3}}(?:\.\d{{1,20}})?\s{{1,3}}[+-]?\d
    | \d[.,]\d{{2,20}}\W{{0,3}}{_CARDINAL}\b
    | \b{_CARDINAL}[\s:=]{{1,3}}[+-]?\d{{1,3}}[.,]\d{{3,20}}
    | \d[.,]\d{{3,20}}\W{{0,3}}(?:lat|lng|long?)\b
    | \b(?:breite|l(?:ä|ae)nge)\b\W{{0,3}}\d{{1,3}}[.,]\d{{4,20}}
    | \d[.,]\d{{2,20}}\W{{0,3}}(?:[сю]\.?\s?ш|[вз]\.?\s?д)(?!\w)
    | (?<!\w)(?:[сю]\.?\s?ш|[вз]\.?\s?д)[.:=\s]{{1,3}}\d{{1,3}}[.,]\d{{2}}""",
    re.IGNORECASE | re.VERBOSE,
)
"""Words that announce coordinates, addresses of maps, and places written as words."""

_DEGREES = re.compile(
    rf"""\d\s?°(?!\s?[CF]\b)
    | \d[.,]\d{{1,20}}\s?º | \d\s?º\s?(?:\d|[NSEWO]\b)
    | \d\s?(?:deg(?:rees?|s)?|grad)\b\W{{0,3}}(?:\d|[NSEWO]\b|{_CARDINAL}\b|lat|lon)
    | \d\.\d{{2,20}}\s?deg
    | (?<!\d)\d{{1,3}}\s?d\s?\d{{1,2}}(?:[.,]\d{{1,20}})?\s?['m]
    | (?<!\d)\d{{1,3}}[^\w'"]{{1,3}}\d{{1,2}}(?:[.,]\d{{1,20}})?\s?'\s?\d{{1,2}}(?!\d)
    | (?<!\d)\d{{1,3}}\s?h\s?\d{{1,2}}\s?'\s?\d""",
    re.IGNORECASE | re.VERBOSE,
)
"""Degrees by their sign, the word for them, or the minutes that follow."""

_ANGLE = r"\d{1,7}(?:[\s:.,'\"d°º-]{1,3}\d{1,2}){0,2}(?:[.,]\d{1,20})?[\s'\"°ºm]{0,3}"
_FINE = r"\d{1,7}[.,]\d{1,20}\s?"
_DATUM = r"\s?[,;:=]?\s?"


def _pair(angle: str, north: str, east: str) -> str:
    """The pattern of two numbers that follow or precede letters of the compass, in any order."""
    latitude, longitude = (
        rf"(?:\b[{letters}]{_DATUM}[+-]?{angle}|(?<![\d.]){angle},?[{letters}](?![A-Za-z]))"
        for letters in (north, east)
    )
    between = r"[^A-Za-z]{0,8}(?:\band\b\s?|\bund\b\s?|\bet\b\s?)?"
    return rf"{latitude}{between}{longitude}|{longitude}{between}{latitude}"


_COMPASS = re.compile(
    rf"""{_pair(_ANGLE, "NS", "EWO")} | {_pair(_FINE, "ns", "ewo")}
    | (?<![A-Za-z])(?<![A-Za-z]/)[NSEWO]\s?[:=_-]?\s?[+-]?\d{{1,5}}[.,]\d{{3,20}}
    | (?<![\d.])\d{{1,5}}(?:,\d{{4,20}}|\.\d{{3,20}})(?:[_/-]|\s?,?\s?)[NSEWO](?![^\W_])
    | (?<![^\W_])[new]\s?\d{{1,3}}[.,]\d{{4,20}}
    | (?<![\d.])\d{{2,3}}[.,]\d{{4,20}}\s?[new]\b
    | (?<!\d)\d{{1,3}},\d{{1,2}}(?:\.\d{{1,20}}|,\d{{1,2}}(?:\.\d{{1,20}})?)\s?[NSEWO]\b
    | (?<![\d.:-])\d{{1,3}}(?P<by>[\s:.-])\d{{1,2}}(?P=by)\d{{1,2}}(?:[.,]\d{{1,20}})?\s?[NSEWO]\b
    | (?<![A-Za-z])[NSEWO]\s?\d{{1,3}}(?:[\s:-]\d{{1,2}}){{2}}\b
    | (?<![A-Za-z])[NSEWO]\s?\d{{1,3}}[\s:-]\d{{1,2}}[.,]\d{{2,20}}
    | (?<!\d)\d{{1,3}}[\s:-]\d{{1,2}}\.\d{{2,20}}\s?[NSEWO]\b
    | \d\s?['"]{{1,2}}\s?[NSEWO]\b
    | \$[A-Z]{{5}},""",
    re.VERBOSE,
)
"""Numbers beside letters of the compass; O is west in French and Spanish. NMEA sentences."""

_GRIDS = re.compile(
    r"""\b(?:0?[1-9]|[1-5]\d|60)\s?[C-HJ-NP-X]\s?[A-HJ-NP-Z]{2}\s?
        (?:\d{10}|\d{8}|\d{6}|\d{4}|\d{2,5}\s\d{2,5})\b
    | \b\d{1,2}\s?[a-x]\s?[a-z]{2}\s?\d{5}\s?\d{5}\b
    | \b\d{1,2}\s?[C-HJ-NP-X]\s\d{6}(?:[.,]\d{1,9})?\s?m?E?[\s,;/]{1,3}\d{6,8}
    | \b\d{5,8}(?:[.,]\d{1,9})?\s?m?\s?[EN][\s,;/]{1,3}\d{5,8}(?:[.,]\d{1,9})?\s?m?\s?[EN]\b
    | (?<![A-Za-z0-9+])(?:[2-9CFGHJMPQRVWX]{8}|[2-9CFGHJMPQRVWX]{6}00|[2-9CFGHJMPQRVWX]{4}0000)
        \+(?:[2-9CFGHJMPQRVWX]{2,7})?(?![A-Za-z0-9])
    | (?<![A-Za-z0-9+])(?=[2-9]{0,6}[CFGHJMPQRVWX]|[2-9]{4,6}\+[2-9]{0,3}[CFGHJMPQRVWX])
        (?:[2-9CFGHJMPQRVWX]{6}|[2-9CFGHJMPQRVWX]{4})\+[2-9CFGHJMPQRVWX]{2,3}(?![A-Za-z0-9])
    | (?<![a-z0-9+])[2-9cfghjmpqrvwx]{8}\+[2-9cfghjmpqrvwx]{2,7}(?![a-z0-9])""",
    re.VERBOSE,
)
"""Squares of grids: MGRS, UTM, and Open Location Codes ("plus codes")."""

_BARE = re.compile(
    r"""(?<!\w)[+-]\d{2}(?:\d{2}){0,2}(?:\.\d{1,20})?[+-]\d{3}(?:\d{2}){0,2}(?:\.\d|(?=[/+-]|CRS))
    | (?<![\d.,])\d{1,3}\s\d{1,2}\s\d{1,2}[.,]\d{1,20}[^\w:]{1,4}\d{1,3}\s\d{1,2}\s\d
    | (?<![\d.,:])\d{1,3}:\d{1,2}:\d{1,2}\.\d{1,20}[\s,;/]{1,3}[+-]?\d{1,3}:\d{1,2}:\d
    | (?<![\d.,])\d{1,2}\s\d{1,2}\.\d{3,20}[\s,;/]{1,4}[+-]?\d{1,3}\s\d{1,2}\.\d{3}
    | (?<![\d/])\d{1,3}/1\W{1,3}\d{1,2}/1\W{1,3}\d{1,12}/\d{1,9}(?!\d)
        (?!\W{1,3}\d{1,9}/\d{1,9}\W{0,3}$)
    | @-?\d{1,2}\.\d{1,20},""",
    re.VERBOSE,
)
"""Coordinates without letters: ISO 6709, degrees with minutes, fractions as in EXIF, of maps."""

_DECIMAL = re.compile(
    r"""(?<![^\W_])(?<!\.)(?P<whole>[+-]?\s?\d{1,3})(?:(?P<point>[.,])(?P<part>\d{1,20}))?
    (?![^\W_]|\.\d)
    (?!\s?(?:mm|cm|m|km|ft|in|inch(?:es)?|s|sec|ms|px|pt|kg|g|[KMG]i?B|MP|Mpx|EV|K|k?Hz|dpi|ppi
       |h|hrs|uhr|[ap]m|eur|usd|chf|gbp)\b|\s?[%€$£"])""",
    re.VERBOSE | re.IGNORECASE,
)
"""A number without a unit, of at most three digits before the point."""

_MAX_LATITUDE, _MAX_LONGITUDE = 90, 180
_FAR = 80
"""Characters between two numbers that are not taken for a pair any more."""

_BETWEEN = re.compile(r"[\s,;:/|()\[\]&\"'+]{1,8}")
_DASH = re.compile(r"\s?[\u2013\u2014~_]\s?-?")
"""What separates the numbers of a pair; ranges have a dash, too."""

_CODES = frozenset({b"ASCII", b"UNICODE", b"JIS", b""})
"""What EXIF's comments begin with, in 8 bytes: the character code (Exif 2.32, 4.6.5)."""

_ESCAPE = b"\x1b"
"""How ISO 2022 announces the characters that follow, such as Japanese ones."""

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")

_SAME = str.maketrans({
    **dict.fromkeys("\u02da\u2070\u2218\u1d52\u25e6\u309c\u00b0", "°"),
    **dict.fromkeys("\u2032\u2019\u2018\u00b4\u02b9\u02bc\u0060\u2035\u055a", "'"),
    **dict.fromkeys("\u2033\u201d\u201c\u02ba\u02ee\u2036\u3003", '"'),
    **dict.fromkeys("\u2212\u2010\u2011\ufe63", "-"),
    **dict.fromkeys("\u066b\u00b7\u22c5\u2024", "."),
    "º": "º",  # which NFKC would make the letter o
    "\u066c": ",", "\u060c": ",", "\u3001": ",", "\uff1b": ";",
})  # fmt: skip
"""Signs that look alike, and the one of them that is looked for."""

_LONGEST, _MOST_DIGITS = 65_536, 4096
"""Characters and digits of the longest text that is looked at; no caption has more."""

_EMBEDDED_FROM = 256
"""Length from which base64 is taken for a file in a text, which may have a location of its own."""

_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_BASE64_LINE = 40
"""Least characters of a line of base64, on average; the words of a text are shorter."""


def names_location(name: Name) -> bool:
    """Whether an XMP property of this name, in a known namespace, tells the location."""
    local = name.local.lower()
    if local in _NOT_PLACES:
        return False
    return local in _PLACES or _PARTS.search(local) is not None


def is_known(name: Name) -> bool:
    """Whether it is known what an XMP property of this name means."""
    return name.namespace in _KNOWN or (not name.namespace and name.local in _WITHOUT_NAMESPACE)


@lru_cache(16)  # texts are decoded in several ways, mostly with one result
def may_tell_location(text: str) -> bool:
    """Whether a text may tell where the photo was taken.

    Args:
        text: A caption, comment, or any other text that people or programs have written.

    Returns:
        True if it reads like coordinates or like the address of a map, in any notation that is
        known, if it contains an embedded file that may hold some, or if it is too long to tell.
    """
    if len(text) > _LONGEST or _is_embedded(text):
        return True
    if sum(map(text.count, "0123456789")) > _MOST_DIGITS:
        return True
    return any(_has_coordinates(form) for form in _forms(text))


def bytes_may_tell_location(content: bytes, *, wide: bool = False) -> bool:
    """Whether a text of unknown encoding may tell where the photo was taken.

    Args:
        content: The text as it is stored. It may begin with the character code of EXIF's comments.
        wide: Whether its characters should have 16 bits, in any byte order.
    """
    code = content[:8].rstrip(b"\0 ").upper()
    if len(content) >= 8 and code in _CODES:
        content, wide = content[8:], code == b"UNICODE"
    return any(may_tell_location(text) for text in _readings(content.strip(b"\0 "), wide))


def _readings(content: bytes, wide: bool) -> set[str]:
    """All that the bytes of a text may read."""
    upper = _common_byte(content)
    is_wide = upper is not None and (wide or upper < ord(" "))
    codes = ("utf-16-le", "utf-16-be") if wide or is_wide else ()
    readings = {content.decode(code, "replace") for code in codes}
    if is_wide:
        return readings
    narrow = content.replace(b"\0", b" ")
    if _ESCAPE in narrow:
        readings.add(narrow.decode("iso2022_jp", "replace"))
    try:
        return readings | {narrow.decode()}
    except UnicodeDecodeError:
        codes = () if wide else ("utf-8", "latin-1")
        return readings | {narrow.decode(code, "replace") for code in codes}


def _common_byte(content: bytes) -> int | None:
    """The byte in most of every second place: the upper one of characters of one alphabet."""
    for places in (content[::2], content[1::2]):
        for byte, count in Counter(places).most_common(1):
            if 2 * count > len(places):
                return byte
    return None


def _is_embedded(text: str) -> bool:
    if len(text) < _EMBEDDED_FROM or _BASE64.fullmatch(text) is None:
        return False
    return len(text.split()) <= 1 + len(text) // _BASE64_LINE


def _forms(text: str) -> set[str]:
    """A text, and what it reads once escapes are resolved; signs that look alike are the same."""
    plain = html.unescape(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), text))
    return {
        "º".join(
            unicodedata.normalize("NFKC", part)
            for part in _INVISIBLE.sub("", form).translate(_SAME).split("º")
        )
        for form in (plain, unquote_plus(plain) if "%" in plain else plain)
    }


def _has_coordinates(text: str) -> bool:
    patterns = _WORDS, _DEGREES, _COMPASS, _GRIDS, _BARE
    return any(pattern.search(text) for pattern in patterns) or _has_pair(text)


def _has_pair(text: str) -> bool:
    """Whether two decimal numbers that follow each other may be a latitude and a longitude."""
    last: re.Match[str] | None = None
    for found in _DECIMAL.finditer(text):
        if last is not None and _are_coordinates(last, found, text[last.end() : found.start()]):
            return True
        last = found
    return False


def _are_coordinates(first: re.Match[str], second: re.Match[str], between: str) -> bool:
    """Whether two numbers are in range, and precise or close enough to be coordinates."""
    sizes = sorted(abs(_value(one)) for one in (first, second))
    if sizes[0] > _MAX_LATITUDE or sizes[1] > _MAX_LONGITUDE or len(between) > _FAR:
        return False
    less, more = sorted(len(one["part"] or "") for one in (first, second))
    if _BETWEEN.fullmatch(between):
        return less >= 2 or more >= 4
    if not between or _DASH.fullmatch(between):
        return less >= 3
    dotted = first["point"] == second["point"] == "."
    return more >= 4 and less >= (3 if dotted else 4)


def _value(number: re.Match[str]) -> float:
    whole = "".join(number["whole"].split())  # a sign may stand apart, even on a line of its own
    return float(f"{whole}.{number['part'] or 0}")

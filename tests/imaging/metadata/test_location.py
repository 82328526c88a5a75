"""The location, planted in every form that is known, and searched in the bytes of every result."""

import base64
import re
import struct
import zlib
from io import BytesIO

import numpy as np
import piexif
import pillow_heif
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.metadata.location import (
    bytes_may_tell_location,
    may_tell_location,
    names_location,
)
from enhance_cli.imaging.metadata.metadata import metadata_for_result
from enhance_cli.imaging.metadata.xml_packet import Name

LATITUDE = ((47, 1), (22, 1), (36841, 1000))
PLANTED = [
    *(b"47.3769", b"8.5417", b"47,22.61", b"Witikon"),
    *(struct.pack(f"{order}2I", 36841, 1000) for order in "<>"),
    base64.b64encode(b"47.3769")[:8],
    b"47.3769".hex().encode(),
]
"""What results must not contain: a latitude, a longitude and a place, as planted below."""

NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "geo": "http://www.w3.org/2003/01/geo/wgs84_pos#",
    "georss": "http://www.georss.org/georss",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "dji": "http://www.dji.com/drone-dji/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "xmpGImg": "http://ns.adobe.com/xap/1.0/g/img/",
    "xmpDM": "http://ns.adobe.com/xmp/1.0/DynamicMedia/",
    "GImage": "http://ns.google.com/photos/1.0/image/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
}


def packet(content: str, attributes: str = "", before: str = "") -> bytes:
    """An XMP packet with these properties, and with a title."""
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    return (
        f'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>{before}'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {declared}>'
        f'<rdf:Description rdf:about="" {attributes}>{content}<dc:title><rdf:Alt>'
        f'<rdf:li xml:lang="x-default">Harbour</rdf:li></rdf:Alt></dc:title></rdf:Description>'
        f"</rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
    ).encode()


EMBEDDED = base64.b64encode(b"\xff\xd8\xff\xe1" + b"47.3769" * 60).decode()

XMP = {
    "attribute": packet("", 'exif:GPSLatitude="47,22.61N"'),
    "single quotes": packet("", "exif:GPSLatitude='47,22.61N'"),
    "spaces around the sign": packet("", 'exif:GPSLatitude\n =\t"47,22.61N"'),
    "element": packet("<exif:GPSLatitude>47,22.61N</exif:GPSLatitude>"),
    "end tag with a space": packet("<exif:GPSLatitude>47,22.61N</exif:GPSLatitude >"),
    "end tag with a line": packet("<exif:GPSLatitude\n>47,22.61N</exif:GPSLatitude\n>"),
    "default namespace": packet(
        '<GPSLatitude xmlns="http://ns.adobe.com/exif/1.0/">47,22.61N</GPSLatitude>'
    ),
    "another prefix": packet(
        '<e:GPSLatitude xmlns:e="http://ns.adobe.com/exif/1.0/">47,22.61N</e:GPSLatitude>'
    ),
    "another prefix, attribute": packet(
        "", 'xmlns:e="http://ns.adobe.com/exif/1.0/" e:GPSLatitude="47,22.61N"'
    ),
    "namespace with a reference": packet(
        '<e:GPSLatitude xmlns:e="http://ns.adobe.com/ex&#105;f/1.0/">47,22.61N</e:GPSLatitude>'
    ),
    "unknown namespace": packet('<u:gpsPosition xmlns:u="urn:u">47.3769</u:gpsPosition>'),
    "CDATA": packet("<exif:GPSLatitude><![CDATA[47,22.61N]]></exif:GPSLatitude>"),
    "structure": packet(
        '<exif:GPSLatitude rdf:parseType="Resource"><rdf:value>47,22.61N</rdf:value>'
        "</exif:GPSLatitude>"
    ),
    "geo attribute": packet("", 'geo:lat="47.3769" geo:long="8.5417"'),
    "geo element": packet("<geo:lat>47.3769</geo:lat><geo:long>8.5417</geo:long>"),
    "geo point": packet("<dc:source><geo:Point><geo:lat>47.3769</geo:lat></geo:Point></dc:source>"),
    "georss": packet("<georss:point>47.3769 8.5417</georss:point>"),
    "Photoshop city": packet("", 'photoshop:City="Witikon"'),
    "Photoshop state": packet("<photoshop:State>Witikon</photoshop:State>"),
    "Photoshop country": packet("<photoshop:Country>Witikon</photoshop:Country>"),
    "IPTC Core location": packet("", 'Iptc4xmpCore:Location="Witikon"'),
    "IPTC location created": packet(
        '<Iptc4xmpExt:LocationCreated><rdf:Bag><rdf:li Iptc4xmpExt:City="Witikon"/></rdf:Bag>'
        "</Iptc4xmpExt:LocationCreated>"
    ),
    "IPTC location shown": packet(
        '<Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li rdf:parseType="Resource">'
        "<Iptc4xmpExt:Sublocation>Witikon</Iptc4xmpExt:Sublocation></rdf:li></rdf:Bag>"
        "</Iptc4xmpExt:LocationShown>"
    ),
    "IPTC region": packet("<Iptc4xmpExt:ProvinceState>Witikon</Iptc4xmpExt:ProvinceState>"),
    "drone": packet("", 'dji:GpsLatitude="47.3769" dji:GpsLongtitude="8.5417"'),
    "shot location": packet("", 'xmpDM:shotLocation="Witikon"'),
    "coverage": packet("<dc:coverage><rdf:Bag><rdf:li>Witikon</rdf:li></rdf:Bag></dc:coverage>"),
    "ingredient": packet(
        "<xmpMM:Pantry><rdf:Bag><rdf:li><rdf:Description exif:GPSLatitude='47,22.61N'/></rdf:li>"
        "</rdf:Bag></xmpMM:Pantry>"
    ),
    "coordinates in a text": packet("<dc:description>47.3769, 8.5417</dc:description>"),
    "degrees in a text": packet("<dc:description>47°22.61'N Witikon</dc:description>"),
    "thumbnail": packet(f"<xmp:Thumbnails><rdf:li>{EMBEDDED}</rdf:li></xmp:Thumbnails>"),
    "embedded picture": packet(f"<GImage:Data>{EMBEDDED}</GImage:Data>"),
    "comment": packet("<!-- 47.3769 -->"),
    "comment before": packet("", before="<!-- 47.3769 -->"),
    "instruction": packet("<?gps 47.3769?>"),
    "reference": packet("<exif:GPSInfo rdf:nodeID='a'/><dc:type rdf:nodeID='a'>47.3769</dc:type>"),
    "unbound prefix": packet("<lat:lon>47.3769</lat:lon>"),
    "not well-formed": packet("<exif:GPSLatitude>47,22.61N"),
}  # fmt: skip


def pixels() -> Image.Image:
    levels = np.random.default_rng(0).integers(0, 255, (16, 16, 3))
    return Image.fromarray(levels.astype(np.uint8))


def directory(entries: dict[int, tuple[int, int, bytes]], at: int, link: int = 0) -> bytes:
    """A TIFF directory, little-endian, with the values behind it."""
    head, values = struct.pack("<H", len(entries)), b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag, (kind, count, value) in sorted(entries.items()):
        stored = value
        if len(value) > 4:
            stored = struct.pack("<I", behind + len(values))
            values += value + bytes(len(value) % 2)
        head += struct.pack("<HHI4s", tag, kind, count, stored.ljust(4, b"\0"))
    return head + struct.pack("<I", link) + values


RATIONALS = struct.pack("<6I", *(number for pair in LATITUDE for number in pair))
GPS = {1: (2, 2, b"N\0"), 2: (5, 3, RATIONALS)}


def block(first=None, exif=None, second=None, gps_in="first", after=b"") -> bytes:
    """An EXIF block, with a directory of GPS tags to which one of its directories points."""
    first = {0x010F: (2, 6, b"Maker\0"), **(first or {})}
    exif = {0xA434: (2, 8, b"35mm F2\0"), **(exif or {})}
    positions = {"exif": 4000, "gps": 7000, "second": 8000}
    first[0x8769] = (4, 1, struct.pack("<I", positions["exif"]))
    target = {"first": first, "exif": exif, "second": second}.get(gps_in)
    if target is not None:
        target[0x8825] = (4, 1, struct.pack("<I", positions["gps"]))
    made = b"II*\0\x08\0\0\0" + directory(first, 8, positions["second"] if second else 0)
    made = made.ljust(4000, b"\0") + directory(exif, 4000)
    if gps_in != "nowhere":
        made = made.ljust(7000, b"\0") + directory(GPS, 7000)
    if second:
        made = made.ljust(8000, b"\0") + directory(second, 8000)
    return b"Exif\0\0" + made + after


def ascii_tag(text: bytes) -> tuple[int, int, bytes]:
    return 2, len(text) + 1, text + b"\0"


def raw(content: bytes) -> tuple[int, int, bytes]:
    return 7, len(content), content


MAKER_NOTE = b"Panasonic\0\0\0" + directory({0x6D: ascii_tag(b"Witikon"), 2: raw(RATIONALS)}, 12)

EXIF = {
    "directory of GPS tags": block(),
    "pointer in the EXIF directory": block(gps_in="exif"),
    "second directory": block(second={0x0100: (4, 1, b"\1\0\0\0")}, gps_in="second"),
    "orphan": block(gps_in="orphan"),
    "behind everything": block(gps_in="nowhere", after=b"47.3769"),
    "MakerNote": block(exif={0x927C: raw(MAKER_NOTE)}, gps_in="nowhere"),
    "MakerNote with XMP": block(exif={0x927C: raw(XMP["element"])}, gps_in="nowhere"),
    "XMP": block({700: (1, len(XMP["element"]), XMP["element"])}, gps_in="nowhere"),
    "comment": block(exif={0x9286: raw(b"ASCII\0\0\0" + b"47.3769, 8.5417")}, gps_in="nowhere"),
    "comment in UTF-16": block(
        exif={0x9286: raw(b"UNICODE\0" + "N 47.3769°, Witikon".encode("utf-16-le"))},
        gps_in="nowhere",
    ),
    "comment in big-endian UTF-16": block(
        exif={0x9286: raw(b"UNICODE\0" + "Широта 47.3769, Witikon".encode("utf-16-be"))},
        gps_in="nowhere",
    ),
    "description": block({0x010E: ascii_tag(b"GPS 47.3769 8.5417")}, gps_in="nowhere"),
    "description as bytes": block({0x010E: raw(b"47.3769, 8.5417")}, gps_in="nowhere"),
    "description in UTF-8": block({0x010E: (129, 15, b"47.3769, 8.5417")}, gps_in="nowhere"),
    "Windows comment": block(
        {0x9C9C: (1, 34, "47.3769, 8.5417 ".encode("utf-16-le") + b"\0\0")}, gps_in="nowhere"
    ),
    "unknown tag": block({0xC000: raw(b"47.3769, 8.5417")}, gps_in="nowhere"),
    "GeoTIFF": block({34737: ascii_tag(b"Witikon|47.3769")}, gps_in="nowhere"),
    "unknown tag in EXIF": block(exif={0xFDE8: ascii_tag(b"Witikon 47.3769")}, gps_in="nowhere"),
    "device settings": block(exif={0xA40B: raw(RATIONALS * 3)}, gps_in="nowhere"),
    "IPTC": block({33723: raw(b"\x1c\x02\x5a\0\x07Witikon")}, gps_in="nowhere"),
    "too short": block()[:5500] + b"47.3769",
}  # fmt: skip


def raw_profile(name: str, content: bytes) -> str:
    return f"\n{name}\n{len(content):8}\n" + content.hex()


TEXTS = {
    "Raw profile type exif": raw_profile("exif", block()),
    "Raw profile type EXIF": raw_profile("exif", block(exif={0x927C: raw(MAKER_NOTE)})),
    "Raw profile type APP1": raw_profile("generic", block()),
    "Raw profile type xmp": raw_profile("xmp", XMP["element"]),
    "Raw profile type iptc": raw_profile("iptc", b"\x1c\x02\x5a\0\x07Witikon47.3769"),
    "raw profile type app1": raw_profile("app1", b"http://ns.adobe.com/xap/1.0/\0" + XMP["drone"]),
    "exif:GPSLatitude": "47.3769",
    "exif:GPSInfo": "47.3769",
    "geo:lat": "47.3769",
    "GPSLatitude": "47.3769",
    "Location": "Witikon",
    "XML:com.adobe.xmp": XMP["element"].decode(),
    "Comment": "taken at 47.3769, 8.5417",
    "Description": "47.3769 N, 8.5417 E",
}


def jpeg(*segments: tuple[int, bytes], **options) -> bytes:
    """A JPEG with these segments in front."""
    with BytesIO() as file:
        pixels().save(file, "JPEG", **options)
        content = file.getvalue()
    more = b"".join(struct.pack(">BBH", 0xFF, n, 2 + len(s)) + s for n, s in segments)
    return content[:2] + more + content[2:]


def long_xmp(extension: bytes) -> list[tuple[int, bytes]]:
    """The segments of a packet with an extension."""
    digest = "0123456789ABCDEF" * 2
    main = packet("", f'xmpNote:HasExtendedXMP="{digest}"')
    part = digest.encode() + struct.pack(">II", len(extension), 0) + extension
    return [
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + main),
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0" + part),
    ]


def forms() -> dict[str, tuple[str, bytes]]:
    """Suffix and bytes of a file for each form in which a location is stored."""
    made: dict[str, tuple[str, bytes]] = {}
    for name, content in XMP.items():
        made[f"XMP: {name}"] = "jpg", jpeg(xmp=content)
        made[f"extended XMP: {name}"] = "jpg", jpeg(*long_xmp(content))
    for name, content in EXIF.items():
        made[f"EXIF: {name}"] = "jpg", jpeg((0xE1, content))
        with BytesIO() as file:
            pixels().save(file, "WEBP", exif=content, xmp=XMP["element"])
            made[f"EXIF in WebP: {name}"] = "webp", file.getvalue()
    second = block(gps_in="nowhere"), block()
    made["second EXIF segment"] = "jpg", jpeg(*((0xE1, content) for content in second))
    made["comment of a JPEG"] = "jpg", jpeg(comment=b"47.3769, 8.5417")
    made["comment in UTF-16"] = "jpg", jpeg(comment="47.3769, 8.5417".encode("utf-16"))
    made["unknown segment"] = "jpg", jpeg((0xE7, b"47.3769 Witikon"))
    made["behind the picture"] = "jpg", jpeg() + b"47.3769 Witikon"
    for key, text in TEXTS.items():
        for way in ("add_text", "add_itxt"):
            info = PngInfo()
            getattr(info, way)(key, text, zip=True)
            with BytesIO() as file:
                pixels().save(file, "PNG", pnginfo=info)
                made[f"PNG text ({way}): {key}"] = "png", file.getvalue()
    deep = np.asarray(pixels()).astype(np.uint16) * 257
    tags = [
        (700, "B", len(XMP["element"]), XMP["element"], True),
        (34737, "s", 0, "Witikon|47.3769", True),
        (270, "s", 0, "47.3769, 8.5417", True),
    ]
    for name, levels in (("8 bits", np.asarray(pixels())), ("16 bits", deep)):
        with BytesIO() as file:
            tifffile.imwrite(file, levels, photometric="rgb", extratags=tags, metadata=None)
            made[f"TIFF of {name}"] = "tif", file.getvalue()
    exif = piexif.dump({
        "0th": {271: b"Maker"},
        "Exif": {0x9286: b"ASCII\0\0\0GPS 47.3769", 37500: MAKER_NOTE},
        "GPS": {1: b"N", 2: LATITUDE},
    })  # fmt: skip
    for suffix in ("tif", "avif", "png"):
        with BytesIO() as file:
            pixels().save(file, {"tif": "TIFF"}.get(suffix, suffix.upper()), exif=exif)
            made[f"EXIF of {suffix}"] = suffix, file.getvalue()
    with BytesIO() as file:
        pillow_heif.from_pillow(pixels()).save(file, exif=exif, xmp=XMP["geo element"])
        made["HEIC"] = "heic", file.getvalue()
    return made


FORMS = forms()


def everything_in(content: bytes) -> bytes:
    """The bytes of a file, and once more what is compressed or in hexadecimal in it."""
    found = [content, content.replace(b"\0", b"")]
    for start in [at.start() for at in re.finditer(b"x[\x01\x5e\x9c\xda]", content)]:
        try:
            found.append(zlib.decompressobj().decompress(content[start:], 2**20))
        except zlib.error:
            continue
    return b"\n".join(found)


@pytest.mark.proves("`--strip-gps`", "and all in MakerNotes and texts that may tell it")
@pytest.mark.parametrize("name", FORMS)
def test_no_form_of_the_location_is_in_any_result(tmp_path, name):
    suffix, content = FORMS[name]
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    photo = decode(path)
    metadata, _ = metadata_for_result(photo.metadata, photo.size, keep="no-gps")
    for kind in ("jpg", "png", "tif", "webp", "avif", "heic", "jxl"):
        result = tmp_path / f"result.{kind}"
        write_photo(photo, result, metadata=metadata)
        searched = everything_in(result.read_bytes())
        assert not [one for one in PLANTED if one in searched], kind


def test_what_is_planted_is_found_where_it_is_not_removed(tmp_path):
    """Otherwise, the search would prove nothing."""
    found = set()
    for name, (suffix, content) in FORMS.items():
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(content)
        photo = decode(path)
        metadata, _ = metadata_for_result(photo.metadata, photo.size)
        for kind in ("jpg", "png"):
            write_photo(photo, tmp_path / f"result.{kind}", metadata=metadata)
            searched = everything_in((tmp_path / f"result.{kind}").read_bytes())
            found |= {name} if any(one in searched for one in PLANTED) else set()
    assert len(found) >= 100, sorted(set(FORMS) - found)


def test_what_tells_no_location_stays(tmp_path):
    path = tmp_path / "a.jpg"
    text = b"GPS 47.3769 8.5417"
    path.write_bytes(jpeg((0xE1, block({0x010E: ascii_tag(text), 0x013B: ascii_tag(b"Zoe")}))))
    photo = decode(path)
    metadata, _ = metadata_for_result(photo.metadata, photo.size, keep="no-gps")
    loaded = piexif.load(metadata.exif)
    assert loaded["0th"][piexif.ImageIFD.Make] == b"Maker"
    assert loaded["0th"][piexif.ImageIFD.Artist] == b"Zoe"
    assert loaded["Exif"][piexif.ExifIFD.LensModel] == b"35mm F2"
    assert not loaded["GPS"] and piexif.ImageIFD.ImageDescription not in loaded["0th"]
    path.write_bytes(jpeg(xmp=XMP["element"]))
    metadata, lost = metadata_for_result(decode(path).metadata, photo.size, keep="no-gps")
    assert b"Harbour" in metadata.xmp and lost == ()


def test_a_text_in_utf8_stays(tmp_path):
    """Its type is new in Exif 3.0."""
    artist = "Jürgen Ω\0".encode()
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg((0xE1, block({0x013B: (129, len(artist), artist)}))))
    photo = decode(path)
    metadata, lost = metadata_for_result(photo.metadata, photo.size, keep="no-gps")
    assert lost == () and artist in metadata.exif and RATIONALS not in metadata.exif


NOTATIONS = [
    *("47.3769, 8.5417", "47.3769;8.5417", "N47°22'36\"", "+47.3769+008.5417/", "geo:47.4,8.5"),
    *("GPS fix", "Latitude 47", "47,22.61N 8,32.5E"),
    *("48 deg 51' 30.24\" N, 2 deg 17' 40.2\" E", "Taken at N48.8584 E2.2945", "48,51.507N"),
    *("Lat: 48.8584 Lon: 2.2945", "lat=48&lon=2", '{"lat":48.8,"lng":2.2}', "long: 2.2945"),
    *("48.8584 2.2945", "+48.8584 +2.2945", "48,8584; 2,2945", "48.8584%2C%202.2945"),
    *("48.8584, 2", "(48.8584,2.2945,35)", "48.85 2.29", "2.2945 east of it, 48.8584"),
    *("https://www.google.com/maps/@48.85,2.29,15z", "https://osm.org/#map=16/48.8/2.2"),
    *("https://maps.app.goo.gl/AbCdE", "POINT(2.2945 48.8584)", '"coordinates": [2, 48]'),
    *("N 48 51.507 E 002 17.670", "48 51 30.1 N 2 17 40.2 E", "48d51'30\"N 2d17'40\"E"),
    *("48º51'30\"N", "48\u02da51\u2032", "48\u2218 51\u2019", "48&#176;51", "48\\u00b051"),
    *("48 degrees north",),
    *("$GPRMC,101112,A,4851.507,N,00217.670,E*6A", "4851.507,N,00217.670,E", "48 51' 30\" N"),
    *("485130N 0021740E", "N485130 E0021740", "+4851.5+00217.6/", "+485130+0021740/"),
    *("31U DQ 48251 11952", "31UDQ4825111952", "UTM 31N 448251 5411952", "31N 448251 5411952"),
    *("448251mE 5411952mN", "8FW4V75V+8Q", "8fw4v75v+8q", "V75V+8Q Paris", "8FW40000+"),
    *("///filled.count.soap", "what3words: filled.count.soap", "geohash u09tunqu"),
    *("48/1 51/1 3024/100 2/1 17/1 402/10", "48:51:30.24, 2:17:40.2", "48 51 30.1, 2 17 40.2"),
    *("٤٨\u066b٨٤٨٤ ٢\u066b٢٩٤٤", "\uff14\uff18.8584 2.2945", "48.8584\u200b, 2.2945"),
    *("北纬48度 东经2度",),
    *("33.8568 S", "W 2.2945", "S 33 51 24 E 151 12 55", "48.5 N, 2.25 O"),
    *("N: 48.2082", "N=48.208", "N-48.2082", "N_48.2082", "48.2082_N", "48.2082-E", "n 48.2082"),
    *("16.3738e", "North 48.2082", "Ost: 16,374", "Oeste 3.7038", "48.2082 lat", "16.374 lon"),
    *("Breite 48.2082", "Länge: 16,3738", "55.7558 с.ш.", "в.д. 37.6173", "48.12.30 N"),  # noqa: RUF001
]  # fmt: skip


@pytest.mark.parametrize("text", NOTATIONS)
@pytest.mark.parametrize("around", ["{}", "Eiffel Tower ({}), 2024", "12 photos\n{}\nby Zoe"])
def test_coordinates_are_recognised(text, around):
    assert may_tell_location(around.format(text))


WRITTEN = {
    "decimals": "{a:.{n}f}{by}{b:.{n}f}",
    "longitude first": "{b:.{n}f}{by}{a:.{n}f}",
    "signs": "{a:+.{n}f}{by}{b:+.{n}f}",
    "letters behind": "{a_size:.{n}f}{ns}{by}{b_size:.{n}f}{ew}",
    "letters in front": "{ns}{a_size:.{n}f}{by}{ew}{b_size:.{n}f}",
    "minutes": "{ns} {a_deg} {a_min:.3f}{by}{ew} {b_deg} {b_min:.3f}",
    "ExifTool": "{a_deg} deg {a_m}' {a_s:.2f}\" {ns}, {b_deg} deg {b_m}' {b_s:.2f}\" {ew}",
    "seconds": "{a_deg} {a_m} {a_s:.1f} {ns}{by}{b_deg} {b_m} {b_s:.1f} {ew}",
    "ISO 6709": "{a:+0{n_a}.{n}f}{b:+0{n_b}.{n}f}/",
    "XMP": "{a_deg},{a_min:.4f}{ns}",
    "NMEA": "{a_deg:02}{a_min:07.4f},{ns},{b_deg:03}{b_min:07.4f},{ew}",
    "query": "lat={a:.{n}f}&lon={b:.{n}f}",
    "JSON": '{{"lat": {a}, "lng": {b}}}',
    "WKT": "POINT({b:.{n}f} {a:.{n}f})",
    "URI": "geo:{a:.{n}f},{b:.{n}f}",
    "map": "https://www.google.com/maps/@{a:.{n}f},{b:.{n}f},15z",
    "degree signs": "{a:.{n}f}\u00ba{by}{b:.{n}f}\u00ba",
}
"""Notations: a latitude ``a``, a longitude ``b`` and their parts, with ``n`` decimals."""


def parts(name, value):
    """The size of an angle, and its degrees, minutes and seconds."""
    degrees, rest = divmod(abs(value) * 60, 60)
    whole, fraction = divmod(rest, 1)
    return {
        f"{name}_size": abs(value),
        f"{name}_deg": int(degrees),
        f"{name}_min": rest,
        f"{name}_m": int(whole),
        f"{name}_s": fraction * 60,
    }


@given(
    st.floats(-89.9, 89.9),
    st.floats(-179.9, 179.9),
    st.sampled_from([" ", ", ", ",", "; ", " / ", "|", "\t", "\u00a0"]),
    st.integers(3, 12),
    st.sampled_from(sorted(WRITTEN)),
    st.sampled_from(["{}", "Paris {}", "At {}, in May", "({})", "ISO 100\n{}\n"]),
)
def test_any_coordinates_are_recognised(latitude, longitude, between, digits, written, around):
    text = WRITTEN[written].format(
        **{"a": latitude, "b": longitude, "by": between, "n": digits},
        **{"n_a": digits + 4, "n_b": digits + 5},
        **{"ns": "NS"[latitude < 0], "ew": "EW"[longitude < 0]},
        **parts("a", latitude),
        **parts("b", longitude),
    )
    assert may_tell_location(around.format(text)), text


@pytest.mark.parametrize(
    "text",
    [
        *("", "River at dawn", "f/2.8, 1/250 s", "2024:05:06 07:08:09", "20 °C", "1.5, 2.25"),
        *("Adobe Photoshop 25.4 (Windows)", "river " * 100, "35mm F1.4", "a" * 200),
        *("1/250 s f/2.8 ISO 100", "Room 12, 3 people, 24 mm", "6000 x 4000 px, 300 dpi"),
        *("2024-05-06T07:08:09.12+02:00", "06.05.2024, 12:30", "05/06/2024", "20240506_070809"),
        *("EF24-70mm f/2.8L II USM", "E 18-135mm F3.5-5.6 OSS", "NIKKOR Z 24-70mm f/2.8 S"),
        *("1/60 s, E 35mm F1.8", "240/10 700/10 28/10 28/10", "24/1 70/1 28/10 28/10"),
        *("iPhone 13 Pro back triple camera 5.7mm f/1.5", "HDR+ 1.0.540104767zd", "DSC-RX100M7"),
        *("xmp.iid:0d1f2a3b-4c5d-6e7f-8091-a2b3c4d5e6f7", "0d1f2a3b4c5d6e7f8091a2b3c4d5e6f7"),
        *("(c) 2024 Zoe, +41 44 123 45 67", "https://example.com/photos/2024/05/06", "16.5.1"),
        *("12.50 € and 18.75 €", "1,250 people and 3,500 dogs", "A long 30 s exposure", "3.14159"),
        *("Room 12 North, 5 miles east", "-5 degrees, snow", "24.0-70.0 mm f/2.8", "10:30 - 11:45"),
        *("The coordinator: Anna", "5' 10\" tall", "1º premio", "12, 34", "0.034251", "Ver.1.00"),
        *("100 E Main", "f 1.8", "AF-S NIKKOR 16-80mm f/2.8-4E ED VR", "70-300mm f/4.5-5.6E"),
        *("AF Zoom-Nikkor 35-135mm f/3.5-4.5 N", "Samsung NX 16-50mm F2-2.8 S ED OIS", "N 95"),
        *("12 W 5th Street", "9.81 N", "2.5 W LED", "S/N: 10.234", "10.25.2024 E", "n=2.414"),
        *("W 10.5 x H 20", "E 12.50", "0.0125 s", "Le prix est 12,50 €", "Breite 12.5 cm"),
        *("Снято в 2024 в д. Иваново", "в д. 5"),
        *("5 km\n-\t9, 5",),
    ],
)  # fmt: skip
def test_other_texts_are_not(text):
    assert not may_tell_location(text)


SIXTEEN_BITS = "utf-16-le", "utf-16-be", "utf-16"


@pytest.mark.parametrize("encoding", [*SIXTEEN_BITS, "utf-8"])
@pytest.mark.parametrize("code", [b"UNICODE\0", b"unicode ", b""])
@pytest.mark.parametrize(
    "text",
    ["47.3769, 8.5417", "Северная широта 55.7558", "北緯35.6762度、東京", "N 48.2082 グラス"],
)
def test_coordinates_are_recognised_in_bytes(text, code, encoding):
    """As a comment of EXIF or in Windows' tags."""
    content = code + text.encode(encoding)
    assert bytes_may_tell_location(content + bytes(50), wide=not code)


@pytest.mark.parametrize("encoding", [*SIXTEEN_BITS, "utf-8"])
@pytest.mark.parametrize("code", [b"UNICODE\0", b""])
@pytest.mark.parametrize(
    "text",
    [
        "グラスの写真 12枚、東京の夜",
        "しこくのうみ",
        "Москва 2024",
        "Zoë, “Café”, 12 photos",
        "한국 24mm",
    ],
)
def test_other_texts_in_bytes_are_not(text, code, encoding):
    """In the wrong encoding, letters would read like degrees or points of the compass."""
    content = code + text.encode(encoding)
    for padding in (b"", bytes(50), b" " * 50):
        assert not bytes_may_tell_location(content + padding, wide=not code)


def test_other_encodings_are_read():
    assert bytes_may_tell_location(b"ASCII\0\0\0" + "Zoë: 48°".encode("latin-1"))
    assert bytes_may_tell_location(b"JIS\0\0\0\0\0" + "北緯35度".encode("iso2022_jp"))
    assert bytes_may_tell_location(b"Zoe\x0047.3769\x008.5417\0")
    assert bytes_may_tell_location("47.3769, 8.5417".encode("utf-16-le"))


@given(
    st.datetimes(),
    st.sampled_from(["%Y:%m:%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%d.%m.%Y, %H:%M", "%m/%d/%Y"]),
)
def test_no_date_is_taken_for_coordinates(moment, form):
    assert not may_tell_location(moment.strftime(form))


@given(st.integers(1, 8000), st.integers(10, 320), st.integers(50, 102_400), st.integers(8, 800))
def test_no_exposure_is_taken_for_coordinates(speed, aperture, iso, length):
    assert not may_tell_location(f"1/{speed} s f/{aperture / 10} ISO {iso} {length} mm")


def test_a_text_that_is_too_long_to_be_read_is_not_taken_for_clean():
    assert may_tell_location("river " * 2**16) and may_tell_location("5 of 12, " * 2000)


@pytest.mark.parametrize(
    "name", ["Orientation", "SubjectLocation", "Velocity", "Rating", "Regions"]
)
def test_names_of_other_properties_stay(name):
    assert not names_location(Name("http://ns.adobe.com/exif/1.0/", name))

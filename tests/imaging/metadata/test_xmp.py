import time
from xml.etree.ElementTree import fromstring

import pytest

from enhance_cli.imaging.metadata.xmp import is_readable, names_gain_map, update_packet

ATTRIBUTES = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
    xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"
    xmlns:Container="http://ns.google.com/photos/1.0/container/"
    xmlns:xmpNote="http://ns.adobe.com/xmp/note/"
    xmp:Rating="4" tiff:Orientation="6" tiff:ImageWidth="7360" tiff:ImageLength='4912'
    exif:PixelXDimension="7360" exif:PixelYDimension="4912" hdrgm:Version="1.0"
    exif:GPSLatitude="47,22.5N" exif:GPSLongitude="8,32E" xmpNote:HasExtendedXMP="0F0F">
   <Container:Directory><rdf:Seq><rdf:li>two</rdf:li></rdf:Seq></Container:Directory>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""

ELEMENTS = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:RDF>
 <rdf:Description><tiff:Orientation>8</tiff:Orientation>
 <exif:PixelXDimension>7360</exif:PixelXDimension><exif:GPSLatitude>47,22.5N</exif:GPSLatitude>
 <dc:subject><rdf:Bag><rdf:li>Zoe</rdf:li></rdf:Bag></dc:subject>
 <xmp:Thumbnails><rdf:Alt><rdf:li>old</rdf:li></rdf:Alt></xmp:Thumbnails>
 </rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.mark.proves("XMP", "with orientation, dimensions")
def test_attributes_are_updated_and_the_rest_stays():
    after = update_packet(ATTRIBUTES, (334, 500))
    fromstring(after)
    for updated in (
        b'tiff:Orientation="1"',
        b'tiff:ImageWidth="334"',
        b"tiff:ImageLength='500'",
        b'exif:PixelXDimension="334"',
        b'exif:PixelYDimension="500"',
        b'xmp:Rating="4"',
        b'exif:GPSLatitude="47,22.5N"',
    ):
        assert updated in after


def test_elements_are_updated_and_the_rest_stays():
    after = update_packet(ELEMENTS, (334, 500))
    fromstring(after)
    assert b"<tiff:Orientation>1</tiff:Orientation>" in after
    assert b"<exif:PixelXDimension>334</exif:PixelXDimension>" in after
    assert b"<rdf:li>Zoe</rdf:li>" in after and b"Thumbnails" not in after


def test_references_to_what_the_result_lacks_are_removed():
    assert names_gain_map(ATTRIBUTES) and not names_gain_map(ELEMENTS)
    after = update_packet(ATTRIBUTES, (334, 500))
    assert not names_gain_map(after)
    assert b"Container:Directory" not in after and b"HasExtendedXMP" not in after
    assert b'HasExtendedXMP="0F0F"' in update_packet(ATTRIBUTES, (334, 500), extended=True)


@pytest.mark.parametrize("packet", [ATTRIBUTES, ELEMENTS])
def test_the_location_is_removed(packet):
    after = update_packet(packet, (334, 500), gps=False)
    fromstring(after)
    assert b"GPS" not in after and b"47,22.5N" not in after


def packet(content="", attributes=""):
    """A packet with these properties, with a title, and with prefixes of many namespaces."""
    namespaces = {
        "c": "http://example.com/c/",
        "dc": "http://purl.org/dc/elements/1.1/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
        "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "schema": "http://schema.org/",
        "dcterms": "http://purl.org/dc/terms/",
    }
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in namespaces.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" {declared}>'
        f'<rdf:Description rdf:about="" {attributes}>{content}<dc:title>Harbour</dc:title>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


PLACES = ["lat", "Coordinates", "geo", "Position", "Place", "Address", "Street", "PostalCode"]
PLACES += ["Town", "Venue", "anything"]


@pytest.mark.parametrize(
    "planted",
    [
        *(packet(attributes=f'c:{name}="8584777"') for name in PLACES),
        *(packet(f"<c:{name}>8584777</c:{name}>") for name in PLACES),
        packet("<c:coords><rdf:Seq><rdf:li>48.8584777</rdf:li></rdf:Seq></c:coords>"),
        packet("<c:a>48.8584777</c:a><c:b>2.2945777</c:b>"),
        packet("<schema:spatialCoverage>P8584777</schema:spatialCoverage>"),
        packet("<lat xmlns=''>8584777</lat>", "lat='8584777'"),
    ],
)
def test_what_is_not_known_may_tell_the_location(planted):
    lost = set()
    after = update_packet(planted, (334, 500), gps=False, lost=lost)
    fromstring(after)
    assert b"8584777" not in after and b"Harbour" in after
    assert lost == {"XMP of unknown meaning was left out, as it may tell the location"}
    assert b"8584777" in update_packet(planted, (334, 500), lost=lost)


def test_a_place_in_a_known_namespace_is_removed_without_a_word():
    planted = packet(attributes='Iptc4xmpExt:Event="Paris" photoshop:City="Paris"')
    lost = set()
    assert b"Paris" not in update_packet(planted, (334, 500), gps=False, lost=lost)
    assert not lost


@pytest.mark.parametrize(
    "planted",
    [
        packet("<dc:subject><rdf:Bag><rdf:li>48.8584</rdf:li><rdf:li>2.2945</rdf:li></rdf:Bag>"
               "</dc:subject>"),
        packet("<dc:description>48 deg 51' 30\" N</dc:description>"),
        packet().replace(b'rdf:about=""', b'rdf:about="geo:48.8584,2.2945"'),
    ],
)  # fmt: skip
def test_coordinates_in_texts_are_removed(planted):
    lost = set()
    after = update_packet(planted, (334, 500), gps=False, lost=lost)
    assert b"48" not in after and b"2.2945" not in after and b"Harbour" in after
    assert lost == {"texts that may tell the location were left out"}


def test_what_is_known_stays_without_the_location():
    kept = packet(
        "<xmpMM:History><rdf:Seq><rdf:li stEvt:action='saved' stEvt:softwareAgent='Adobe "
        "Photoshop 25.4 (Windows)' stEvt:when='2024-05-06T07:08:09+02:00'/></rdf:Seq>"
        "</xmpMM:History><exif:LensSpecification><rdf:Seq><rdf:li>24/1</rdf:li><rdf:li>70/1"
        "</rdf:li><rdf:li>28/10</rdf:li><rdf:li>28/10</rdf:li></rdf:Seq></exif:LensSpecification>"
        "<crs:ToneCurvePV2012><rdf:Seq><rdf:li>0, 0</rdf:li><rdf:li>255, 255</rdf:li></rdf:Seq>"
        "</crs:ToneCurvePV2012>",
        'crs:CropTop="0.034251" crs:Exposure2012="+0.35" xmp:CreateDate="2024-05-06T07:08:09.12"'
        ' exif:FNumber="28/10" exif:ExposureTime="1/250"',
    )
    lost = set()
    assert update_packet(kept, (334, 500), gps=False, lost=lost) == kept and not lost


def test_a_packet_with_more_text_than_can_be_read_is_left_out():
    assert update_packet(packet("<dc:a>river</dc:a>" * 40_000), (334, 500), gps=False)
    words = packet(f"<dc:a>{'river ' * 2000}</dc:a>" * 50)
    assert update_packet(words, (334, 500), gps=False) is None


def test_only_utf8_is_readable():
    assert is_readable(ATTRIBUTES)
    assert not is_readable(ATTRIBUTES.decode().encode("utf-16-le"))
    assert not is_readable(b"")


@pytest.mark.parametrize(
    "part", [b"<xmp:Thumbnails>", b"<xmp:Thumbnails a='", b' hdrgm:a="', b"<tiff:Orientation>"]
)
def test_a_malicious_packet_takes_no_longer(part):
    started = time.process_time()
    update_packet(part * 40_000, (334, 500), gps=False)
    assert time.process_time() - started < 10

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


@pytest.mark.proves("XMP", "with orientation and dimensions updated")
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

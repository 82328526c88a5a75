"""Gain maps described in XMP, as Adobe and Google publish it."""

import pytest

from enhance_cli.imaging.gain_maps import hdrgm
from enhance_cli.imaging.gain_maps.gain_map import GainMapError, GainMapParameters
from tests.imaging.gain_maps.ultra_hdr import HDRGM, PACKET, XMP, xmp_of_map

ELEMENTS = PACKET.format(
    HDRGM + ' hdrgm:Version="1.0"><hdrgm:GainMapMax><rdf:Seq><rdf:li>1.5</rdf:li><rdf:li>2</rdf:li>'
    "<rdf:li>2.5</rdf:li></rdf:Seq></hdrgm:GainMapMax><hdrgm:HDRCapacityMax>2.5"
    "</hdrgm:HDRCapacityMax>"
).encode()


def test_attributes_are_read():
    numbers = hdrgm.read(xmp_of_map(Gamma="1.25", GainMapMin="-0.5")[4:].removeprefix(XMP))
    assert numbers.gamma == (1.25,) * 3 and numbers.minimum == (-0.5,) * 3


def test_elements_and_lists_are_read_and_the_defaults_are_adobes():
    numbers = hdrgm.read(ELEMENTS)
    assert numbers.maximum == (1.5, 2.0, 2.5) and numbers.alternate_headroom == 2.5
    assert numbers.minimum == (0.0,) * 3 and numbers.gamma == (1.0,) * 3
    assert numbers.base_offset == numbers.alternate_offset == (1 / 64,) * 3


@pytest.mark.parametrize(
    "numbers",
    [
        GainMapParameters((-0.25, 0.0, 0.5), (1.0, 2.0, 3.25), (1.0, 1.1, 1.2)),
        GainMapParameters((0.0,) * 3, (2.0,) * 3, base_offset=(1e-7,) * 3),
    ],
)
def test_what_is_written_is_read_again(numbers):
    assert hdrgm.read(hdrgm.write(numbers)) == numbers


@pytest.mark.parametrize("packet", [b"", b"<a", b"<a/>", PACKET.format(">").encode()])
def test_other_packets_describe_no_map(packet):
    assert hdrgm.read(packet) is None and hdrgm.announced(packet) is None


def test_two_numbers_are_damage():
    with pytest.raises(GainMapError):
        hdrgm.read(ELEMENTS.replace(b"<rdf:li>2.5</rdf:li>", b""))


def test_other_words_of_the_photos_packet_stay_and_the_photo_keeps_its_name():
    packet = PACKET.format('> <a:b xmlns:a="c">d</a:b>').replace('about=""', "about='uuid:1'")
    announced = hdrgm.announce(packet.encode(), 4321)
    assert b'<a:b xmlns:a="c">d</a:b>' in announced
    assert announced.count(b"uuid:1") == 2 and hdrgm.announced(announced)[:2] == (4321, 4321)


@pytest.mark.parametrize(
    "packet", [b"<a", b"<a/>", b'<r:RDF xmlns:r="' + hdrgm._RDF.encode() + b'"/>']
)
def test_a_packet_without_a_place_stays(packet):
    assert hdrgm.announce(packet, 1) is None


def test_a_list_of_elements_is_read():
    """As ExifTool writes it."""
    items = "".join(
        f"<b><I:Semantic>{name}</I:Semantic><I:Length>{length}</I:Length></b>"
        for name, length in [("Primary", 0), ("GainMap", 500)]
    )
    packet = f'<a xmlns:I="http://ns.google.com/photos/1.0/container/item/">{items}</a>'
    assert hdrgm.announced(packet.encode())[:2] == (500, 500)


def test_what_lies_behind_the_map_is_counted():
    item = 'xmlns:I="http://ns.google.com/photos/1.0/container/item/" I:Semantic="{}" I:Length="{}"'
    packet = "<a>" + "".join(
        f"<b {item.format(*one)}/>"
        for one in [("Primary", 0), ("GainMap", 500), ("MotionPhoto", 4000)]
    )
    assert hdrgm.announced((packet + "</a>").encode())[:2] == (4500, 500)

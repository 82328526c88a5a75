"""Apple's gain maps: the headroom, by the formula that Apple publishes."""

import struct

import piexif
import pytest

from enhance_cli.imaging.gain_maps.apple import headroom_of, is_apple
from enhance_cli.imaging.gain_maps.gain_map import GainMapError

PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/" '
    b'xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/">%s'
    b"<apdi:AuxiliaryImageType>urn:com:apple:photo:2020:aux:%s</apdi:AuxiliaryImageType>"
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def exif_with(order: str, **tags: float) -> bytes:
    """EXIF with a MakerNote of Apple's, as ExifTool describes it: rationals, tags 33 and 48."""
    numbers = {"ceiling": 33, "gain": 48}
    note = b"Apple iOS\0\0\1" + (b"MM" if order == ">" else b"II")
    note += struct.pack(order + "H", len(tags))
    data = len(note) + 12 * len(tags) + 4
    values = b""
    for name, value in tags.items():
        place = data + len(values)
        note += struct.pack(order + "HHII", numbers[name], 10, 1, place)
        values += struct.pack(order + "ii", round(value * 10**6), 10**6)
    return piexif.dump({"Exif": {37500: note + bytes(4) + values}})


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("ceiling", "gain", "stops"),
    [
        (0.5, 0.005, 1.7),  # -20 * 0.005 + 1.8
        (0.5, 1.0, 1.5),  # -0.101 + 1.601
        (1.0, 0.01, 2.3),  # -70 * 0.01 + 3
        (1.2, 1.0, 2.0),  # -0.303 + 2.303
    ],
)
def test_the_headroom_of_a_maker_note(order, ceiling, gain, stops):
    block = exif_with(order, ceiling=ceiling, gain=gain)
    assert headroom_of(None, block) == pytest.approx(2**stops)


def test_the_headroom_that_xmp_states_comes_first():
    packet = PACKET % (b"<HDRGainMap:HDRGainMapHeadroom>3.5</HDRGainMap:HDRGainMapHeadroom>", b"x")
    assert headroom_of(packet, exif_with(">", ceiling=1, gain=1)) == 3.5


@pytest.mark.parametrize(
    "block",
    [
        None,
        b"",
        b"Exif\0\0damaged",
        piexif.dump({"Exif": {37500: b"Apple iOS\0\0\1MM\xff\xff"}}),
        piexif.dump({"Exif": {37500: b"another maker's note"}}),
        exif_with(">", ceiling=1),
        exif_with(">", ceiling=1, gain=8),  # less than no headroom
    ],
)
def test_without_headroom_the_map_cannot_be_used(block):
    with pytest.raises(GainMapError):
        headroom_of(None, block)


def test_apples_other_pictures_are_no_gain_maps():
    assert is_apple(PACKET % (b"", b"hdrgainmap"))
    assert not is_apple(PACKET % (b"", b"portraiteffectsmatte")) and not is_apple(b"<")

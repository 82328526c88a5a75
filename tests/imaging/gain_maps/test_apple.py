"""Apple's gain maps, by the formulas that Apple publishes."""

import struct

import numpy as np
import piexif
import pytest
from pictures import srgb_to_linear

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.gain_maps.apple import headroom_of, is_apple
from enhance_cli.imaging.gain_maps.gain_map import GainMapError
from enhance_cli.imaging.metadata.metadata import metadata_for_result
from tests.imaging.gain_maps.apple_heic import apple_heic
from tests.imaging.gain_maps.ultra_hdr import base, gains, hdr_of, stops_between

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


def test_a_block_may_lack_its_prefix():
    """Other programs than Apple's leave it out in a HEIC (ISO/IEC 23008-12, A.2.1)."""
    block = exif_with(">", ceiling=1, gain=0.01)
    assert headroom_of(None, block.removeprefix(b"Exif\0\0")) == headroom_of(None, block)


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


HEADROOM = b"<HDRGainMap:HDRGainMapHeadroom>4</HDRGainMap:HDRGainMapHeadroom>"


def hdr_by_apple(photo, levels, headroom):
    values = levels[..., None] / 255
    light = np.where(values < 0.081, values / 4.5, ((values + 0.099) / 1.099) ** (1 / 0.45))
    return srgb_to_linear(photo / 255) * (1 + (headroom - 1) * light)


@pytest.mark.proves("HDR gain maps", "of iPhones' HEIC")
@pytest.mark.parametrize("stated", ["XMP", "MakerNote"])
def test_a_heic_becomes_a_jpeg_with_the_same_hdr_rendition(tmp_path, stated):
    options = {"xmp": PACKET % (HEADROOM, b"hdrgainmap")}
    if stated == "MakerNote":
        options = {"exif": exif_with(">", ceiling=1.2, gain=1.0)}  # 2 stops
    path = tmp_path / "a.heic"
    path.write_bytes(apple_heic(base(), gains(), **options))
    photo = decode(path)
    metadata, lost = metadata_for_result(photo.metadata, photo.size)
    assert lost == () and write_photo(photo, tmp_path / "a.jpg", metadata=metadata) == ()
    expected = hdr_by_apple(photo.pixels, gains(), 4)
    stops = stops_between(hdr_of(tmp_path / "a.jpg"), expected)
    assert expected.max() > 3.9 and stops.mean() < 0.02 and np.percentile(stops, 99) < 0.08


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_map_of_a_heic_is_turned_like_the_photo(tmp_path, turns):
    pixels, levels = base(), gains(96, 64)
    pixels[:64, :96], levels[:32, :48] = 0, 255
    path = tmp_path / "a.heic"
    path.write_bytes(
        apple_heic(pixels, levels, xmp=PACKET % (HEADROOM, b"hdrgainmap"), turns=turns)
    )
    photo = decode(path, 90)
    assert photo.gain_map.size == photo.size == ((90, 60) if turns == 2 else (60, 90))
    height, width = photo.pixels.shape[:2]
    corners = [(y, x) for y in (5, height - 6) for x in (5, width - 6)]
    dark = [photo.pixels[corner].max() < 30 for corner in corners]
    assert dark.count(True) == 1 and photo.gain_map.pixels[corners[dark.index(True)]] > 240


def test_a_heic_whose_headroom_is_not_stated_loses_its_map_with_a_warning(tmp_path):
    path = tmp_path / "a.heic"
    path.write_bytes(apple_heic(base(), gains()))
    photo = decode(path)
    assert photo.gain_map is None
    assert metadata_for_result(photo.metadata, photo.size)[1] == ("its HDR gain map was left out",)


def test_other_auxiliary_pictures_are_no_maps(tmp_path):
    path = tmp_path / "a.heic"
    path.write_bytes(apple_heic(base(), gains(), kind=b"urn:com:apple:photo:2020:aux:other"))
    photo = decode(path)
    assert photo.gain_map is None and not photo.metadata.gain_map


@pytest.mark.parametrize("cut", [40, 400, 2000])
def test_a_heic_that_is_cut_off_is_no_worse_for_its_map(tmp_path, cut):
    content = apple_heic(base(), gains(), xmp=PACKET % (HEADROOM, b"hdrgainmap"))
    path = tmp_path / "a.heic"
    path.write_bytes(content[:-cut])
    try:
        photo = decode(path)
    except PhotoError:
        return
    assert photo.size == (192, 128)

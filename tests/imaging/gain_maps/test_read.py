"""Gain maps of files that are built by the specifications, sound and damaged."""

import contextlib
import os
import random
import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from enhance_cli.config.dials import Dials
from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.metadata.metadata import metadata_for_result
from enhance_cli.inference.retouch import apply_retouch, unchanged
from tests.imaging.damage import damaged
from tests.imaging.gain_maps.ultra_hdr import (
    STOPS,
    XMP,
    base,
    gains,
    hdr_of,
    iso_of_map,
    joined,
    jpeg,
    segment,
    stops_between,
    ultra_hdr,
    xmp_of_map,
)

APPLE = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    'syntax-ns#"><rdf:Description xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/" '
    'xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/" HDRGainMap:HDRGainMapVersion="131072" '
    'HDRGainMap:HDRGainMapHeadroom="{}" '
    'apdi:AuxiliaryImageType="urn:com:apple:photo:2020:aux:hdrgainmap"/></rdf:RDF></x:xmpmeta>'
)


@pytest.fixture
def photo_of(tmp_path):
    def read(content, *options):
        path = tmp_path / "a.jpg"
        path.write_bytes(content)
        return decode(path, *options)

    return read


def linear(photo):
    values = photo.as_floats().astype(np.float64)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("form", ["xmp", "iso", "both"])
def test_the_hdr_rendition_is_that_of_libultrahdr(photo_of, form):
    content = ultra_hdr(form=form)
    photo = photo_of(content)
    numbers = photo.gain_map.parameters
    assert numbers.maximum == (STOPS,) * 3 and numbers.base_offset == (1 / 64,) * 3
    hdr = (linear(photo) + 1 / 64) * 2 ** photo.gain_map.stops() - 1 / 64
    assert hdr.max() > 7
    assert np.percentile(stops_between(hdr, hdr_of(content)), 99) < 0.02
    assert metadata_for_result(photo.metadata, photo.size)[1] == ()


def test_a_map_without_an_index_is_found_by_the_list_in_xmp(photo_of):
    photo = photo_of(ultra_hdr(form="xmp", listed=False))
    assert photo.gain_map.size == (192, 128)


def test_a_map_of_three_channels_and_one_for_all(photo_of):
    pixels = np.stack([gains(), gains() // 2, gains() // 4], axis=2)
    photo = photo_of(ultra_hdr(pixels=pixels))
    assert photo.gain_map.pixels.shape == (128, 192, 3)
    same = np.repeat(gains()[..., None], 3, axis=2)
    assert photo_of(ultra_hdr(pixels=same)).gain_map.pixels.shape == (128, 192)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_map_is_turned_like_the_photo(photo_of, orientation):
    map_pixels = gains(96, 64)
    map_pixels[:32, :48] = 255  # one corner of each
    pixels = base()
    pixels[:64, :96] = 0
    exif = Image.Exif()
    exif[274] = orientation
    photo = photo_of(ultra_hdr(pixels, map_pixels, exif=exif), 90)
    height, width = photo.pixels.shape[:2]
    assert photo.gain_map.size == photo.size == (90, 60) if orientation < 5 else (60, 90)
    dark = [photo.pixels[y, x].max() < 30 for y in (5, height - 6) for x in (5, width - 6)]
    lifted = [photo.gain_map.pixels[y, x] > 250 for y in (5, height - 6) for x in (5, width - 6)]
    assert dark.count(True) == 1 and lifted[dark.index(True)]


def test_the_map_is_no_larger_than_the_photo_and_is_not_enlarged(photo_of):
    content = ultra_hdr(pixels=gains(96, 64))
    assert photo_of(content).gain_map.size == (96, 64)
    assert photo_of(content, 60).gain_map.size == (60, 40)
    assert photo_of(content).fit_within(30).gain_map.size == (30, 20)


def test_the_pixels_of_the_map_are_reserved(photo_of):
    reserved = []
    photo_of(ultra_hdr(pixels=gains(96, 64)), None, 10**6, reserved.append)
    assert reserved == [192 * 128 + 96 * 64]


@pytest.mark.parametrize("headroom", [1.5, 8])
def test_apples_map_gives_the_light_of_apples_formula(photo_of, headroom):
    """Apple, "Applying Apple HDR effect to your photos"."""
    stored = np.tile(np.arange(0, 256, 4, np.uint8), (128, 1)).repeat(3, axis=1)
    second = jpeg(stored, segment(0xE1, XMP + APPLE.format(headroom).encode()), quality=100)
    photo = photo_of(joined(base(), second, form="none"))
    v = np.arange(0, 256, 4) / 255
    light = np.where(v < 0.081, v / 4.5, ((v + 0.099) / 1.099) ** (1 / 0.45))
    expected = np.log2(1 + (headroom - 1) * light)
    found = photo.gain_map.stops()[64, 1::3, 0]
    np.testing.assert_allclose(found, expected, atol=0.02 * np.log2(headroom))
    assert not photo.metadata.gain_map


@pytest.mark.parametrize("form", ["xmp", "iso"])
@pytest.mark.parametrize("position", [777, 0x7FFFFFFF])
def test_a_map_is_found_although_an_editor_has_shifted_it(photo_of, form, position):
    content = joined(base(), SOUND, form=form, place=(position, None))
    assert photo_of(content).gain_map is not None


def _changed_size(picture: bytes, width: int, height: int) -> bytes:
    at = picture.index(b"\xff\xc0") + 5
    return picture[:at] + struct.pack(">HH", height, width) + picture[at + 4 :]


SOUND = jpeg(gains(), xmp_of_map(), iso_of_map())

DAMAGED = {
    "cut off": joined(base(), SOUND)[: -len(SOUND) // 2],
    "its pixels cut off": joined(base(), SOUND[:-800]),
    "cut off in its description": joined(base(), SOUND)[: -len(SOUND) + 40],
    "not there": joined(base(), SOUND)[: -len(SOUND)],
    "position and length wrong": joined(base(), SOUND, form="iso", place=(777, 900)),
    "position beyond the file": joined(base(), SOUND, form="iso", place=(0x7FFFFFFF, 0x7FFFFFFF)),
    "the photo itself": joined(base(), SOUND, form="iso", place=(0xFFFFFFF6, 100)),
    "length too small": joined(base(), SOUND, form="iso", place=(None, 900)),
    "of no size": joined(base(), _changed_size(SOUND, 0, 0)),
    "of absurd size": joined(base(), _changed_size(SOUND, 65500, 65500)),
    "larger than its photo": ultra_hdr(base(48, 32)),
    "of another shape": ultra_hdr(pixels=gains(128, 128)),
    "numbers missing": joined(base(), jpeg(gains(), xmp_of_map(GainMapMax=""))),
    "no numbers": joined(base(), jpeg(gains(), xmp_of_map(GainMapMax="much"))),
    "not finite": joined(base(), jpeg(gains(), xmp_of_map(GainMapMax="nan"))),
    "numbers out of range": joined(base(), jpeg(gains(), xmp_of_map(GainMapMax="1e30"))),
    "gamma of zero": joined(base(), jpeg(gains(), xmp_of_map(Gamma="0"))),
    "minimum above maximum": joined(base(), jpeg(gains(), xmp_of_map(GainMapMin="4"))),
    "the HDR one": joined(base(), jpeg(gains(), xmp_of_map(BaseRenditionIsHDR="True"))),
    "a later version": joined(base(), jpeg(gains(), iso_of_map(version=1))),
    "a short description": joined(base(), jpeg(gains(), iso_of_map()[:50] + bytes(2))),
    "not a JPEG": joined(base(), b"\xff\xd8" + iso_of_map() + bytes(500)),
}  # fmt: skip


@pytest.mark.proves("HDR gain maps", "are left out with a warning")
@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("long_edge", [None, 60])
def test_a_map_that_cannot_be_used_is_left_out_with_a_warning(photo_of, damage, long_edge):
    tracemalloc.start()
    photo = photo_of(DAMAGED[damage], long_edge)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert photo.gain_map is None
    assert max(photo.size) == min(long_edge or 192, 48 if "larger" in damage else 192)
    assert metadata_for_result(photo.metadata, photo.size)[1] == ("its HDR gain map was left out",)
    assert peak < 2**24


@pytest.mark.parametrize("entries", [2**32 - 1, 2000])
def test_an_index_that_goes_round_in_circles_ends(photo_of, entries):
    content = bytearray(joined(base(), SOUND, form="none"))
    at = content.index(b"MPF\0II*\0") + 4
    struct.pack_into("<H", content, at + 8, 0xFFFF)  # tags without end
    struct.pack_into("<II", content, at + 10 + 24 + 4, entries, 8)  # entries in the tags themselves
    assert photo_of(bytes(content)).size == (192, 128)


@pytest.mark.parametrize("cut", range(2, 80, 7))
def test_an_index_that_is_cut_off_is_no_error(photo_of, cut):
    whole = joined(base(), SOUND, form="none")
    at = whole.index(b"MPF\0II*\0")
    length = struct.unpack(">H", whole[at - 2 : at])[0]
    short = struct.pack(">H", 2 + 4 + cut)
    content = whole[: at - 2] + short + whole[at : at + 4 + cut] + whole[at + length - 2 :]
    assert photo_of(content).size == (192, 128)


def test_damage_behind_the_photo_never_costs_the_photo(photo_of, tmp_path):
    """Whatever is wrong in the map or its description, the photo comes out, and can be written."""
    content = ultra_hdr(base(64, 48), gains(32, 24))
    start = content.index(b"\xff\xd8", 100)
    expected = photo_of(content).pixels
    draw = random.Random(0)
    for _ in range(int(os.environ.get("ENHANCE_DAMAGED_EACH", "60"))):
        photo = photo_of(content[:start] + damaged(content[start:], draw))
        assert np.array_equal(photo.pixels, expected)
        assert (photo.gain_map is None) == photo.metadata.gain_map
        result = apply_retouch(photo, unchanged(photo), dials=Dials(exposure=1))
        write_photo(result, tmp_path / "result.jpg")
        assert (decode(tmp_path / "result.jpg").gain_map is None) == (photo.gain_map is None)


def test_damage_anywhere_is_no_error_but_of_the_photo(photo_of):
    content = ultra_hdr(base(64, 48), gains(32, 24))
    draw = random.Random(1)
    for _ in range(int(os.environ.get("ENHANCE_DAMAGED_EACH", "60"))):
        with contextlib.suppress(PhotoError):
            photo_of(damaged(content, draw))


def test_a_camera_preview_is_no_map(photo_of):
    photo = photo_of(joined(base(), jpeg(base(96, 64)), form="none"))
    assert photo.gain_map is None and not photo.metadata.gain_map


@pytest.mark.parametrize("between", [b"\xff", b"\0\1\2"], ids=["filling", "junk"])
@pytest.mark.parametrize("description", [iso_of_map(), xmp_of_map()], ids=["iso", "xmp"])
def test_what_stands_between_segments_hides_no_map(photo_of, between, description):
    """ITU-T T.81, B.1.1.2; libjpeg passes over other bytes as well."""
    photo = photo_of(joined(base(), jpeg(gains(), segment(0xFE, b"note"), between + description)))
    assert photo.gain_map is not None and photo.warnings == ()

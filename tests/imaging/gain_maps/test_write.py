"""Photos written with a gain map, against ExifTool and libultrahdr."""

import json
import shutil
import subprocess
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.color_space import ColorSpace
from enhance_cli.imaging.gain_maps.gain_map import GainMap, GainMapParameters
from enhance_cli.imaging.metadata.metadata import Metadata, metadata_for_result
from enhance_cli.imaging.photo import Photo
from tests.imaging.gain_maps.ultra_hdr import (
    PACKET,
    base,
    gains,
    hdr_of,
    stops_between,
    ultra_hdr,
)

needs_exiftool = pytest.mark.skipif(not shutil.which("exiftool"), reason="without ExifTool")

NUMBERS = GainMapParameters((-0.5,) * 3, (2.5,) * 3, alternate_headroom=2.5)


@pytest.fixture
def rewritten(tmp_path):
    """Read a file and write it again, without a look."""

    def write(content, suffix="jpg", keep="all", **options):
        path = tmp_path / "a.jpg"
        path.write_bytes(content)
        photo = decode(path)
        result = tmp_path / f"result.{suffix}"
        metadata, lost = metadata_for_result(photo.metadata, photo.size, keep=keep)
        return result, lost + write_photo(photo, result, Encoding(**options), metadata)

    return write


def exiftool(path, *options):
    found = subprocess.run(
        ["exiftool", "-json", "-n", "-G1", "-a", *options, path], capture_output=True, check=True
    )
    return json.loads(found.stdout)[0]


@pytest.mark.parametrize("form", ["xmp", "iso", "both"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_hdr_rendition_stays_to_a_level_of_the_map(rewritten, form, channels):
    pixels = gains() if channels == 1 else np.stack([gains(), gains() // 2, gains() // 3], 2)
    content = ultra_hdr(pixels=pixels, form=form)
    result, lost = rewritten(content)
    assert lost == ()
    stops = stops_between(hdr_of(result), hdr_of(content))
    assert stops.mean() < 0.01 and np.percentile(stops, 99) < 0.06  # of two JPEGs


@pytest.mark.proves("HDR gain maps", "get the same look and are kept in JPEGs")
@needs_exiftool
@pytest.mark.parametrize("form", ["xmp", "iso", "both"])
def test_exiftool_finds_the_map_and_both_descriptions(rewritten, tmp_path, form):
    result, _ = rewritten(ultra_hdr(form=form))
    tags = exiftool(result, "-all")
    assert tags["MPF0:NumberOfImages"] == 2
    assert tags["MPImage2:MPImageStart"] + tags["MPImage2:MPImageLength"] == result.stat().st_size
    assert tags["XMP-hdrgm:Version"] == 1 and tags["MPImage2:MPImageLength"] == next(
        value for name, value in tags.items() if "ItemLength" in name
    )
    extracted = subprocess.run(
        ["exiftool", "-b", "-MPImage2", result], capture_output=True, check=True
    ).stdout
    assert b"urn:iso:std:iso:ts:21496:-1\0" in extracted
    (tmp_path / "map.jpg").write_bytes(extracted)
    of_map = exiftool(tmp_path / "map.jpg", "-all")
    assert of_map["XMP-hdrgm:GainMapMax"] == of_map["XMP-hdrgm:HDRCapacityMax"] == 3
    assert of_map["XMP-hdrgm:OffsetSDR"] == of_map["XMP-hdrgm:OffsetHDR"] == 1 / 64
    assert of_map["File:ColorComponents"] == 1
    # This ExifTool is older than ISO 21496-1.
    assert faults(result) <= faults(tmp_path / "a.jpg") | {"[minor] Unknown APP2 segment"}


def faults(path):
    options = ["-s3", "-validate", "-warning", "-error", "-a"]
    found = subprocess.run(["exiftool", *options, path], capture_output=True, check=True, text=True)
    return {line for line in found.stdout.splitlines() if "Warning" not in line and line != "OK"}


@needs_exiftool
def test_the_photos_other_words_stay(rewritten):
    tags = exiftool(rewritten(ultra_hdr(form="xmp"))[0], "-xmp:all")
    assert tags["XMP-xmp:Rating"] == 4
    assert tags["XMP-hdrgm:Version"] == 1


@needs_exiftool
@pytest.mark.parametrize("keep", ["no-gps", "none"])
def test_the_map_is_a_picture_and_stays_without_metadata(rewritten, tmp_path, keep):
    """Its own picture holds its numbers alone, even if the original's told the location."""
    (tmp_path / "second.jpg").write_bytes(ultra_hdr())
    place = ["-GPSLatitude=48.1", "-GPSLatitudeRef=N", "-XMP-photoshop:City=Ulm"]
    subprocess.run(
        ["exiftool", "-q", "-overwrite_original", *place, tmp_path / "second.jpg"], check=True
    )
    content = (tmp_path / "second.jpg").read_bytes()
    result, lost = rewritten(content, keep=keep)
    assert lost == () and decode(result).gain_map is not None
    tags = exiftool(result, "-all", "-ee")
    assert not [name for name in tags if "GPS" in name or "City" in name]
    assert ("XMP-xmp:Rating" in tags) == (keep == "no-gps")
    assert b"Ulm" not in result.read_bytes()


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "avif", "heic", "jxl"])
def test_other_formats_lose_it_with_a_warning(rewritten, suffix):
    result, lost = rewritten(ultra_hdr(), suffix)
    assert lost == ("its HDR gain map was left out",)
    assert decode(result).gain_map is None


@pytest.mark.parametrize("options", [{"quality": 60}, {"subsampling": "4:2:0"}])
def test_the_quality_of_the_photo_is_not_that_of_the_map(rewritten, options):
    content = ultra_hdr()
    result, _ = rewritten(content, **options)
    photo = decode(result)
    assert np.abs(photo.gain_map.pixels.astype(int) - gains()).mean() < 1


@pytest.mark.proves("Grey photos", "unless it has a gain map")
def test_a_grey_photo_has_three_channels_so_that_its_map_can_be_used(rewritten):
    content = ultra_hdr(np.repeat(base()[..., :1], 3, axis=2))
    result, _ = rewritten(content)
    assert np.percentile(stops_between(hdr_of(result), hdr_of(content)), 99) < 0.05
    with Image.open(result) as image:
        colors = np.asarray(image)
    assert image.mode == "RGB" and (colors == colors[..., :1]).all()


def test_the_maps_own_color_space_is_kept(tmp_path, prophoto_profile):
    space = ColorSpace(prophoto_profile)
    numbers = GainMapParameters((0.0,) * 3, (1.0, 2.0, 3.0), own_space=True)
    pixels = np.stack([gains()] * 3, axis=2)
    write_photo(Photo(base(), gain_map=GainMap(pixels, numbers, space)), tmp_path / "a.jpg")
    again = decode(tmp_path / "a.jpg").gain_map
    assert again.color_space == space and again.parameters.own_space


def test_where_the_list_does_not_fit_the_standard_is_enough(tmp_path):
    packet = PACKET.format("><a:b xmlns:a='c'>" + "x" * 65_100 + "</a:b>").encode()
    photo = Photo(base(), gain_map=GainMap(gains(), NUMBERS))
    lost = write_photo(photo, tmp_path / "a.jpg", metadata=Metadata(xmp=packet))
    again = decode(tmp_path / "a.jpg")
    assert lost == () and again.metadata.xmp == packet and again.gain_map.parameters == NUMBERS
    assert hdr_of(tmp_path / "a.jpg").max() > 4


def test_old_readers_see_the_photo_alone(rewritten):
    content = ultra_hdr()
    result, _ = rewritten(content)
    with Image.open(result) as image, Image.open(BytesIO(content)) as original:
        difference = np.abs(np.asarray(image, int) - np.asarray(original, int))
    assert difference.mean() < 1

"""What ExifTool says of results."""

import json
import shutil
import struct
import subprocess
import zlib

import imagecodecs
import numpy as np
import piexif
import pillow_heif
import pytest
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.metadata.metadata import for_result

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")

WRITTEN_BY_EXIFTOOL = [
    "-EXIF:Make=Canon",
    "-EXIF:Model=Canon EOS R5",
    "-EXIF:LensModel=RF24-70mm F2.8 L IS USM",
    "-EXIF:ExposureTime=1/250",
    "-EXIF:DateTimeOriginal=2024:05:06 07:08:09",
    "-EXIF:GPSLatitude=47.375",
    "-EXIF:GPSLatitudeRef=N",
    "-EXIF:GPSLongitude=8.54",
    "-EXIF:GPSLongitudeRef=E",
    "-EXIF:Orientation#=6",
    "-EXIF:UserComment=Zürich",
    "-XMP-dc:Title=Münster",
    "-XMP-dc:Subject=church",
    "-XMP-dc:Subject=river",
    "-XMP-xmp:Rating=4",
    "-XMP-tiff:Orientation#=6",
    "-XMP-exif:GPSLatitude=47.375",
    "-XMP-exif:GPSLongitude=8.54",
]
IPTC = ["-IPTC:Headline=Grossmünster", "-IPTC:Keywords=church", "-IPTC:City=Zürich"]

KEPT = (
    "IFD0:Make",
    "IFD0:Model",
    "ExifIFD:LensModel",
    "ExifIFD:ExposureTime",
    "ExifIFD:DateTimeOriginal",
    "ExifIFD:UserComment",
    "XMP-dc:Title",
    "XMP-dc:Subject",
    "XMP-xmp:Rating",
)
PLACE = ("GPS:GPSLatitude", "GPS:GPSLongitude", "XMP-exif:GPSLatitude", "XMP-exif:GPSLongitude")


def told(path):
    """All that ExifTool finds."""
    arguments = ["exiftool", "-json", "-n", "-G1", path]
    found = subprocess.run(arguments, capture_output=True, check=True)
    return json.loads(found.stdout)[0]


def faults(path):
    """What ExifTool's validation has to say."""
    arguments = ["exiftool", "-s3", "-validate", "-warning", "-error", "-a", path]
    return subprocess.run(arguments, capture_output=True, check=True, text=True).stdout


@pytest.fixture
def write(tmp_path, coffee):
    """A photo of any format with metadata written by ExifTool."""

    def make(suffix, *more):
        path = tmp_path / f"photo.{suffix}"
        image = Image.fromarray(np.ascontiguousarray(coffee[:64, :96]))
        if suffix == "heic":
            pillow_heif.from_pillow(image).save(path)
        else:
            image.save(path)
        tags = [*WRITTEN_BY_EXIFTOOL, *(IPTC if suffix in {"jpg", "tif"} else []), *more]
        command = ["exiftool", "-q", "-codedcharacterset=utf8", "-overwrite_original", *tags, path]
        subprocess.run(command, check=True)
        return path

    return make


def retouched(path, suffix, **options):
    """The way of a photo through decoding and encoding, without the networks."""
    photo = decode(path, None)
    metadata, lost = for_result(path, photo.metadata, photo.size, **options)
    result = path.with_name(f"result.{suffix}")
    unplaced = write_photo(photo, result, metadata=metadata)
    return result, (*photo.warnings, *lost, *unplaced)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_what_was_there_is_there_after(write, suffix):
    path = write(suffix)
    result, notes = retouched(path, suffix)
    before, after = told(path), told(result)
    assert notes == ()
    assert {tag: after.get(tag) for tag in KEPT} == {tag: before[tag] for tag in KEPT}
    assert {tag: after.get(tag) for tag in PLACE} == {tag: before[tag] for tag in PLACE}
    assert after.get("IFD0:Orientation", 1) == after.get("XMP-tiff:Orientation", 1) == 1
    assert "Error" not in faults(result)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_iptc_stays(write, suffix):
    path = write(suffix)
    after = told(retouched(path, suffix)[0])
    assert after["IPTC:Headline"] == "Grossmünster" and after["IPTC:City"] == "Zürich"


@pytest.mark.parametrize("target", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("source", ["jpg", "heic", "tif"])
def test_it_goes_along_into_other_formats(write, source, target):
    path = write(source)
    result, notes = retouched(path, target)
    before, after = told(path), told(result)
    assert {tag: after.get(tag) for tag in KEPT} == {tag: before[tag] for tag in KEPT}
    assert after["GPS:GPSLatitude"] == before["GPS:GPSLatitude"]
    assert after.get("IFD0:Orientation", 1) == 1
    without_place = source != "heic" and target not in {"jpg", "tif"}
    assert any("IPTC" in note for note in notes) == without_place


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_the_place_can_be_left_out(write, suffix):
    result, _ = retouched(write(suffix), suffix, keep="no-gps")
    after = told(result)
    assert not [tag for tag in after if "GPS" in tag and not tag.startswith("IPTC")]
    assert after["ExifIFD:LensModel"] and after["XMP-dc:Title"] == "Münster"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_all_can_be_left_out_but_the_colours(write, suffix):
    result, _ = retouched(write(suffix), suffix, keep="none")
    groups = {tag.split(":")[0] for tag in told(result)}
    assert not groups & {"GPS", "IPTC", "ExifIFD"} and not {g for g in groups if "XMP" in g}
    assert any(group.startswith("ICC") for group in groups)


def test_maker_notes_can_still_be_read(tmp_path, coffee):
    """A MakerNote as Canon writes it: a directory whose offsets count from the block's start."""
    path = tmp_path / "photo.jpg"
    note = _canon_note()
    block = piexif.dump({"0th": {271: b"Canon", 274: 6}, "Exif": {37500: bytes(len(note))}})
    at = block.index(bytes(len(note)))
    block = block[:at] + _canon_note(at - 6) + block[at + len(note) :]
    Image.fromarray(np.ascontiguousarray(coffee[:64, :96])).save(path, exif=block)
    before = told(path)
    assert before["Canon:CanonFirmwareVersion"] == "Firmware Version 1.8.1"
    result, _ = retouched(path, "jpg")
    after = told(result)
    assert after["Canon:CanonFirmwareVersion"] == before["Canon:CanonFirmwareVersion"]
    assert "offset" not in faults(result).lower()


def _canon_note(start: int = 0) -> bytes:
    text = b"Firmware Version 1.8.1\0\0"
    directory = 2 + 12 + 4
    entry = struct.pack(">HHII", 0x0007, 2, len(text), start + directory)
    return struct.pack(">H", 1) + entry + bytes(4) + text


def test_a_gain_map_that_goes_is_said_so(tmp_path, coffee):
    """As Adobe and Google mark it (Ultra HDR image format v1.1)."""
    path = tmp_path / "photo.jpg"
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        b'syntax-ns#"><rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" '
        b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" hdrgm:Version="1.0" xmp:Rating="4"/></rdf:RDF>'
        b"</x:xmpmeta>"
    )
    Image.fromarray(np.ascontiguousarray(coffee[:64, :96])).save(path, xmp=packet)
    result, notes = retouched(path, "jpg")
    assert any("gain map" in note for note in notes)
    after = told(result)
    assert after["XMP-xmp:Rating"] == 4 and not [tag for tag in after if "HDRGM" in tag.upper()]


def test_a_jpegs_comment_and_resolution_stay(tmp_path, coffee):
    path = tmp_path / "photo.jpg"
    image = Image.fromarray(np.ascontiguousarray(coffee[:64, :96]))
    image.save(path, comment="by the river", dpi=(300, 300))
    after = told(retouched(path, "jpg")[0])
    assert after["File:Comment"] == "by the river" and after["JFIF:XResolution"] == 300


def test_a_pngs_texts_stay(tmp_path, coffee):
    path = tmp_path / "photo.png"
    image = Image.fromarray(np.ascontiguousarray(coffee[:64, :96]))
    image.save(path)
    subprocess.run(
        ["exiftool", "-q", "-overwrite_original", "-PNG:Author=Zoë", "-PNG:Title=River", path],
        check=True,
    )
    after = told(retouched(path, "png")[0])
    assert after["PNG:Author"] == "Zoë" and after["PNG:Title"] == "River"


@pytest.mark.parametrize("deep", [False, True])
def test_what_stands_behind_a_pngs_pixels_is_found(tmp_path, coffee, deep):
    path = tmp_path / "photo.png"
    pixels = np.ascontiguousarray(coffee[:64, :96])
    path.write_bytes(imagecodecs.png_encode(pixels.astype(np.uint16) * 257 if deep else pixels))
    block = piexif.dump({"0th": {271: b"Maker"}})[6:]
    chunk = struct.pack(">I", len(block)) + b"eXIf" + block
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    content = path.read_bytes()
    path.write_bytes(content[:-12] + chunk + content[-12:])
    assert told(path)["IFD0:Make"] == told(retouched(path, "png")[0])["IFD0:Make"] == "Maker"


def test_a_long_packet_comes_along_in_a_jpeg(write):
    path = write("jpg", "-XMP-dc:Description=" + "river " * 20_000)
    before = told(path)
    after = told(retouched(path, "jpg")[0])
    assert len(before["XMP-dc:Description"]) > 100_000
    assert after["XMP-dc:Description"] == before["XMP-dc:Description"]


def test_a_block_too_long_for_a_jpeg_is_a_warning(write):
    path = write("png", "-XMP-dc:Description=" + "river " * 20_000)
    result, notes = retouched(path, "jpg")
    assert any("XMP" in note and "too long" in note for note in notes)
    assert told(result)["ExifIFD:LensModel"]

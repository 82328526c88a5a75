"""Metadata of results, as ExifTool reads it."""

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
from enhance_cli.imaging.metadata.metadata import metadata_for_result

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
LOCATION = ("GPS:GPSLatitude", "GPS:GPSLongitude", "XMP-exif:GPSLatitude", "XMP-exif:GPSLongitude")


def exiftool_tags(path):
    """All tags that ExifTool finds, by group and name."""
    arguments = ["exiftool", "-json", "-n", "-G1", path]
    found = subprocess.run(arguments, capture_output=True, check=True)
    return json.loads(found.stdout)[0]


def exiftool_faults(path):
    """The errors and warnings of ExifTool's validation."""
    arguments = ["exiftool", "-s3", "-validate", "-warning", "-error", "-a", path]
    return subprocess.run(arguments, capture_output=True, check=True, text=True).stdout


@pytest.fixture
def write(tmp_path, coffee):
    """Write a photo with metadata from ExifTool."""

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


def rewritten(path, suffix, **options):
    """Decode a photo and write it, as for a result; the networks are left out."""
    photo = decode(path, None)
    metadata, lost = metadata_for_result(photo.metadata, photo.size, **options)
    result = path.with_name(f"result.{suffix}")
    not_held = write_photo(photo, result, metadata=metadata)
    return result, (*photo.warnings, *lost, *not_held)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.proves("Orientation", "its tags are set to 1")
def test_metadata_is_kept_in_the_same_format(write, suffix):
    path = write(suffix)
    result, warnings = rewritten(path, suffix)
    before, after = exiftool_tags(path), exiftool_tags(result)
    assert warnings == ()
    assert {tag: after.get(tag) for tag in KEPT} == {tag: before[tag] for tag in KEPT}
    assert {tag: after.get(tag) for tag in LOCATION} == {tag: before[tag] for tag in LOCATION}
    assert after.get("IFD0:Orientation", 1) == after.get("XMP-tiff:Orientation", 1) == 1
    assert "Error" not in exiftool_faults(result)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
@pytest.mark.proves("IPTC", "is kept in JPEG and TIFF")
def test_iptc_is_kept(write, suffix):
    path = write(suffix)
    after = exiftool_tags(rewritten(path, suffix)[0])
    assert after["IPTC:Headline"] == "Grossmünster" and after["IPTC:City"] == "Zürich"


@pytest.mark.parametrize("target", ["jpg", "png", "webp", "tif", "avif", "heic", "jxl"])
@pytest.mark.parametrize("source", ["jpg", "heic", "tif"])
@pytest.mark.proves("XMP", "is kept in every format")
@pytest.mark.proves("IPTC", "other formats cannot hold it, and a warning says so")
def test_metadata_is_kept_in_other_formats(write, source, target):
    path = write(source)
    result, warnings = rewritten(path, target)
    before, after = exiftool_tags(path), exiftool_tags(result)
    assert {tag: after.get(tag) for tag in KEPT} == {tag: before[tag] for tag in KEPT}
    assert after["GPS:GPSLatitude"] == before["GPS:GPSLatitude"]
    assert after.get("IFD0:Orientation", 1) == 1
    iptc_is_lost = source != "heic" and target not in {"jpg", "tif"}
    assert any("IPTC" in warning for warning in warnings) == iptc_is_lost


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.proves("`--strip-gps`", "removes the location from EXIF, XMP")
def test_the_location_can_be_left_out(write, suffix):
    result, _ = rewritten(write(suffix), suffix, keep="no-gps")
    after = exiftool_tags(result)
    assert not [tag for tag in after if "GPS" in tag and not tag.startswith("IPTC")]
    assert after["ExifIFD:LensModel"] and after["XMP-dc:Title"] == "Münster"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.proves("`--strip-metadata`", "removes all metadata but the colour profile")
def test_everything_but_the_color_profile_can_be_left_out(write, suffix):
    result, _ = rewritten(write(suffix), suffix, keep="none")
    groups = {tag.split(":")[0] for tag in exiftool_tags(result)}
    assert not groups & {"GPS", "IPTC", "ExifIFD"} and not {g for g in groups if "XMP" in g}
    assert any(group.startswith("ICC") for group in groups)


@pytest.mark.proves("EXIF of all but RAW and TIFF", "is kept byte by byte, with MakerNotes")
def test_maker_notes_can_still_be_read(tmp_path, coffee):
    """A MakerNote as Canon writes it: a directory with offsets from the start of the block."""
    path = tmp_path / "photo.jpg"
    note = _canon_note()
    block = piexif.dump({"0th": {271: b"Canon", 274: 6}, "Exif": {37500: bytes(len(note))}})
    at = block.index(bytes(len(note)))
    block = block[:at] + _canon_note(at - 6) + block[at + len(note) :]
    Image.fromarray(np.ascontiguousarray(coffee[:64, :96])).save(path, exif=block)
    before = exiftool_tags(path)
    assert before["Canon:CanonFirmwareVersion"] == "Firmware Version 1.8.1"
    result, _ = rewritten(path, "jpg")
    after = exiftool_tags(result)
    assert after["Canon:CanonFirmwareVersion"] == before["Canon:CanonFirmwareVersion"]
    assert "offset" not in exiftool_faults(result).lower()


def _canon_note(start: int = 0) -> bytes:
    text = b"Firmware Version 1.8.1\0\0"
    directory = 2 + 12 + 4
    entry = struct.pack(">HHII", 0x0007, 2, len(text), start + directory)
    return struct.pack(">H", 1) + entry + bytes(4) + text


@pytest.mark.proves(
    "HDR gain maps", "are left out with a warning, and so is what the metadata says of them"
)
def test_a_gain_map_is_left_out_with_a_warning(tmp_path, coffee):
    """Marked as Adobe and Google do (Ultra HDR image format v1.1)."""
    path = tmp_path / "photo.jpg"
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        b'syntax-ns#"><rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" '
        b'xmlns:xmp="http://ns.adobe.com/xap/1.0/" hdrgm:Version="1.0" xmp:Rating="4"/></rdf:RDF>'
        b"</x:xmpmeta>"
    )
    Image.fromarray(np.ascontiguousarray(coffee[:64, :96])).save(path, xmp=packet)
    result, warnings = rewritten(path, "jpg")
    assert any("gain map" in warning for warning in warnings)
    after = exiftool_tags(result)
    assert after["XMP-xmp:Rating"] == 4 and not [tag for tag in after if "HDRGM" in tag.upper()]


@pytest.mark.proves("Comments, resolution, PNG texts", "are kept within JPEG")
def test_a_jpegs_comment_and_resolution_are_kept(tmp_path, coffee):
    path = tmp_path / "photo.jpg"
    image = Image.fromarray(np.ascontiguousarray(coffee[:64, :96]))
    image.save(path, comment="by the river", dpi=(300, 300))
    after = exiftool_tags(rewritten(path, "jpg")[0])
    assert after["File:Comment"] == "by the river" and after["JFIF:XResolution"] == 300


@pytest.mark.proves("Comments, resolution, PNG texts", "and PNG")
def test_a_pngs_texts_are_kept(tmp_path, coffee):
    path = tmp_path / "photo.png"
    image = Image.fromarray(np.ascontiguousarray(coffee[:64, :96]))
    image.save(path)
    subprocess.run(
        ["exiftool", "-q", "-overwrite_original", "-PNG:Author=Zoë", "-PNG:Title=River", path],
        check=True,
    )
    after = exiftool_tags(rewritten(path, "png")[0])
    assert after["PNG:Author"] == "Zoë" and after["PNG:Title"] == "River"


@pytest.mark.parametrize("sixteen_bits", [False, True])
def test_metadata_after_a_pngs_pixels_is_found(tmp_path, coffee, sixteen_bits):
    path = tmp_path / "photo.png"
    pixels = np.ascontiguousarray(coffee[:64, :96])
    path.write_bytes(
        imagecodecs.png_encode(pixels.astype(np.uint16) * 257 if sixteen_bits else pixels)
    )
    block = piexif.dump({"0th": {271: b"Maker"}})[6:]
    chunk = struct.pack(">I", len(block)) + b"eXIf" + block
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    content = path.read_bytes()
    path.write_bytes(content[:-12] + chunk + content[-12:])
    assert (
        exiftool_tags(path)["IFD0:Make"]
        == exiftool_tags(rewritten(path, "png")[0])["IFD0:Make"]
        == "Maker"
    )


@pytest.mark.proves("XMP", "or have come from a JPEG")
def test_a_long_xmp_packet_is_kept_in_a_jpeg(write):
    path = write("jpg", "-XMP-dc:Description=" + "river " * 20_000)
    before = exiftool_tags(path)
    after = exiftool_tags(rewritten(path, "jpg")[0])
    assert len(before["XMP-dc:Description"]) > 100_000
    assert after["XMP-dc:Description"] == before["XMP-dc:Description"]


@pytest.mark.proves("XMP", "In a JPEG it must fit 65,504 bytes")
def test_a_block_too_long_for_a_jpeg_is_a_warning(write):
    path = write("png", "-XMP-dc:Description=" + "river " * 20_000)
    result, warnings = rewritten(path, "jpg")
    assert any("XMP" in warning and "too long" in warning for warning in warnings)
    assert exiftool_tags(result)["ExifIFD:LensModel"]


@pytest.mark.proves("`--strip-gps`", "XMP and IPTC, names of places included")
@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_iptc_loses_its_places_with_the_location_and_nothing_else(write, suffix):
    places = ["City", "Sub-location", "Province-State", "Country-PrimaryLocationName"]
    places += ["Country-PrimaryLocationCode", "ContentLocationName", "ContentLocationCode"]
    path = write(suffix, *(f"-IPTC:{name}=CHE" for name in places), "-IPTC:Writer-Editor=Ida")
    before = exiftool_tags(path)
    assert all(f"IPTC:{name}" in before for name in places)
    result, warnings = rewritten(path, suffix, keep="no-gps")
    after = exiftool_tags(result)
    kept = {tag for tag in before if tag.startswith("IPTC:")} - {f"IPTC:{name}" for name in places}
    assert len(kept) > 2 and {tag: after.get(tag) for tag in kept} == {k: before[k] for k in kept}
    assert not [tag for tag in after if tag.removeprefix("IPTC:") in places]
    assert not [warning for warning in warnings if "IPTC" in warning]


@pytest.mark.proves("EXIF of RAW and TIFF", "nor into a TIFF")
def test_maker_notes_are_not_copied_into_a_tiff(tmp_path, coffee):
    path = tmp_path / "photo.jpg"
    block = piexif.dump({"0th": {271: b"Canon"}, "Exif": {33434: (1, 250), 37500: b"note" * 20}})
    Image.fromarray(np.ascontiguousarray(coffee[:64, :96])).save(path, exif=block)
    result, _ = rewritten(path, "tif")
    with Image.open(result) as image:
        exif = image.getexif().get_ifd(0x8769)
    assert 33434 in exif and 37500 not in exif


@pytest.mark.proves("XMP", "with orientation, dimensions, format and colour space updated")
@pytest.mark.parametrize("suffix", ["jpg", "tif", "png", "webp", "avif", "heic", "jxl"])
@pytest.mark.parametrize("form", ["attributes", "elements"])
def test_xmp_says_what_the_result_is(tmp_path, coffee, suffix, form):
    """Photoshop writes so of a CMYK TIFF; ExifTool knows the type of the result."""
    path = tmp_path / "photo.tif"
    Image.fromarray(np.ascontiguousarray(coffee[:64, :96])).convert("CMYK").save(path)
    said = {"dc:format": "image/tiff", "photoshop:ColorMode": "4", "exif:ColorSpace": "65535"}
    said |= {"photoshop:ICCProfile": "U.S. Web Coated (SWOP) v2", "photoshop:City": "Bonn"}
    attributes = "".join(f' {name}="{value}"' for name, value in said.items())
    elements = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
    is_attributes = form == "attributes"
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
        f' xmlns:exif="http://ns.adobe.com/exif/1.0/"{attributes if is_attributes else ""}>'
        f"{'' if is_attributes else elements}</r:Description></r:RDF></x:xmpmeta>"
    )
    (tmp_path / "packet.xmp").write_text(packet)
    command = ["exiftool", "-q", "-overwrite_original", f"-xmp<={tmp_path / 'packet.xmp'}", path]
    subprocess.run(command, check=True)
    tags = exiftool_tags(rewritten(path, suffix)[0])
    own = "image/heic" if suffix == "heic" else tags["File:MIMEType"]  # of HEIF, with HEVC
    assert tags["XMP-dc:Format"] == own
    assert (tags["XMP-photoshop:ColorMode"], tags["XMP-exif:ColorSpace"]) == (3, 1)
    assert "XMP-photoshop:ICCProfileName" not in tags and tags["XMP-photoshop:City"] == "Bonn"


@pytest.mark.parametrize(("srgb", "space"), [(True, 1), (False, 65535)])
def test_the_profile_of_a_result_stays_named(tmp_path, coffee, srgb, space):
    path = tmp_path / "photo.jpg"
    Image.fromarray(np.ascontiguousarray(coffee[:64, :96])).save(path)
    name = "sRGB IEC61966-2.1" if srgb else "Adobe RGB (1998)"
    more = [f"-XMP-photoshop:ICCProfileName={name}", "-XMP-exif:ColorSpace#=1"]
    subprocess.run(["exiftool", "-q", "-overwrite_original", *more, path], check=True)
    tags = exiftool_tags(rewritten(path, "jpg", srgb=srgb)[0])
    assert tags["XMP-photoshop:ICCProfileName"] == name
    assert tags["XMP-exif:ColorSpace"] == space

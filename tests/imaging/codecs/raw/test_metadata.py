"""Metadata of RAW files in results, as ExifTool reads it."""

import io
import json
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import rawpy
from pictures import scene
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.codecs.raw.metadata import packet_in_boxes, read_raw_metadata
from enhance_cli.imaging.containers.source import Source
from enhance_cli.imaging.metadata.metadata import metadata_for_result
from enhance_cli.imaging.sidecars.read import Sidecar

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")


@pytest.fixture
def raw(tmp_path, write_dng, coffee):
    """A DNG of 96 x 64 pixels with XMP and IPTC, as Adobe's programs write it."""
    path = write_dng(tmp_path / "photo.dng", np.ascontiguousarray(coffee[:64, :96]))
    tag(path, "-XMP-dc:Title=River", "-XMP-xmp:Rating=2", "-XMP-crs:Exposure2012=1.5")
    tag(path, "-XMP-dc:Format=image/x-adobe-dng", "-IPTC:City=Zürich", "-XMP-exif:GPSLatitude=47")
    return path


def tag(path, *tags):
    command = ["exiftool", "-q", "-overwrite_original", "-charset", "iptc=utf8", *tags, path]
    subprocess.run(command, check=True)


def sidecar(path, *tags):
    subprocess.run(["exiftool", "-q", "-o", path, *tags], check=True)


def result_of(path, suffix=".jpg", **options):
    """The tags of the result of a photo, and what was said of it; the networks are left out."""
    photo = decode(path)
    kept, lost = metadata_for_result(photo.metadata, photo.size, **options)
    result = path.with_name(f"result{suffix}")
    lost += write_photo(photo, result, metadata=kept)
    command = ["exiftool", "-json", "-n", "-G1", "-charset", "iptc=utf8", result]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0], lost


@pytest.mark.proves("XMP", "is kept in every format")
@pytest.mark.proves("XMP", "development settings are left out")
@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png", ".webp", ".avif", ".jxl"])
def test_the_xmp_in_a_raw_file(raw, suffix):
    tags, _ = result_of(raw, suffix)
    assert tags["XMP-dc:Title"] == "River" and tags["XMP-xmp:Rating"] == 2
    assert not [name for name in tags if name.startswith("XMP-crs")]
    assert tags["XMP-dc:Format"] == tags["File:MIMEType"]


@pytest.mark.proves("IPTC", "of JPEG, TIFF and RAW is kept in JPEG and TIFF")
@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png"])
def test_the_iptc_in_a_raw_file(raw, suffix):
    tags, lost = result_of(raw, suffix)
    assert tags.get("IPTC:City") == (None if suffix == ".png" else "Zürich")
    assert any("IPTC" in line for line in lost) == (suffix == ".png")


@pytest.mark.proves("XMP", "of RAW files `a.xmp`, too, instead of that in the file")
@pytest.mark.parametrize("name", ["photo.xmp", "photo.dng.xmp"])
def test_a_sidecar_goes_before_the_xmp_in_the_file(raw, name):
    sidecar(raw.with_name(name), "-XMP-dc:Title=Harbour", "-XMP-dc:Subject=pier")
    tags, lost = result_of(raw)
    assert (tags["XMP-dc:Title"], tags["XMP-dc:Subject"]) == ("Harbour", "pier") and not lost
    assert "XMP-xmp:Rating" not in tags


@pytest.mark.proves("Orientation", "That in the sidecar of a RAW file goes before the camera's")
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("in_camera", [1, 8])
@pytest.mark.parametrize("crop", [None, (12, 8, 120, 80)])
def test_a_photo_is_turned_as_its_sidecar_says(tmp_path, write_dng, orientation, in_camera, crop):
    photo = scene(2, 140, 96)
    path = write_dng(tmp_path / "a.dng", photo, crop=crop, orientation=in_camera)
    sidecar(tmp_path / "a.xmp", f"-XMP-tiff:Orientation#={orientation}")
    left, top, wide, tall = crop or (0, 0, 140, 96)
    exif = Image.Exif()
    exif[274] = orientation
    seen = Image.fromarray(photo[top : top + tall, left : left + wide])
    seen.save(tmp_path / "seen.png", exif=exif)
    developed, expected = decode(path), decode(tmp_path / "seen.png")
    assert developed.size == expected.size
    difference = np.abs(developed.as_srgb() - expected.as_srgb())[4:-4, 4:-4]
    assert difference.mean() < 0.02
    tags, _ = result_of(path)
    assert {tags.get(f"{group}:Orientation") for group in ("IFD0", "XMP-tiff")} <= {1, None}


@pytest.mark.proves("`--strip-gps`", "removes the location from EXIF, XMP and IPTC")
def test_without_the_location(raw):
    sidecar(raw.with_suffix(".xmp"), "-XMP-exif:GPSLatitude=47", "-XMP-photoshop:City=Bonn")
    tags, _ = result_of(raw, keep="no-gps")
    assert not [name for name in tags if name.startswith("XMP-") and name != "XMP-x:XMPToolkit"]
    assert "IPTC:City" not in tags
    tags, _ = result_of(raw, keep="none")
    assert not [name for name in tags if name.startswith(("XMP", "IPTC"))]


def test_a_sidecar_that_cannot_be_read_is_named_and_the_xmp_in_the_file_kept(raw):
    raw.with_suffix(".xmp").write_text("damaged")
    tags, lost = result_of(raw)
    assert lost == ("its sidecar photo.xmp cannot be read and was left out",)
    assert tags["XMP-dc:Title"] == "River"


def test_damaged_xmp_in_the_file_is_left_out(raw):
    content = raw.read_bytes()
    raw.write_bytes(content.replace(b"<rdf:RDF", b"<rdf:RDX"))
    tags, lost = result_of(raw)
    assert lost == ("its XMP packet cannot be read and was left out",)
    assert "XMP-dc:Title" not in tags and tags["IPTC:City"] == "Zürich"


def test_a_raw_in_a_form_of_its_own_has_the_xmp_of_its_preview(tmp_path):
    """As Fujifilm's RAF, in whose JPEG the camera writes the rating."""
    preview = io.BytesIO()
    Image.new("RGB", (60, 40)).save(preview, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    (tmp_path / "preview.jpg").write_bytes(preview.getvalue())
    tag(tmp_path / "preview.jpg", "-XMP-xmp:Rating=5")
    content = (tmp_path / "preview.jpg").read_bytes()
    (tmp_path / "a.raf").write_bytes(b"FUJIFILMCCD-RAW ".ljust(200, b"\0"))
    opened = SimpleNamespace(extract_thumb=lambda: SimpleNamespace(data=content), other=None)
    found = read_raw_metadata(tmp_path / "a.raf", opened, Sidecar())
    assert b"<xmp:Rating>5</xmp:Rating>" in found.xmp


def test_a_preview_that_is_no_jpeg_has_no_metadata(tmp_path):
    (tmp_path / "a.raf").write_bytes(b"FUJIFILMCCD-RAW ".ljust(200, b"\0"))

    def fail():
        raise rawpy.LibRawNoThumbnailError(-5)

    for extract in (fail, lambda: SimpleNamespace(data=np.zeros((2, 2, 3), np.uint8))):
        opened = SimpleNamespace(extract_thumb=extract, other=None)
        assert read_raw_metadata(tmp_path / "a.raf", opened, Sidecar()).xmp is None


def test_the_packet_of_a_cr3(tmp_path):
    """ExifTool finds it in the same box."""
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<r:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Label="Red"/>'
        b"</r:RDF></x:xmpmeta>"
    )
    kind = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
    content = b"\0\0\0\x18ftypcrx \0\0\0\1crx isom\0\0\0\x08free"
    content += (24 + len(packet)).to_bytes(4) + b"uuid" + kind + packet
    (tmp_path / "a.cr3").write_bytes(content + b"\0\0\0\x10mdat" + bytes(8))
    command = ["exiftool", "-s3", "-XMP-xmp:Label", tmp_path / "a.cr3"]
    assert subprocess.run(command, capture_output=True, check=True).stdout.strip() == b"Red"
    assert packet_in_boxes(Source(content)) == packet
    assert packet_in_boxes(Source(content[:24])) is None

"""Sidecars of photos that are no RAW files, as ExifTool reads the results."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.metadata.metadata import metadata_for_result
from enhance_cli.imaging.sidecars.merge import merged

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")

FORMATS = [".jpg", ".png", ".tif", ".webp", ".avif", ".heic", ".jxl", ".jp2"]

IN_FILE = "-XMP-dc:Title=River", "-XMP-dc:Subject=old", "-XMP-xmp:Rating=2", "-XMP-dc:Creator=Ann"
BESIDE = "-XMP-dc:Subject=pier", "-XMP-dc:Subject=sea", "-XMP-xmp:Rating=5", "-XMP-xmp:Label=Red"


def exiftool(*words):
    return subprocess.run(["exiftool", *words], capture_output=True, check=True).stdout


def xmp_of(path):
    tags = json.loads(exiftool("-json", "-n", "-G1", "-XMP:all", path))[0]
    return {tag: value for tag, value in tags.items() if tag.startswith("XMP-")}


@pytest.fixture
def photo(tmp_path):
    """Writes a photo with metadata of these tags in it, and beside it."""

    def write(suffix, inside=IN_FILE, beside=BESIDE):
        path = tmp_path / f"a{suffix}"
        picture = Image.fromarray(np.full((48, 64, 3), 90, np.uint8))
        picture.save(tmp_path / "plain.png")
        saved = decode(tmp_path / "plain.png")
        write_photo(saved, path) if suffix != ".jp2" else picture.save(path)
        if inside:
            exiftool("-q", "-overwrite_original", *inside, path)
        if beside:
            exiftool("-q", "-o", f"{path}.xmp", *beside)
        return path

    return write


def result_of(path, **options):
    found = decode(path)
    kept, lost = metadata_for_result(found.metadata, found.size, **options)
    result = path.with_name("result.jpg")
    lost += write_photo(found, result, metadata=kept)
    return xmp_of(result), [*lost, *found.warnings]


@pytest.mark.proves("XMP", "What a sidecar says (`a.jpg.xmp`) goes before what the file says")
@pytest.mark.parametrize("suffix", FORMATS)
def test_each_property_of_the_sidecar_counts_and_all_others_stay(photo, suffix):
    tags, lost = result_of(photo(suffix))
    assert not lost
    assert tags["XMP-dc:Subject"] == ["pier", "sea"] and tags["XMP-xmp:Rating"] == 5
    assert tags["XMP-xmp:Label"] == "Red"
    assert tags["XMP-dc:Title"] == "River" and tags["XMP-dc:Creator"] == "Ann"


def test_a_photo_without_xmp_gets_that_of_its_sidecar(photo):
    tags, lost = result_of(photo(".jpg", inside=()))
    assert tags["XMP-dc:Subject"] == ["pier", "sea"] and not lost


def test_nothing_changes_without_a_sidecar(photo):
    path = photo(".jpg", beside=())
    before = xmp_of(path)
    assert result_of(path)[0] == before


@pytest.mark.parametrize("content", [b"", b"no XML", b"<x:xmpmeta"])
def test_a_damaged_sidecar_is_named_and_the_photo_keeps_its_own(photo, content):
    path = photo(".jpg", beside=())
    path.with_name("a.jpg.xmp").write_bytes(content)
    tags, lost = result_of(path)
    assert tags["XMP-dc:Title"] == "River"
    assert lost == ["its sidecar a.jpg.xmp cannot be read and was left out"]


def test_development_settings_and_the_way_up_stay_behind(photo):
    """The file itself has been turned, and the result has not been developed so."""
    beside = "-XMP-crs:Exposure2012=2", "-XMP-tiff:Orientation#=6", "-XMP-dc:Title=Pier"
    path = photo(".jpg", beside=beside)
    found = decode(path)
    tags, lost = result_of(path)
    assert found.size == (64, 48) and not lost
    assert tags["XMP-dc:Title"] == "Pier" and tags["XMP-tiff:Orientation"] == 1
    assert not any("crs" in tag for tag in tags)


def test_no_location_remains(photo):
    beside = "-XMP-exif:GPSLatitude=47.5", "-XMP-photoshop:City=Bern", "-XMP-dc:Title=Pier"
    tags, _ = result_of(photo(".jpg", beside=beside), keep="no-gps")
    assert tags["XMP-dc:Title"] == "Pier"
    assert not any("GPS" in tag or "City" in tag for tag in tags)


@pytest.mark.parametrize(
    "prefixes", [{}, {"rdf": "r"}, {"xmp": "xap", "rdf": "R"}], ids=["same", "rdf", "both"]
)
def test_prefixes_may_differ(tmp_path, prefixes):
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/">'
        '<rdf:Description rdf:about="" xmp:Rating="{}" xmp:Label="{}"/></rdf:RDF></x:xmpmeta>'
    )
    beside = packet.replace(' xmp:Label="{}"', "").format(5)
    for own, other in prefixes.items():
        beside = beside.replace(f"{own}:", f"{other}:").replace(f":{own}=", f":{other}=")
    both = merged(packet.format(2, "Red").encode(), beside.encode())
    (tmp_path / "both.xmp").write_bytes(both)
    tags = xmp_of(tmp_path / "both.xmp")
    assert (tags["XMP-xmp:Rating"], tags["XMP-xmp:Label"]) == (5, "Red")
    assert both.count(b"Rating") == 1

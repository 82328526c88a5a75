"""Tags that a result cannot have are named, and all others stay, as ExifTool reads them."""

import json
import shutil
import struct
import subprocess

import piexif
import pytest
import tifffile
from pictures import smooth
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.metadata.lost_tags import LEFT_OUT, describe_tags
from enhance_cli.imaging.metadata.metadata import metadata_for_result

needs_exiftool = pytest.mark.skipif(
    not shutil.which("exiftool"), reason="ExifTool is not installed"
)

EXIF = {
    "0th": {271: b"Canon", 315: b"Zoe"},
    "Exif": {0xA434: b"RF 35mm", 0x829D: (28, 10)},
    "GPS": {1: b"N", 2: ((47, 1), (22, 1), (30, 1))},
}


def result_of(path, suffix, **options):
    """The tags of the result by group and name, and what it says is lost."""
    photo = decode(path)
    metadata, lost = metadata_for_result(photo.metadata, photo.size, **options)
    result = path.with_name(f"result.{suffix}")
    left_out = write_photo(photo, result, metadata=metadata)
    command = ["exiftool", "-j", "-n", "-G1", "-fast", result]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
    return said, (*photo.warnings, *lost, *left_out)


def entry_of(block, tag):
    """Where the entry of a tag of a big-endian block begins."""
    return block.index(struct.pack(">H", tag), 8)


def damaged(kind):
    """A block of which one tag, or one directory, cannot be read."""
    block = bytearray(piexif.dump(EXIF))
    if kind == "value behind the end":
        at = entry_of(block, 0xA434)
        block[at + 8 : at + 12] = b"\xff" * 4
    elif kind == "unknown type":
        at = entry_of(block, 0xA434)
        block[at + 2 : at + 4] = b"\0\x4d"
    else:
        at = entry_of(block, 0x8769)
        block[at + 8 : at + 12] = struct.pack(">I", len(block) + 1000)
    return bytes(block)


class TestDamage:
    """Damaged tags are named where they do not stay in their block."""

    @needs_exiftool
    @pytest.mark.proves("Metadata that is damaged", "is left out with a warning")
    @pytest.mark.parametrize("source", ["jpg", "png", "webp"])
    @pytest.mark.parametrize(
        ("suffix", "keep"), [("tif", "all"), *((one, "no-gps") for one in ("jpg", "png", "tif"))]
    )
    @pytest.mark.parametrize("kind", ["value behind the end", "unknown type"])
    def test_a_tag_of_a_block_is_named(self, tmp_path, kind, suffix, keep, source):
        path = tmp_path / f"a.{source}"
        Image.fromarray(smooth(60, 40)).save(path, exif=damaged(kind))
        said, lost = result_of(path, suffix, keep=keep)
        assert lost == ("LensModel in its EXIF cannot be read and was left out",)
        assert said["IFD0:Make"] == "Canon" and said["ExifIFD:FNumber"] == 2.8
        assert "ExifIFD:LensModel" not in said

    @needs_exiftool
    @pytest.mark.parametrize("keep", ["all", "no-gps"])
    @pytest.mark.parametrize("suffix", ["jpg", "webp", "tif"])
    def test_what_can_be_read_of_a_damaged_block_is_kept(self, tmp_path, suffix, keep):
        path = tmp_path / "a.jpg"
        Image.fromarray(smooth(60, 40)).save(path, exif=damaged("directory behind the end"))
        said, lost = result_of(path, suffix, keep=keep)
        assert said["IFD0:Make"] == "Canon" and said["IFD0:Artist"] == "Zoe"
        assert ("GPS:GPSLatitude" in said) == (keep == "all")
        assert len(lost) == 2 and lost[0].startswith("its EXIF block is damaged; what can be read")
        assert "all or some tags on the exposure in its EXIF" in lost[1]

    @needs_exiftool
    @pytest.mark.parametrize("suffix", ["jpg", "tif", "png"])
    @pytest.mark.parametrize("source", ["tif", "dng"])
    def test_a_tag_of_a_tiff_or_raw_is_named(self, tmp_path, write_dng, source, suffix):
        path = tmp_path / f"a.{source}"
        if source == "dng":
            write_dng(path, smooth(60, 40))
        else:
            tifffile.imwrite(path, smooth(60, 40), photometric="rgb", metadata=None)
        tags = ["-Make=Canon", "-Artist=Zoe by the long lake", "-FNumber=2.8", "-LensModel=RF 35mm"]
        subprocess.run(["exiftool", "-q", "-overwrite_original", *tags, path], check=True)
        content = bytearray(path.read_bytes())
        for tag in (0x013B, 0xA434):
            at = content.index(struct.pack("<HH", tag, 2))
            content[at + 8 : at + 12] = b"\xff\xff\xff\x7f"
        path.write_bytes(content)
        said, lost = result_of(path, suffix)
        line = "Artist and LensModel in its EXIF cannot be read and were left out"
        assert lost == (line,)
        assert said["IFD0:Make"] == "Canon" and said["ExifIFD:FNumber"] == 2.8

    def test_texts_that_go_with_the_location_are_named(self, tmp_path):
        path = tmp_path / "a.jpg"
        exif = {**EXIF, "0th": {270: b"At 47.3769, 8.5417"}}
        Image.fromarray(smooth(60, 40)).save(path, exif=piexif.dump(exif))
        photo = decode(path)
        lost = metadata_for_result(photo.metadata, photo.size, keep="no-gps")[1]
        assert lost == ("texts that may tell the location were left out",)


def test_a_line_names_a_few_tags_and_counts_many():
    assert describe_tags([], LEFT_OUT) == ()
    one = describe_tags([("Exif", 0xA434), ("Exif", 0xA434)], LEFT_OUT)
    assert one == ("LensModel in its EXIF cannot be read and was left out",)
    many = describe_tags([("0th", 60_000 + number) for number in range(9)], LEFT_OUT)
    assert many == ("9 tags in its EXIF cannot be read and were left out",)
    mixed = describe_tags([("0th", 271), ("0th", 0xFDE8), ("GPS", None)], LEFT_OUT)
    assert mixed == (
        "Make, tag 0xFDE8 and all or some tags on the location in its EXIF cannot be read and "
        "were left out",
    )

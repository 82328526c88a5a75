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
from enhance_cli.imaging.metadata.lost_tags import LEFT_OUT, TOO_LONG, describe_tags, shortened
from enhance_cli.imaging.metadata.metadata import metadata_for_result

needs_exiftool = pytest.mark.skipif(
    not shutil.which("exiftool"), reason="ExifTool is not installed"
)

EXIF = {
    "0th": {271: b"Canon", 315: b"Zoe"},
    "Exif": {0xA434: b"RF 35mm", 0x829D: (28, 10)},
    "GPS": {1: b"N", 2: ((47, 1), (22, 1), (30, 1))},
}


KEPT = {"IFD0:Make": "Canon", "IFD0:Artist": "Zoe", "ExifIFD:LensModel": "RF 35mm"}
PREFIX = b"Exif\0\0"


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

    @pytest.mark.parametrize("suffix", ["tif", "jpg", "png"])
    @pytest.mark.parametrize(
        "block",
        [
            b"II*\0\x08\0\0\0\0\0",  # shorter than the header of a BigTIFF
            b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIi", 0x8825, 9, 1, -96) + bytes(8),
        ],
    )
    def test_odd_blocks_cost_nothing_else(self, tmp_path, block, suffix):
        path = tmp_path / "a.webp"
        xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
        Image.fromarray(smooth(60, 40)).save(path, exif=PREFIX + block, xmp=xmp)
        photo = decode(path)
        metadata, _ = metadata_for_result(photo.metadata, photo.size)
        write_photo(photo, tmp_path / f"b.{suffix}", metadata=metadata)
        assert decode(tmp_path / f"b.{suffix}").metadata.xmp == xmp

    def test_texts_that_go_with_the_location_are_named(self, tmp_path):
        path = tmp_path / "a.jpg"
        exif = {**EXIF, "0th": {270: b"At 47.3769, 8.5417"}}
        Image.fromarray(smooth(60, 40)).save(path, exif=piexif.dump(exif))
        photo = decode(path)
        lost = metadata_for_result(photo.metadata, photo.size, keep="no-gps")[1]
        assert lost == ("texts that may tell the location were left out",)


@needs_exiftool
class TestLongTags:
    """A JPEG has room for 64 KB of EXIF; what does not fit is lost alone."""

    @pytest.mark.parametrize("name", ["ImageDescription", "Copyright"])
    def test_a_long_text_of_a_tiff_is_lost_alone(self, tmp_path, name):
        path = tmp_path / "a.tif"
        tags = [(271, "s", 0, "Canon", True), (315, "s", 0, "Zoe", True)]
        code = {"ImageDescription": 270, "Copyright": 33432}[name]
        tags.append((code, "s", 0, "river " * 15_000, True))
        tifffile.imwrite(path, smooth(60, 40), photometric="rgb", metadata=None, extratags=tags)
        said, lost = result_of(path, "jpg")
        assert lost == (f"{name} in its EXIF does not fit a JPEG and was left out",)
        assert said["IFD0:Make"] == "Canon" and said["IFD0:Artist"] == "Zoe"
        for suffix in ("png", "webp", "tif", "avif", "heic", "jxl"):
            said, lost = result_of(path, suffix)
            assert lost == () and len(said[f"IFD0:{name}"]) >= 89_999, suffix

    @pytest.mark.proves("EXIF of all but RAW and TIFF", "A JPEG has room for 64 KB")
    @pytest.mark.parametrize("source", ["png", "webp", "avif"])
    @pytest.mark.parametrize(
        ("directory", "tag", "name", "value"),
        [
            ("Exif", 0x9286, "UserComment", b"ASCII\0\0\0" + b"river " * 15_000),
            ("Exif", 0x927C, "MakerNote", b"Make" + bytes(range(256)) * 300),
            ("0th", 0x9C9C, "XPComment", tuple("river ".encode("utf-16-le") * 8000)),
        ],
    )
    def test_any_long_tag_is_lost_alone(self, tmp_path, source, directory, tag, name, value):
        path = tmp_path / f"a.{source}"
        exif = {**EXIF, "Interop": {1: b"R98"}}
        exif[directory] = {**EXIF[directory], tag: value}
        Image.fromarray(smooth(60, 40)).save(path, exif=piexif.dump(exif))
        said, lost = result_of(path, "jpg")
        assert lost == (f"{name} in its EXIF does not fit a JPEG and was left out",)
        assert {key: said.get(key) for key in KEPT} == KEPT
        assert said["GPS:GPSLatitude"] == pytest.approx(47.375)
        assert said["InteropIFD:InteropIndex"] == "R98"

    def test_several_tags_go_until_the_rest_fits(self, tmp_path):
        path = tmp_path / "a.png"
        texts = {270: b"a" * 40_000, 315: b"b" * 30_000, 305: b"c" * 30_000, 33432: b"d" * 20_000}
        exif = piexif.dump({**EXIF, "0th": texts})
        Image.fromarray(smooth(60, 40)).save(path, exif=exif)
        said, lost = result_of(path, "jpg")
        assert len(lost) == 1 and lost[0].startswith("ImageDescription and ")
        assert sum(key in said for key in ("IFD0:Artist", "IFD0:Software", "IFD0:Copyright")) == 2
        assert said["ExifIFD:LensModel"] == "RF 35mm"

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("note_at", [200, 60_000])
    def test_maker_notes_stay_where_they_are(self, tmp_path, order, note_at):
        """Canon's, with offsets from the beginning of the block, before or behind all else."""
        text = b"Firmware Version 1.8.1\0\0"
        note = struct.pack(f"{order}HHHII", 1, 7, 2, len(text), note_at + 18) + bytes(4) + text
        mark = b"II*\0" if order == "<" else b"MM\0*"

        def directory(entries):
            packed = b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries)
            return struct.pack(f"{order}H", len(entries)) + packed + bytes(4)

        first = directory([(0x010E, 2, 90_000, 70_000), (0x010F, 2, 6, 180), (0x8769, 4, 1, 100)])
        exif = directory([(0x927C, 7, len(note), note_at), (0xA434, 2, 8, 190)])
        block = bytearray(mark + struct.pack(f"{order}I", 8) + first)
        block = block.ljust(100, b"\0") + exif
        block = block.ljust(180, b"\0") + b"Canon\0".ljust(10, b"\0") + b"RF 35mm\0"
        block = block.ljust(note_at, b"\0") + note
        block = block.ljust(70_000, b"\0") + b"river " * 15_000
        path = tmp_path / "a.png"
        Image.fromarray(smooth(60, 40)).save(path, exif=PREFIX + bytes(block))
        said, lost = result_of(path, "jpg")
        assert lost == ("ImageDescription in its EXIF does not fit a JPEG and was left out",)
        assert said["Canon:CanonFirmwareVersion"] == "Firmware Version 1.8.1"
        assert said["IFD0:Make"] == "Canon" and said["ExifIFD:LensModel"] == "RF 35mm"

    def test_maker_notes_out_of_reach_are_named(self, tmp_path):
        path = tmp_path / "a.png"
        exif = {**EXIF, "0th": {270: b"river " * 15_000}}
        exif["Exif"] = {**EXIF["Exif"], 0x927C: b"Make" + bytes(100)}
        Image.fromarray(smooth(60, 40)).save(path, exif=piexif.dump(exif))
        said, lost = result_of(path, "jpg")
        line = "ImageDescription and MakerNote in its EXIF do not fit a JPEG and were left out"
        assert lost == (line,)
        assert said["ExifIFD:LensModel"] == "RF 35mm"

    def test_a_block_that_only_wastes_room_loses_nothing(self, tmp_path):
        path = tmp_path / "a.png"
        Image.fromarray(smooth(60, 40)).save(path, exif=piexif.dump(EXIF) + bytes(70_000))
        said, lost = result_of(path, "jpg")
        assert lost == () and {key: said.get(key) for key in KEPT} == KEPT


def test_a_damaged_block_is_not_shortened():
    assert shortened(b"II*\0\xff\xff\xff\xff", 100) == (None, [])
    assert shortened(b"text", 100) == (None, [])


def test_a_line_names_a_few_tags_and_counts_many():
    assert describe_tags([], LEFT_OUT) == ()
    one = describe_tags([("Exif", 0xA434), ("Exif", 0xA434)], LEFT_OUT)
    assert one == ("LensModel in its EXIF cannot be read and was left out",)
    many = describe_tags([("0th", 60_000 + number) for number in range(9)], TOO_LONG)
    assert many == ("9 tags in its EXIF do not fit a JPEG and were left out",)
    mixed = describe_tags([("0th", 271), ("0th", 0xFDE8), ("GPS", None)], LEFT_OUT)
    assert mixed == (
        "Make, tag 0xFDE8 and all or some tags on the location in its EXIF cannot be read and "
        "were left out",
    )

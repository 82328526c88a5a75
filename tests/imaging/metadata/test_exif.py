import contextlib
import json
import shutil
import struct
import subprocess

import piexif
import pytest
from PIL import Image

from enhance_cli.imaging.metadata.exif import ExifError, build_block, read_tags, update_block

MAKER_NOTE = b"Nikon\x00\x02\x10\x00\x00MM\x00*" + bytes(range(200))

EXIF = {
    "0th": {
        piexif.ImageIFD.Make: b"NIKON CORPORATION",
        piexif.ImageIFD.Model: b"NIKON D800",
        piexif.ImageIFD.Orientation: 6,
        piexif.ImageIFD.Artist: b"A. Photographer",
    },
    "Exif": {
        piexif.ExifIFD.ExposureTime: (1, 250),
        piexif.ExifIFD.FNumber: (28, 10),
        piexif.ExifIFD.ISOSpeedRatings: 400,
        piexif.ExifIFD.DateTimeOriginal: b"2024:05:06 07:08:09",
        piexif.ExifIFD.LensModel: b"24-70mm f/2.8",
        piexif.ExifIFD.PixelXDimension: 7360,
        piexif.ExifIFD.PixelYDimension: 4912,
        piexif.ExifIFD.MakerNote: MAKER_NOTE,
    },
    "GPS": {
        piexif.GPSIFD.GPSLatitudeRef: b"N",
        piexif.GPSIFD.GPSLatitude: ((47, 1), (22, 1), (30, 1)),
    },
    "1st": {piexif.ImageIFD.Compression: 6},
}


@pytest.fixture
def block(tmp_path):
    Image.new("RGB", (16, 16), "red").save(tmp_path / "thumbnail.jpg")
    return piexif.dump(EXIF | {"thumbnail": (tmp_path / "thumbnail.jpg").read_bytes()})


class TestUpdateBlock:
    @pytest.mark.proves(
        "EXIF of all but RAW and TIFF",
        "orientation, pixel dimensions and colour space are updated",
    )
    def test_only_what_the_result_changes_is_changed(self, block):
        after = update_block(block, (334, 500))
        loaded = piexif.load(after)
        assert loaded["0th"][piexif.ImageIFD.Orientation] == 1
        assert loaded["Exif"][piexif.ExifIFD.PixelXDimension] == 334
        assert loaded["Exif"][piexif.ExifIFD.PixelYDimension] == 500
        assert loaded["thumbnail"] is None and not loaded["1st"]
        assert loaded["GPS"][piexif.GPSIFD.GPSLatitude] == ((47, 1), (22, 1), (30, 1))
        thumbnail = len(piexif.load(block)["thumbnail"])
        assert len(block) - thumbnail - 1 <= len(after) <= len(block) - thumbnail
        differing = sum(a != b for a, b in zip(after, block, strict=False))
        assert differing <= 2 + 4 + 4 + 4 + 2

    def test_maker_notes_stay_where_they_are(self, block):
        assert update_block(block, (334, 500)).index(MAKER_NOTE) == block.index(MAKER_NOTE)

    @pytest.mark.proves("Thumbnails", "in the metadata are removed")
    def test_a_thumbnail_in_the_middle_of_the_block_is_wiped(self, block):
        block += bytes(range(100))
        thumbnail = piexif.load(block)["thumbnail"]
        after = update_block(block, (334, 500))
        assert thumbnail in block and thumbnail[20:60] not in after
        assert len(after) == len(block) and after.endswith(bytes(range(100)))

    def test_the_location_is_wiped_and_nothing_else_but_maker_notes(self, block):
        after = update_block(block, (334, 500), gps=False)
        kept = piexif.load(update_block(block, (334, 500)))
        loaded = piexif.load(after)
        assert not loaded["GPS"] and kept["GPS"]
        kept["0th"].pop(piexif.ImageIFD.GPSTag)
        assert kept["Exif"].pop(piexif.ExifIFD.MakerNote) == MAKER_NOTE  # may tell it as well
        assert loaded["0th"] == kept["0th"] and loaded["Exif"] == kept["Exif"]
        latitude = struct.pack(">6I", 47, 1, 22, 1, 30, 1)
        assert latitude in block and latitude not in after

    def test_other_color_spaces_than_srgb_are_marked_as_uncalibrated(self, block):
        exif = piexif.load(block)
        exif["Exif"][piexif.ExifIFD.ColorSpace] = 1
        exif["thumbnail"] = None
        after = update_block(piexif.dump(exif), (334, 500), srgb=False)
        assert piexif.load(after)["Exif"][piexif.ExifIFD.ColorSpace] == 0xFFFF

    @pytest.mark.parametrize("damage", [b"", b"Exif\x00\x00", b"II*\x00\xff\xff\xff\x7f"])
    def test_a_damaged_block_raises_an_exif_error(self, damage):
        with pytest.raises(ExifError):
            update_block(damage, (10, 10))

    def test_a_block_cut_anywhere_raises_exif_errors_at_most(self, block):
        for end in range(0, len(block), 7):
            with contextlib.suppress(ExifError):
                update_block(block[:end], (10, 10), gps=False)

    @pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")
    def test_exiftool_agrees(self, block, tmp_path):
        path = tmp_path / "a.jpg"
        Image.new("RGB", (334, 500)).save(path, exif=update_block(block, (334, 500)))
        validation = subprocess.run(
            ["exiftool", "-json", "-n", "-validate", "-warning", path],
            capture_output=True,
            check=True,
        )
        faults = json.loads(validation.stdout)[0]
        everything = subprocess.run(
            ["exiftool", "-json", "-n", path], capture_output=True, check=True
        )
        tags = json.loads(everything.stdout)[0]
        assert tags["Model"] == "NIKON D800" and tags["Orientation"] == 1
        assert tags["ExifImageWidth"] == 334 and tags["GPSLatitude"] == pytest.approx(47.375)
        assert tags["ExposureTime"] == 0.004 and tags["Artist"] == "A. Photographer"
        assert "ThumbnailImage" not in tags
        assert "IFD1" not in str(faults)


class TestBuildBlock:
    @pytest.mark.proves("EXIF of RAW and TIFF", "is copied: camera, lens, exposure")
    @pytest.mark.proves("EXIF of RAW and TIFF", "MakerNotes are not")
    def test_camera_lens_exposure_and_location_are_copied(self, block, tmp_path):
        path = tmp_path / "a.jpg"
        Image.new("RGB", (8, 8)).save(path, exif=block)
        loaded = piexif.load(build_block(read_tags(path.read_bytes()), (334, 500)))
        assert loaded["0th"][piexif.ImageIFD.Model] == b"NIKON D800"
        assert loaded["0th"][piexif.ImageIFD.Orientation] == 1
        assert loaded["Exif"][piexif.ExifIFD.LensModel] == b"24-70mm f/2.8"
        assert loaded["Exif"][piexif.ExifIFD.ExposureTime] == (1, 250)
        assert loaded["Exif"][piexif.ExifIFD.PixelXDimension] == 334
        assert piexif.ExifIFD.MakerNote not in loaded["Exif"]
        assert loaded["GPS"] and loaded["thumbnail"] is None

    def test_without_the_location_the_values_of_all_other_tags_stay(self, block):
        """piexif puts the first value where the link after a directory would be."""
        tags = read_tags(block)
        loaded = piexif.load(build_block(tags, (334, 500)))
        without = piexif.load(build_block(tags, (334, 500), gps=False))
        assert loaded["GPS"] and not without["GPS"]
        assert without["Exif"] == loaded["Exif"]
        assert without["Exif"][piexif.ExifIFD.ExposureTime] == (1, 250)
        assert (
            loaded["0th"].pop(piexif.ImageIFD.GPSTag)
            and without["0th"].keys() == loaded["0th"].keys()
        )

    def test_a_value_that_cannot_be_written_is_left_out_alone(self, block):
        tags = {name: dict(found) for name, found in read_tags(block).items()}
        tags["Exif"][piexif.ExifIFD.FocalLength] = "fifty"
        tags["0th"][piexif.ImageIFD.Rating] = -4
        loaded = piexif.load(build_block(tags, (334, 500)))
        assert piexif.ExifIFD.FocalLength not in loaded["Exif"]
        assert piexif.ImageIFD.Rating not in loaded["0th"]
        assert loaded["Exif"][piexif.ExifIFD.ExposureTime] == (1, 250) and loaded["GPS"]

    @pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")
    def test_exiftool_finds_nothing_missing(self, block, tmp_path):
        path, result = tmp_path / "a.jpg", tmp_path / "b.jpg"
        Image.new("RGB", (8, 8)).save(path, exif=block)
        Image.new("RGB", (334, 500)).save(
            result, exif=build_block(read_tags(path.read_bytes()), (334, 500))
        )
        command = ["exiftool", "-s3", "-validate", "-warning", "-a", result]
        validation = subprocess.run(command, capture_output=True, check=True, text=True)
        assert "Missing required" not in validation.stdout

    def test_a_file_without_exif_raises_an_exif_error(self, tmp_path):
        path = tmp_path / "a.raf"
        path.write_bytes(b"FUJIFILMCCD-RAW " * 8)
        with pytest.raises(ExifError):
            build_block(read_tags(path), (10, 10))

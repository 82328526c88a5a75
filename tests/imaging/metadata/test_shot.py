import json
import math
import shutil
import subprocess
from datetime import UTC, datetime

import piexif
import pytest

from enhance_cli.imaging.codecs.decode import read_exif
from enhance_cli.imaging.metadata.shot import NO_SHOT, Shot, shot_of

needs_exiftool = pytest.mark.skipif(not shutil.which("exiftool"), reason="needs ExifTool")

TAGS = {
    "Make": "Acme",
    "Model": "X 1",
    "SerialNumber": "0042",
    "DateTimeOriginal": "2026:03:04 05:06:07",
    "SubSecTimeOriginal": "25",
    "OffsetTimeOriginal": "+02:00",
    "ExposureTime": "1/250",
    "FNumber": "5.6",
    "ISO": "800",
}


def exiftool(path, **tags):
    subprocess.run(
        ["exiftool", "-q", "-overwrite_original", *(f"-{k}={v}" for k, v in tags.items()), path],
        check=True,
    )


@needs_exiftool
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif", "heic"])
def test_every_format_tells_what_exiftool_has_written(tmp_path, write_photo, suffix):
    options = {"format": "HEIF"} if suffix == "heic" else {}
    if suffix == "heic":
        import pillow_heif

        pillow_heif.register_heif_opener()
    path = write_photo(tmp_path / f"a.{suffix}", **options)
    exiftool(path, **TAGS)
    shot = shot_of(read_exif(path))
    assert shot.camera == ("Acme", "X 1", "0042")
    moment = datetime(2026, 3, 4, 3, 6, 7, 250_000, UTC)
    assert shot.time == pytest.approx(moment.timestamp(), abs=1e-6)
    # ExifTool's own LightValue is APEX: the more light there was, the less was gathered of it.
    asked = ["exiftool", "-j", "-n", "-LightValue", path]
    said = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)[0]
    value = math.log2(100) - said["LightValue"]
    assert shot.light == pytest.approx(value, abs=1e-6)


def exposed(seconds=(1, 100), f_number=(8, 1), iso=100, **more):
    tags = {piexif.ExifIFD.ExposureTime: seconds, piexif.ExifIFD.FNumber: f_number}
    tags[piexif.ExifIFD.ISOSpeedRatings] = iso
    tags = {tag: value for tag, value in tags.items() if value is not None}
    return shot_of({"0th": {}, "Exif": tags | {getattr(piexif.ExifIFD, k): more[k] for k in more}})


@pytest.mark.parametrize(
    ("other", "stops"),
    [
        ({"seconds": (1, 50)}, 1),
        ({"f_number": (4, 1)}, 2),
        ({"iso": 400}, 2),
        ({"iso": (800, 0)}, 3),  # two values, as some cameras write
        ({"iso": 65_535, "RecommendedExposureIndex": 102_400}, 10),
        ({"seconds": (1, 200), "iso": 200}, 0),
        ({"ExposureBiasValue": (-2, 1)}, 0),
        ({"f_number": (0, 1)}, None),  # an old lens tells no aperture
        ({"seconds": None}, None),
        ({"seconds": (1, 0)}, None),
    ],
)
def test_a_difference_in_exposure_is_in_stops(other, stops):
    found = exposed(**other).stops_beyond(exposed())
    assert found == (None if stops is None else pytest.approx(stops))


@pytest.mark.parametrize("fraction", [b"5", b"500", b"50 "])
def test_a_part_of_a_second_is_a_decimal(fraction):
    tags = {36867: b"2026:01:01 00:00:00", 37521: fraction}
    whole = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert shot_of({"0th": {}, "Exif": tags}).time == whole + 0.5


@pytest.mark.parametrize(
    "found",
    [None, b"", b"Exif\0\0II*\0", b"no block", {}, {"Exif": {36867: b"0000:00:00 00:00:00"}}],
)
def test_what_cannot_be_read_is_not_stated(found):
    assert shot_of(found) == NO_SHOT == Shot()


def test_no_exif_is_read_of_a_file_that_is_no_photo(tmp_path):
    for name in ("a.jpg", "b.nef", "gone.png"):
        if name != "gone.png":
            (tmp_path / name).write_text("no photo")
        assert read_exif(tmp_path / name) is None

"""Reading and writing 16 bits per channel."""

import json
import shutil
import subprocess

import imagecodecs
import numpy as np
import piexif
import pytest
import tifffile
from PIL import Image

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.color_space import ColorSpace
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.photo import Photo

RAMP = np.repeat(np.tile(np.arange(3000, 3512, dtype=np.uint16), (16, 1))[..., None], 3, axis=2)
"""512 neighbouring 16-bit levels, which are two 8-bit levels."""

RAMP = RAMP + np.array([0, 1000, 20_000], np.uint16)


def levels(pixels):
    return len(np.unique(pixels[..., 1]))


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.proves("Depth", "of 16-bit PNG and TIFF")
def test_no_level_is_lost_in_writing_and_reading(tmp_path, suffix, alpha):
    path = tmp_path / f"a{suffix}"
    clear = np.full(RAMP.shape[:2], 30_001, np.uint16) if alpha else None
    write_photo(Photo(RAMP, alpha=clear), path)
    photo = decode(path)
    np.testing.assert_array_equal(photo.pixels, RAMP)
    assert (photo.alpha is not None) == alpha
    if alpha:
        np.testing.assert_array_equal(photo.alpha, clear)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_other_programs_read_what_was_written(tmp_path, suffix):
    """libpng through imagecodecs, and tifffile; the profile is found by Pillow."""
    path = tmp_path / f"a{suffix}"
    profile = imagecodecs.cms_profile("adobergb")
    write_photo(Photo(RAMP, ColorSpace(profile)), path)
    pixels = (
        imagecodecs.png_decode(path.read_bytes()) if suffix == ".png" else tifffile.imread(path)
    )
    np.testing.assert_array_equal(pixels, RAMP)
    with Image.open(path) as image:
        image.load()
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_grey_photo_is_one_channel_of_sixteen_bits(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    grey = np.repeat(RAMP[..., :1], 3, axis=2)
    write_photo(Photo(grey, grey=True), path)
    with Image.open(path) as image:
        assert image.mode.startswith("I;16")
    photo = decode(path)
    assert photo.grey
    np.testing.assert_array_equal(photo.pixels, grey)


def test_a_png_made_elsewhere_keeps_its_levels(tmp_path):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(RAMP))
    assert levels(decode(tmp_path / "a.png").pixels) == 512


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_the_requested_depth_is_written(tmp_path, bits, dtype):
    for number, pixels in enumerate((RAMP, (RAMP // 257).astype(np.uint8))):
        path = tmp_path / f"{number}.tif"
        write_photo(Photo(pixels), path, Encoding(bits=bits))
        written = tifffile.imread(path)
        assert written.dtype == dtype
        scale = np.iinfo(dtype).max / np.iinfo(pixels.dtype).max
        assert np.abs(written / scale - pixels).max() <= max(0.5 / scale, 0)


def test_formats_of_eight_bits_are_rounded(tmp_path):
    write_photo(Photo(RAMP), tmp_path / "a.webp", Encoding(quality=100))
    with Image.open(tmp_path / "a.webp") as image:
        assert np.abs(np.asarray(image) * 257.0 - RAMP).mean() < 2 * 257


EXIF = {
    "0th": {piexif.ImageIFD.Make: b"Maker", piexif.ImageIFD.Artist: "Zoë".encode()},
    "Exif": {
        piexif.ExifIFD.ExposureTime: (1, 250),
        piexif.ExifIFD.FNumber: (14, 5),
        piexif.ExifIFD.ISOSpeedRatings: 400,
        piexif.ExifIFD.ExposureBiasValue: (-1, 3),
        piexif.ExifIFD.DateTimeOriginal: b"2024:05:06 07:08:09",
        piexif.ExifIFD.LensModel: b"35mm F1.4",
        piexif.ExifIFD.ExifVersion: b"0232",
    },
    "GPS": {
        piexif.GPSIFD.GPSLatitudeRef: b"N",
        piexif.GPSIFD.GPSLatitude: ((48, 1), (12, 1), (61, 2)),
    },
}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_piexif_reads_back_the_exif_that_was_written(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_photo(Photo(RAMP), path, metadata=Metadata(exif=piexif.dump(EXIF)))
    if suffix == ".png":
        with Image.open(path) as image:
            found = piexif.load(image.info["exif"])
    else:
        found = piexif.load(str(path))
    for directory, tags in EXIF.items():
        assert {tag: found[directory].get(tag) for tag in tags} == tags
    np.testing.assert_array_equal(decode(path).pixels, RAMP)


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="ExifTool is not installed")
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_exiftool_finds_every_tag_and_no_fault(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_photo(Photo(RAMP), path, metadata=Metadata(exif=piexif.dump(EXIF)))
    command = ["exiftool", "-j", "-n", "-G", "-a", str(path)]
    (tags,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert tags["EXIF:ExposureTime"] == pytest.approx(1 / 250)
    assert tags["EXIF:FNumber"] == 2.8 and tags["EXIF:ISO"] == 400
    assert tags["EXIF:ExposureCompensation"] == pytest.approx(-1 / 3, abs=1e-4)
    assert tags["EXIF:LensModel"] == "35mm F1.4" and tags["EXIF:Artist"] == "Zoë"
    assert tags["EXIF:GPSLatitude"] == pytest.approx(48.2084722)
    assert tags["EXIF:DateTimeOriginal"] == "2024:05:06 07:08:09"
    assert "ExifTool:Error" not in tags
    assert tags.get("ExifTool:Warning", "[minor]").startswith("[minor]")  # of the test's own block

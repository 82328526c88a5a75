"""Metadata of results in TIFF, and of photos in TIFF, as ExifTool reads it."""

import json
import shutil
import subprocess

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from pictures import smooth
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.metadata.metadata import metadata_for_result

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")

TAGS = {
    "ExifIFD:OwnerName": "Jürgen Größe",
    "ExifIFD:LensModel": "Ä 50mm ƒ/1.8",
    "ExifIFD:UserComment": "Grüße",
    "ExifIFD:ExposureTime": 0.004,
    "ExifIFD:ExposureCompensation": -0.5,
    "ExifIFD:ISO": 400,
    "ExifIFD:DateTimeOriginal": "2024:05:06 07:08:09",
    "GPS:GPSLatitude": 47.375,
    "GPS:GPSLatitudeRef": "N",
    "GPS:GPSProcessingMethod": "GPS",
    "GPS:GPSAreaInformation": "Paris",
    "IFD0:Artist": "Zoë",
    "IFD0:Rating": 4,
    "IFD0:RatingPercent": 75,
    "IFD0:HostComputer": "Büro",
    "IFD0:DocumentName": "Straße",
    "IFD0:XPTitle": "Tïtle",
    "IFD0:XPComment": "größer",
    "IFD0:XPAuthor": "Zoë",
    "IFD0:XPKeywords": "häus;baum",
    "IFD0:XPSubject": "Ähren",
    "IFD0:XResolution": 300,
    "IFD0:YResolution": 300,
    "IFD0:ResolutionUnit": 2,
}

OF_PLACE = {"GPSLatitude", "GPSLatitudeRef", "GPSProcessingMethod", "GPSAreaInformation"}

_SUFFIXES = [".jpg", ".png", ".webp", ".avif", ".heic", ".jxl", ".jp2", ".tif"]


def written(path, byte_order="Little-endian"):
    """A photo with the tags, in the format of the suffix."""
    pixels = smooth(64, 48)
    if path.suffix == ".jp2":
        path.write_bytes(imagecodecs.jpeg2k_encode(pixels, codecformat="jp2", level=0))
    elif path.suffix == ".jxl":
        path.write_bytes(imagecodecs.jpegxl_encode(pixels, usecontainer=True))
    elif path.suffix in {".heic", ".avif"}:
        image = Image.fromarray(pixels)
        if path.suffix == ".heic":
            pillow_heif.from_pillow(image).save(path)
        else:
            image.save(path)
    elif path.suffix == ".tif":
        order = ">" if byte_order == "Big-endian" else "<"
        tifffile.imwrite(path, pixels, photometric="rgb", metadata=None, byteorder=order)
    else:
        Image.fromarray(pixels).save(path)
    tags = [f"-{name}={value}" for name, value in TAGS.items()]
    command = ["exiftool", "-q", "-n", "-overwrite_original", "-charset", "exif=utf8"]
    order = [f"-ExifByteOrder={byte_order}"]
    subprocess.run([*command, *order, *tags, path], check=True)
    return path


def kept(path, result, keep="all"):
    """Write the result of a photo, and read both files with ExifTool."""
    photo = decode(path)
    metadata, lost = metadata_for_result(photo.metadata, photo.size, keep=keep)
    lost = (*lost, *write_photo(photo, result, metadata=metadata))
    assert not any("EXIF" in line or "cannot" in line for line in lost)
    command = ["exiftool", "-j", "-n", "-charset", "exif=utf8", "-EXIF:all", path, result]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    names = [name.split(":")[1] for name in TAGS]
    return tuple({name: one[name] for name in names if name in one} for one in found)


@pytest.mark.parametrize("byte_order", ["Little-endian", "Big-endian"])
@pytest.mark.parametrize("suffix", _SUFFIXES)
def test_a_tiff_has_the_exif_of_every_format(tmp_path, suffix, byte_order):
    path = written(tmp_path / f"a{suffix}", byte_order)
    before, after = kept(path, tmp_path / "b.tif")
    assert before == {name.split(":")[1]: value for name, value in TAGS.items()}
    assert after == before


def test_types_are_those_of_the_block(tmp_path):
    path = written(tmp_path / "a.jpg", "Big-endian")
    kept(path, tmp_path / "b.tif")
    command = ["exiftool", "-validate", "-warning", "-a", "-s3", tmp_path / "b.tif"]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert "format" not in said and "offset" not in said and "Undersized" not in said


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_a_tiff_without_the_location_keeps_the_rest(tmp_path, suffix):
    path = written(tmp_path / f"a{suffix}")
    comment = "-XPComment=at 47.3750, 8.5417"
    subprocess.run(["exiftool", "-q", "-overwrite_original", comment, path], check=True)
    before, after = kept(path, tmp_path / "b.tif", "no-gps")
    assert before.keys() - after.keys() == OF_PLACE | {"XPComment"}
    assert all(after[name] == before[name] for name in after)
    assert kept(path, tmp_path / "c.tif", "none")[1].keys() <= {
        "XResolution", "YResolution", "ResolutionUnit",
    }  # fmt: skip


def test_the_exif_of_a_jpeg_says_the_tags_and_the_resolution_of_the_tiff(tmp_path):
    before, after = kept(written(tmp_path / "a.tif"), tmp_path / "b.jpg")
    assert after == before and after["XResolution"] == 300


@pytest.mark.parametrize(
    ("resolution", "unit"), [((300, 240), "inch"), ((118.11, 118.11), "centimeter"), (None, None)]
)
@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png"])
def test_resolutions_of_every_unit_are_kept(tmp_path, suffix, resolution, unit):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, smooth(64, 48), photometric="rgb", resolution=resolution, resolutionunit=unit,
        metadata=None,
    )  # fmt: skip
    before, after = kept(path, tmp_path / f"b{suffix}")
    inch = 2.54 if before["ResolutionUnit"] == 3 and after["ResolutionUnit"] == 2 else 1
    for name in ("XResolution", "YResolution"):
        assert after[name] == pytest.approx(before[name] * inch, rel=1e-4)


def test_sixteen_bits_have_exif_too(tmp_path):
    path = tmp_path / "a.tif"
    pixels = smooth(64, 48).astype(np.uint16) * 257
    tifffile.imwrite(path, pixels, photometric="rgb", metadata=None, byteorder=">")
    tags = ["-LensModel=Ä 50mm", "-GPSAreaInformation=Paris"]
    command = ["exiftool", "-q", "-overwrite_original", "-charset", "exif=utf8"]
    subprocess.run([*command, *tags, path], check=True)
    before, after = kept(path, tmp_path / "b.tif")
    assert after == before and after["LensModel"] == "Ä 50mm"
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), pixels)

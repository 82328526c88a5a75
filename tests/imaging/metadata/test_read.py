"""Metadata is read together with the pixels, once."""

import shutil
import subprocess
from types import SimpleNamespace

import piexif
import pytest
import rawpy
import tifffile
from pictures import smooth
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.metadata.metadata import metadata_for_result

BLOCK = piexif.dump({
    "0th": {piexif.ImageIFD.Make: b"Maker", piexif.ImageIFD.Orientation: 6},
    "Exif": {piexif.ExifIFD.LensModel: b"35mm F1.4"},
})  # fmt: skip


@pytest.fixture
def loads(monkeypatch):
    """Every source that piexif has read."""
    sources = []
    load = piexif.load
    monkeypatch.setattr(piexif, "load", lambda source: sources.append(source) or load(source))
    return sources


@pytest.fixture
def write(tmp_path, write_dng):
    def make(suffix):
        path = tmp_path / f"a.{suffix}"
        if suffix == "dng":
            return write_dng(path, smooth(60, 40), orientation=6)
        if suffix == "sixteen-bit.tif":
            tags = [(271, "s", 0, "Maker", True), (274, "H", 1, 6, True)]
            pixels = smooth(60, 40).astype("uint16") * 257
            tifffile.imwrite(path, pixels, photometric="rgb", extratags=tags, metadata=None)
            return path
        Image.fromarray(smooth(60, 40)).save(path, exif=BLOCK)
        return path

    return make


@pytest.mark.parametrize("suffix", ["tif", "sixteen-bit.tif", "dng"])
@pytest.mark.parametrize("long_edge", [None, 20])
def test_the_exif_of_tiff_and_raw_is_read_once_and_with_the_pixels(write, loads, suffix, long_edge):
    path = write(suffix)
    photo = decode(path, long_edge)
    assert loads == [str(path)]
    path.unlink()  # nothing is read again
    metadata, lost = metadata_for_result(photo.metadata, photo.size)
    assert len(loads) == 1 and lost == ()
    loaded = piexif.load(metadata.exif_block)
    assert loaded["0th"][piexif.ImageIFD.Orientation] == 1
    assert loaded["Exif"][piexif.ExifIFD.PixelXDimension] == photo.size.width
    if suffix != "dng":  # the test's DNG names no maker
        assert loaded["0th"][piexif.ImageIFD.Make] == b"Maker"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif"])
def test_the_block_of_other_formats_stays_as_it_stands(write, loads, suffix):
    photo = decode(write(suffix))
    assert loads == [] and isinstance(photo.metadata.exif, bytes)
    metadata, _ = metadata_for_result(photo.metadata, photo.size)
    assert piexif.load(metadata.exif_block)["Exif"][piexif.ExifIFD.LensModel] == b"35mm F1.4"


@pytest.mark.parametrize("suffix", ["tif", "dng"])
def test_exif_that_cannot_be_read_is_named_and_the_photo_still_read(write, monkeypatch, suffix):
    def fail(_source):
        raise ValueError("damaged")

    monkeypatch.setattr(piexif, "load", fail)
    photo = decode(write(suffix))
    assert photo.metadata.exif is None
    assert metadata_for_result(photo.metadata, photo.size)[1] == (
        "its EXIF cannot be read and was left out",
    )
    assert metadata_for_result(photo.metadata, photo.size, keep="none")[1] == ()


class WithPreview:
    """A RAW file, opened by rawpy, in which LibRaw finds a preview."""

    def __init__(self, raw, preview):
        self.raw, self.preview = raw, preview

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.raw.close()

    def __getattr__(self, name):
        return getattr(self.raw, name)

    def extract_thumb(self):
        return SimpleNamespace(data=self.preview)


def test_a_raw_not_built_like_a_tiff_has_the_exif_of_its_preview(write, monkeypatch, tmp_path):
    """In Fujifilm's RAF and Canon's CR3, only the JPEG inside has EXIF that piexif can read."""
    Image.fromarray(smooth(60, 40)).save(tmp_path / "preview.jpg", exif=BLOCK)
    preview = (tmp_path / "preview.jpg").read_bytes()
    load, imread = piexif.load, rawpy.imread

    def load_bytes_alone(source):
        if isinstance(source, str):
            raise ValueError("not a TIFF")
        return load(source)

    monkeypatch.setattr(piexif, "load", load_bytes_alone)
    monkeypatch.setattr(rawpy, "imread", lambda path: WithPreview(imread(path), preview))
    metadata = decode(write("dng")).metadata
    assert metadata.unreadable == ()
    assert metadata.exif["Exif"][piexif.ExifIFD.LensModel] == b"35mm F1.4"


@pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")
def test_a_raw_without_any_exif_keeps_its_date_and_exposure(write, monkeypatch):
    """As Canon's CRW; LibRaw reads it from this DNG as ExifTool has written it there."""

    def fail(_source):
        raise ValueError("not a TIFF")

    path = write("dng")
    tags = ["DateTimeOriginal=2003:05:06 07:08:09", "ISO=400", "ExposureTime=1/250", "FNumber=2.8"]
    tags += ["FocalLength=35", "Artist=Zoe"]
    command = ["exiftool", "-q", "-overwrite_original", *(f"-{tag}" for tag in tags), path]
    subprocess.run(command, check=True)
    with monkeypatch.context() as context:
        context.setattr(piexif, "load", fail)
        photo = decode(path)
    metadata, lost = metadata_for_result(photo.metadata, photo.size)
    assert lost == ("its EXIF cannot be read; date and exposure are kept",)
    loaded = piexif.load(metadata.exif_block)
    assert loaded["0th"][piexif.ImageIFD.Artist] == b"Zoe"
    assert loaded["Exif"][piexif.ExifIFD.DateTimeOriginal] == b"2003:05:06 07:08:09"
    assert loaded["Exif"][piexif.ExifIFD.ISOSpeedRatings] == 400
    assert loaded["Exif"][piexif.ExifIFD.ExposureTime] == (1, 250)
    assert loaded["Exif"][piexif.ExifIFD.FNumber] == (14, 5)
    assert loaded["Exif"][piexif.ExifIFD.FocalLength] == (35, 1)

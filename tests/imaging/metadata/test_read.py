"""Metadata is read together with the pixels, once."""

import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from types import SimpleNamespace

import imagecodecs
import piexif
import pillow_heif
import pytest
import rawpy
import tifffile
from pictures import smooth
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.metadata import exif, iptc
from enhance_cli.imaging.metadata.metadata import metadata_for_result

BLOCK = piexif.dump({
    "0th": {piexif.ImageIFD.Make: b"Maker", piexif.ImageIFD.Orientation: 6},
    "Exif": {piexif.ExifIFD.LensModel: b"35mm F1.4"},
})  # fmt: skip


@pytest.fixture
def loads(monkeypatch):
    """Every source whose directories have been read."""
    sources = []
    load = exif.read_directories
    noting = lambda source, lost=None: sources.append(str(source)) or load(source, lost)  # noqa: E731
    monkeypatch.setattr(exif, "read_directories", noting)
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
    def fail(_source, _damaged):
        raise ValueError("damaged")

    monkeypatch.setattr(exif, "read_directories", fail)
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
    """In Fujifilm's RAF and Canon's CR3, only the JPEG inside has EXIF that can be read."""
    Image.fromarray(smooth(60, 40)).save(tmp_path / "preview.jpg", exif=BLOCK)
    preview = (tmp_path / "preview.jpg").read_bytes()
    load, imread = exif.read_directories, rawpy.imread

    def load_bytes_alone(source, damaged):
        if isinstance(source, Path):
            raise ValueError("not a TIFF")
        return load(source, damaged)

    monkeypatch.setattr(exif, "read_directories", load_bytes_alone)
    monkeypatch.setattr(rawpy, "imread", lambda path: WithPreview(imread(path), preview))
    metadata = decode(write("dng")).metadata
    assert metadata.unreadable == ()
    assert metadata.exif["Exif"][piexif.ExifIFD.LensModel] == b"35mm F1.4"


@pytest.mark.skipif(not shutil.which("exiftool"), reason="ExifTool is not installed")
def test_a_raw_without_any_exif_keeps_its_date_and_exposure(write, monkeypatch):
    """As Canon's CRW; LibRaw reads it from this DNG as ExifTool has written it there."""

    def fail(_source, _damaged):
        raise ValueError("not a TIFF")

    path = write("dng")
    tags = ["DateTimeOriginal=2003:05:06 07:08:09", "ISO=400", "ExposureTime=1/250", "FNumber=2.8"]
    tags += ["FocalLength=35", "Artist=Zoe"]
    command = ["exiftool", "-q", "-overwrite_original", *(f"-{tag}" for tag in tags), path]
    subprocess.run(command, check=True)
    with monkeypatch.context() as context:
        context.setattr(exif, "read_directories", fail)
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


def segment(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (2 + len(content)).to_bytes(2, "big") + content


def with_segments(path, *segments):
    Image.fromarray(smooth(60, 40)).save(path, quality=95)
    content = path.read_bytes()
    path.write_bytes(content[:2] + b"".join(segments) + content[2:])


def said_by_exiftool(path, *options) -> str:
    command = ["exiftool", "-a", "-s3", *options, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def rewritten(path):
    photo = decode(path)
    kept, lost = metadata_for_result(photo.metadata, photo.size)
    out = path.with_name("out.jpg")
    return out, lost + write_photo(photo, out, metadata=kept)


@pytest.mark.skipif(not shutil.which("exiftool"), reason="needs ExifTool")
def test_all_comments_are_kept(tmp_path):
    path = tmp_path / "a.jpg"
    texts = (b"first", b"second", b"third")
    with_segments(path, *(segment(0xFE, text) for text in texts))
    out, lost = rewritten(path)
    assert not lost
    assert said_by_exiftool(out, "-Comment").split() == ["first", "second", "third"]


@pytest.mark.skipif(not shutil.which("exiftool"), reason="needs ExifTool")
@pytest.mark.parametrize(("keywords", "room"), [(4, 70), (3000, 65_000), (3000, 30_000)])
def test_iptc_that_is_divided_among_segments_is_kept(tmp_path, keywords, room):
    path = tmp_path / "a.jpg"
    words = [b"keyword %020d" % number for number in range(keywords)]
    records = b"".join(b"\x1c\x02\x19" + len(one).to_bytes(2, "big") + one for one in words)
    resources = iptc.resource_with(records)
    parts = [resources[at : at + room] for at in range(0, len(resources), room)]
    with_segments(path, *(segment(0xED, iptc.PREFIX + part) for part in parts))
    expected = said_by_exiftool(path, "-IPTC:Keywords")
    assert expected.count("keyword") == keywords
    out, lost = rewritten(path)
    assert not lost and said_by_exiftool(out, "-IPTC:Keywords") == expected


def test_places_in_earlier_comments_are_left_out(tmp_path):
    path = tmp_path / "a.jpg"
    with_segments(path, *(segment(0xFE, text) for text in (b"GPS 48.85, 2.29", b"harmless")))
    photo = decode(path)
    kept, lost = metadata_for_result(photo.metadata, photo.size, keep="no-gps")
    assert kept.earlier_comments == () and kept.comment == b"harmless" and lost


LONG = bytes(5_000_000)
PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def box_in(content: bytes, kind: bytes, body: bytes) -> bytes:
    return content + struct.pack(">I4s", 8 + len(body), kind) + body


@pytest.mark.parametrize(
    ("suffix", "name"),
    [*((suffix, "XMP") for suffix in ("webp", "tif", "heic", "avif", "jxl", "jp2")),
     ("webp", "EXIF"), ("png", "EXIF"), ("jxl", "EXIF"), ("tif", "IPTC")],
)  # fmt: skip
def test_what_is_too_long_to_be_kept_is_named(tmp_path, suffix, name):
    path = tmp_path / f"a.{suffix}"
    image, blocks = Image.fromarray(smooth(60, 40)), {}
    if name != "IPTC":
        blocks = {name.lower(): {"XMP": PACKET, "EXIF": BLOCK}[name] + LONG}
    if suffix == "tif":
        tag = {"XMP": 700, "IPTC": 33723}[name]
        tags = [(tag, "B", len(LONG), LONG, True)]
        tifffile.imwrite(path, smooth(60, 40), photometric="rgb", metadata=None, extratags=tags)
    elif suffix == "heic":
        pillow_heif.from_pillow(image).save(path, **blocks)
    elif suffix == "jxl":
        kind, head = {"XMP": (b"xml ", b""), "EXIF": (b"Exif", bytes(4))}[name]
        write_photo(decode_array(tmp_path), path)
        path.write_bytes(box_in(path.read_bytes(), kind, head + LONG))
    elif suffix == "jp2":
        path.write_bytes(imagecodecs.jpeg2k_encode(smooth(60, 40), codecformat="jp2"))
        uuid = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
        path.write_bytes(box_in(path.read_bytes(), b"uuid", uuid + LONG))
    else:
        image.save(path, **blocks)
    photo = decode(path)
    lost = metadata_for_result(photo.metadata, photo.size)[1]
    assert lost == (f"its {name} is longer than 4 MB and was left out",)


def decode_array(folder):
    Image.fromarray(smooth(60, 40)).save(folder / "plain.png")
    return decode(folder / "plain.png")


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_block_whose_beginning_is_written_twice_is_read(tmp_path, suffix):
    """As some programs do; the orientation in it counts as well."""
    block = piexif.dump({"0th": {271: b"Canon", 274: 6}})
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(smooth(60, 40)).save(
        path, exif=block if suffix == "png" else b"Exif\0\0" + block
    )
    if suffix == "png":
        content = path.read_bytes()
        at, length = content.index(b"eXIf"), len(block) - 6
        chunk = b"eXIf" + block
        made = struct.pack(">I", len(block)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        path.write_bytes(content[: at - 4] + made + content[at + 4 + length + 4 :])
    photo = decode(path)
    assert photo.size == (40, 60)
    metadata, lost = metadata_for_result(photo.metadata, photo.size)
    assert lost == () and metadata.exif.count(b"Exif\0\0") == 1
    assert piexif.load(metadata.exif)["0th"] == {271: b"Canon", 274: 1}


def test_resources_of_other_programs_may_stand_before_iptc(tmp_path):
    path = tmp_path / "a.jpg"
    other = b"MeSa" + struct.pack(">HHI", 7000, 0, 2) + b"ab"
    record = b"\x1c\x02\x05\0\x05Title"
    resources = other + b"8BIM" + struct.pack(">HHI", 0x404, 0, len(record)) + record
    with_segments(path, segment(0xED, b"Photoshop 3.0\0" + resources))
    assert decode(path).metadata.iptc == record


def test_the_exposure_in_the_first_directory_is_read(tmp_path):
    """Where cameras that follow TIFF/EP write it (ISO 12234-2)."""
    tags = [(33434, "2I", 1, (1, 250), True), (33437, "2I", 1, (28, 10), True),
            (36867, "s", 0, "2024:05:06 07:08:09", True), (271, "s", 0, "Kodak", True)]  # fmt: skip
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, smooth(60, 40), photometric="rgb", metadata=None, extratags=tags)
    photo = decode(path)
    metadata, _ = metadata_for_result(photo.metadata, photo.size)
    found = piexif.load(metadata.exif)
    assert found["Exif"][piexif.ExifIFD.ExposureTime] == (1, 250)
    assert found["Exif"][piexif.ExifIFD.FNumber] == (28, 10)
    assert found["Exif"][piexif.ExifIFD.DateTimeOriginal] == b"2024:05:06 07:08:09"
    assert found["0th"][piexif.ImageIFD.Make] == b"Kodak"

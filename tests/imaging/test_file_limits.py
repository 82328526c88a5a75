"""Files of a few kilobytes that would take minutes or gigabytes."""

import struct
import time
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image

from enhance_cli.config.apply import MAX_PIXELS
from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.open_image import open_image
from enhance_cli.imaging.file_limits import (
    MAX_SCANS,
    MAX_SIDE,
    refuse_costly_file,
    refuse_costly_tiff,
)

SIXTEEN_BIT = {258: (3, 1, 16)}
TILED = {322: (4, 1, 1), 323: (4, 1, 1), 324: (4, 1, 300), 325: (4, 1, 500)}


def tiff(width: int, height: int, tags=None, without=()) -> bytes:
    """A TIFF of 908 bytes that says it had so many pixels in color."""
    entries = {
        256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 2),
        273: (4, 1, 300), 277: (3, 1, 3), 278: (4, 1, height), 279: (4, 1, 500), **(tags or {}),
    }  # fmt: skip
    content = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries) - len(without))
    for tag, (kind, count, value) in sorted(entries.items()):
        content += b"" if tag in without else struct.pack("<HHII", tag, kind, count, value)
    return (content + bytes(4)).ljust(908, b"\1")


STRIPS = (273, 278, 279)

COSTLY = {
    "tiles of a pixel": tiff(20_000, 20_000, TILED, STRIPS),
    "tiles of a pixel, 16 bits": tiff(20_000, 20_000, TILED | SIXTEEN_BIT, STRIPS),
    "tiles without a size": tiff(20_000, 20_000, TILED | {322: (4, 1, 0)}, STRIPS),
    "strips of a row": tiff(20_000, 20_000, SIXTEEN_BIT | {278: (4, 1, 1)}),
    "strips without rows": tiff(20_000, 20_000, {278: (4, 1, 0)}),
    "tiles of gigapixels": tiff(
        64, 64, TILED | SIXTEEN_BIT | {259: (3, 1, 8), 322: (4, 1, 60_000), 323: (4, 1, 60_000)},
        STRIPS,
    ),
    "thousands of channels": tiff(500, 500, SIXTEEN_BIT | {277: (3, 1, 65_535)}),
    "a depth": tiff(64, 64, SIXTEEN_BIT | {32997: (4, 1, 2**31)}),
    "no compression": tiff(20_000, 20_000),
    "Deflate": tiff(20_000, 20_000, {259: (3, 1, 8)}),
    "LZW": tiff(20_000, 20_000, {259: (3, 1, 5)}),
    "PackBits": tiff(20_000, 20_000, {259: (3, 1, 32_773)}),
    "JPEG": tiff(20_000, 20_000, {259: (3, 1, 7)}),
    "LZMA": tiff(20_000, 20_000, {259: (3, 1, 34_925)}),
    "Zstandard": tiff(20_000, 20_000, {259: (3, 1, 50_000)}),
    "a column": tiff(1, 400_000_000),
    "a row": tiff(400_000_000, 1, SIXTEEN_BIT),
}  # fmt: skip


def refused(path, long_edge=500) -> str:
    """The message, which must come at once."""
    started = time.process_time()
    with pytest.raises(PhotoError) as caught:
        decode(path, long_edge)
    assert time.process_time() - started < 10
    return str(caught.value)


@pytest.mark.parametrize("name", COSTLY)
def test_a_tiff_that_says_more_than_it_holds_is_refused_at_once(tmp_path, name, monkeypatch):
    path = tmp_path / "a.tif"
    path.write_bytes(COSTLY[name])
    monkeypatch.setattr(np, "empty", None)
    monkeypatch.setattr(tifffile, "TiffFile", None)
    assert refused(path).startswith(f"{path}: ")


@pytest.mark.parametrize("mode", ["RGB", "L", "1"])
def test_a_png_that_is_too_short_is_refused_unread(tmp_path, mode):
    path = tmp_path / "a.png"
    Image.new(mode, (64, 64)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:16] + struct.pack(">II", 20_000, 20_000) + content[24:])
    content = bytearray(path.read_bytes())
    import zlib

    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    assert "damaged, too short for 20000 x 20000 pixels" in refused(path)


def scans(count: int, size: int = 2000, gap: bytes = b"") -> bytes:
    """A progressive JPEG, with its second scan repeated until there are so many."""
    with BytesIO() as file:
        Image.new("RGB", (size, size), (90, 120, 30)).save(file, "JPEG", progressive=True)
        content = file.getvalue()
    at = [start for start in range(len(content)) if content[start : start + 2] == b"\xff\xda"]
    return content[:-2] + content[at[1] : at[2]] * (count - len(at)) + gap + b"\xff\xd9"


@pytest.mark.parametrize("long_edge", [None, 500])
def test_a_jpeg_of_thousands_of_scans_is_refused_at_once(tmp_path, long_edge):
    path = tmp_path / "a.jpg"
    path.write_bytes(scans(3000))
    assert "a JPEG of more than 100 scans" in refused(path, long_edge)
    path.write_bytes(scans(MAX_SCANS + 1, 64))
    assert "scans" in refused(path, long_edge)
    path.write_bytes(scans(MAX_SCANS, 64))
    assert decode(path, long_edge).size == (64, 64)


def test_so_is_one_whose_channels_come_one_by_one(tmp_path):
    """A baseline JPEG in three scans, made by jpegtran's rules: one channel a scan."""
    with BytesIO() as file:
        Image.new("RGB", (64, 64), (90, 120, 30)).save(file, "JPEG", subsampling="4:4:4")
        content = file.getvalue()
    at = content.index(b"\xff\xda")
    header, pixels = content[:at], content[at + 14 : -2]
    one = [b"\xff\xda\0\x08\1" + bytes((n, 0)) + b"\0\x3f\0" + pixels for n in (1, 2, 3)]
    path = tmp_path / "a.jpg"
    path.write_bytes(header + b"".join(one) * 40 + b"\xff\xd9")
    assert "scans" in refused(path)


def test_scans_in_a_thumbnail_or_behind_the_picture_do_not_count(tmp_path):
    with BytesIO() as file:
        Image.new("RGB", (64, 64)).save(file, "JPEG", progressive=True, comment=b"\xff\xda" * 500)
        content = file.getvalue()
    path = tmp_path / "a.jpg"
    path.write_bytes(content + b"\xff\xda" * 500)
    assert decode(path).size == (64, 64)


def test_a_tiff_of_200_000_directories_is_read_at_once(tmp_path):
    tags = [(256, 4, 8), (257, 4, 8), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8)]
    tags += [(277, 3, 1), (278, 4, 8), (279, 4, 64)]
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags
    )
    step = len(directory) + 4
    links = (72 + step * (number + 1) for number in range(199_999))
    content = b"II*\0" + struct.pack("<I", 72) + bytes(64)
    content += b"".join(directory + struct.pack("<I", link) for link in links)
    path = tmp_path / "a.tif"
    path.write_bytes(content + directory + bytes(4))
    started = time.process_time()
    assert decode(path).warnings == ("contains several images, only the first was read",)
    assert time.process_time() - started < 20


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "lzma", "zstd"])
@pytest.mark.parametrize("tile", [None, (16, 16), (256, 512)])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_whole_tiffs_without_any_detail_are_read(tmp_path, compression, tile, planar, dtype):
    path = tmp_path / "a.tif"
    height, width = (120, 300) if tile == (16, 16) else (600, 1500)  # many tiles take long
    shape = (3, height, width) if planar == "separate" else (height, width, 3)
    options = {"tile": tile} if tile else {"rowsperstrip": 7}
    tifffile.imwrite(
        path, np.zeros(shape, dtype), photometric="rgb", planarconfig=planar,
        compression=compression, **options,
    )  # fmt: skip
    with tifffile.TiffFile(path) as tiff:
        refuse_costly_tiff(path, tiff.pages.first, MAX_PIXELS)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P", "LA", "I;16"])
def test_whole_pngs_without_any_detail_are_read(tmp_path, mode):
    path = tmp_path / "a.png"
    Image.new(mode, (6000, 4000)).save(path, compress_level=9)
    with open_image(path) as image:
        refuse_costly_file(path, image)


def test_the_longest_side(tmp_path):
    path = tmp_path / "a.png"
    Image.new("1", (MAX_SIDE, 1)).save(path)
    assert decode(path, 500).size == (500, 1)
    Image.new("1", (MAX_SIDE + 1, 1)).save(path)
    assert "1,000,000" in refused(path)


@pytest.mark.parametrize(
    ("compression", "sampling"),
    [("jpeg", (1, 1)), ("jpeg", (2, 2))]
    + [(name, None) for name in ("lzma", "zstd", "zlib", "lzw", "packbits")],
)
def test_the_shortest_tiffs_of_every_compression_are_read(tmp_path, compression, sampling):
    """One color in one strip, which compresses best."""
    path = tmp_path / "a.tif"
    options = {"compressionargs": {"level": 22}} if compression == "zstd" else {}
    if compression == "jpeg":
        options = {"photometric": "ycbcr", "subsampling": sampling}
    tifffile.imwrite(
        path, np.full((8000, 8000, 3), 255, np.uint8), rowsperstrip=8000,
        compression=compression, **({"photometric": "rgb"} | options),
    )  # fmt: skip
    with tifffile.TiffFile(path) as tiff:
        refuse_costly_tiff(path, tiff.pages.first, MAX_PIXELS)

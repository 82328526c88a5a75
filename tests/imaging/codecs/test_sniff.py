"""The format of a photo without a name; what each file is, is stated by its writer."""

import numpy as np
import pytest
import tifffile
from pictures import smooth

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import WRITERS
from enhance_cli.imaging.codecs.encode import write_photo as encode
from enhance_cli.imaging.codecs.formats import RAW, SUFFIXES
from enhance_cli.imaging.codecs.sniff import RAW_SUFFIX, suffix_for


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_every_format_that_is_written(tmp_path, write_photo, suffix):
    photo = decode(write_photo(tmp_path / "a.png", smooth(60, 40)))
    encode(photo, tmp_path / f"b{suffix}")
    named = suffix_for((tmp_path / f"b{suffix}").rename(tmp_path / "nameless"))
    assert any({suffix, named} <= SUFFIXES[kind] for kind in SUFFIXES if kind != "keep")


def test_jpeg_2000(tmp_path, write_photo):
    assert suffix_for(write_photo(tmp_path / "a.jp2", smooth(60, 40))) == ".jp2"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_is_no_raw(tmp_path, order, big):
    for pixels in (smooth(60, 40), np.zeros((40, 60), np.uint16)):
        tifffile.imwrite(tmp_path / "a", pixels, byteorder=order, bigtiff=big)
        assert suffix_for(tmp_path / "a") == ".tif"


def test_a_raw_in_a_tiff(tmp_path, write_dng):
    assert suffix_for(write_dng(tmp_path / "a.tif", smooth(60, 40))) == RAW_SUFFIX


def test_a_raw_behind_a_thumbnail(tmp_path):
    """As NEF, ARW and most DNGs are built: the mosaic is in a SubIFD."""
    with tifffile.TiffWriter(tmp_path / "a") as tiff:
        tiff.write(smooth(60, 40), subifds=1, photometric="rgb")
        tiff.write(np.zeros((80, 120), np.uint16), photometric="cfa", extratags=[
            (33421, "H", 2, (2, 2), True), (33422, "B", 4, bytes([0, 1, 1, 2]), True),
        ])  # fmt: skip
    assert suffix_for(tmp_path / "a") == RAW_SUFFIX


@pytest.mark.parametrize(
    "start",
    [
        b"FUJIFILMCCD-RAW 0201FF389501",
        b"FOVb\x03\x00\x02\x00",
        b"\0MRM\0\0\0\0",
        b"II\x1a\0\0\0HEAPCCDR",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x18\0\0\0",
        b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom",
        b"II*\0\x10\0\0\0CR\x02\0",
        b"II*\0\x08\0\0\0IIII",
    ],
)
def test_the_beginnings_of_other_raw_files(tmp_path, start):
    """From ExifTool's documentation of the formats."""
    (tmp_path / "a").write_bytes(start + bytes(99))
    assert suffix_for(tmp_path / "a") == RAW_SUFFIX and RAW_SUFFIX in RAW


@pytest.mark.parametrize("content", [b"", b"x", b"no photo", b"II*\0", b"GIF89a"])
def test_anything_else(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert suffix_for(tmp_path / "a") in {".jpg", ".tif"}

"""JPEGs read and written past Pillow are what Pillow would read and write."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from enhance_cli.imaging.codecs.jpeg import jpeg_bytes, read_jpeg


def pillows(pixels, **options) -> bytes:
    content = BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", **options)
    return content.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_the_pixels_are_pillows(tmp_path, coffee, options, subsampling):
    path = tmp_path / "a.jpg"
    path.write_bytes(pillows(coffee, quality=90, subsampling=subsampling, **options))
    np.testing.assert_array_equal(read_jpeg(path), np.asarray(Image.open(path)))


def test_what_follows_the_picture_does_no_harm(tmp_path, coffee):
    path = tmp_path / "a.jpg"
    path.write_bytes(pillows(coffee) + pillows(coffee[:50, :50]))  # as phones append gain maps
    np.testing.assert_array_equal(read_jpeg(path), np.asarray(Image.open(path)))


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_a_file_cut_short_is_left_to_pillow(tmp_path, coffee, kept):
    content = pillows(coffee, exif=b"Exif\0\0" + pillows(coffee[:50, :50]))  # an end within
    path = tmp_path / "a.jpg"
    path.write_bytes(content[: round(kept * len(content))])
    assert read_jpeg(path) is None


def test_what_has_no_colour_is_left_to_pillow(tmp_path, coffee):
    for mode in ("L", "CMYK"):
        path = tmp_path / f"{mode}.jpg"
        Image.fromarray(coffee).convert(mode).save(path)
        assert read_jpeg(path) is None


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [30, 95])
def test_what_is_written_is_what_pillow_writes(coffee, quality, subsampling):
    blocks = {
        "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0",
        "icc_profile": bytes(range(256)) * 300,  # two segments
        "xmp": b"<x:xmpmeta/>",
        "comment": b"a comment",
        "dpi": (300, 300),
    }
    ours = jpeg_bytes(coffee, quality, subsampling, **blocks)
    expected = pillows(coffee, quality=quality, subsampling=subsampling, **blocks)
    mine, theirs = Image.open(BytesIO(ours)), Image.open(BytesIO(expected))
    np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    assert mine.info == theirs.info and mine.app == theirs.app
    assert len(ours) == len(expected)

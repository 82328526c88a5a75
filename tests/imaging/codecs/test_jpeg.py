"""JPEG files are read and written as Pillow reads and writes them."""

import struct
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from enhance_cli.config.apply import Encoding
from enhance_cli.imaging.codecs.jpeg import read_jpeg, write_jpeg
from enhance_cli.imaging.color_space import ColorSpace
from enhance_cli.imaging.metadata.metadata import Metadata
from enhance_cli.imaging.photo import Photo


def pillow_jpeg(pixels, **options) -> bytes:
    content = BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", **options)
    return content.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_the_pixels_are_those_that_pillow_reads(tmp_path, coffee, options, subsampling):
    path = tmp_path / "a.jpg"
    path.write_bytes(pillow_jpeg(coffee, quality=90, subsampling=subsampling, **options))
    np.testing.assert_array_equal(read_jpeg(path), np.asarray(Image.open(path)))


def test_data_after_the_image_does_no_harm(tmp_path, coffee):
    path = tmp_path / "a.jpg"
    path.write_bytes(
        pillow_jpeg(coffee) + pillow_jpeg(coffee[:50, :50])
    )  # as phones append gain maps
    np.testing.assert_array_equal(read_jpeg(path), np.asarray(Image.open(path)))


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_left_to_pillow(tmp_path, coffee, kept):
    content = pillow_jpeg(coffee, exif=b"Exif\0\0" + pillow_jpeg(coffee[:50, :50]))  # an end within
    path = tmp_path / "a.jpg"
    path.write_bytes(content[: round(kept * len(content))])
    assert read_jpeg(path) is None


def test_a_jpeg_that_is_not_rgb_is_left_to_pillow(tmp_path, coffee):
    for mode in ("L", "CMYK"):
        path = tmp_path / f"{mode}.jpg"
        Image.fromarray(coffee).convert(mode).save(path)
        assert read_jpeg(path) is None


def long_profile() -> bytes:
    """An ICC profile that takes two segments: padded, with its size in the header."""
    profile = imagecodecs.cms_profile("adobergb")
    return struct.pack(">I", 76_800) + profile[4:] + bytes(76_800 - len(profile))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [30, 95])
def test_the_file_is_the_one_that_pillow_writes(tmp_path, coffee, quality, subsampling):
    blocks = {
        "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0",
        "xmp": b"<x:xmpmeta/>",
        "comment": b"a comment",
        "dpi": (300, 300),
    }
    profile = long_profile()
    path = tmp_path / "a.jpg"
    photo = Photo(coffee, ColorSpace(profile))
    write_jpeg(photo, path, Encoding(quality, subsampling), Metadata(**blocks))
    ours = path.read_bytes()
    options = {"quality": quality, "subsampling": subsampling, "icc_profile": profile}
    expected = pillow_jpeg(coffee, **options, **blocks)
    mine, theirs = Image.open(BytesIO(ours)), Image.open(BytesIO(expected))
    np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
    assert mine.info == theirs.info and mine.app == theirs.app
    assert len(ours) == len(expected)


def test_a_file_that_is_larger_than_its_pixels(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    path = tmp_path / "a.jpg"
    write_jpeg(Photo(noise), path, Encoding(100, "4:4:4"), Metadata())
    assert path.stat().st_size > noise.nbytes
    expected = Image.open(BytesIO(pillow_jpeg(noise, quality=100, subsampling="4:4:4")))
    np.testing.assert_array_equal(np.asarray(Image.open(path)), np.asarray(expected))

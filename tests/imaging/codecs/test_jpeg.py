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


def pillow_jpeg(pixels, mode="RGB", **options) -> bytes:
    content = BytesIO()
    Image.fromarray(pixels).convert(mode).save(content, "JPEG", **options)
    return content.getvalue()


def read_alike(content, size=None):
    """Read a JPEG, and compare the pixels with those that Pillow reads."""
    image, warnings = Image.open(BytesIO(content)), []
    image.draft(None, size)
    pixels = read_jpeg(content, image, warnings, reduced=size is not None)
    np.testing.assert_array_equal(pixels, np.asarray(image))
    assert not warnings


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_the_pixels_are_those_that_pillow_reads(coffee, options, subsampling):
    read_alike(pillow_jpeg(coffee, quality=90, subsampling=subsampling, **options))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_inks_are_those_that_pillow_reads(coffee, mode):
    read_alike(pillow_jpeg(coffee, mode))


@pytest.mark.parametrize("size", [(300, 200), (100, 60)])
def test_reduced_pixels_are_those_that_pillow_reads(coffee, size):
    read_alike(pillow_jpeg(coffee), size)


def test_data_after_the_image_does_no_harm(coffee):
    read_alike(pillow_jpeg(coffee) + pillow_jpeg(coffee[:50, :50]))  # as phones append gain maps


@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_truncated_file_is_an_error(coffee, kept):
    content = pillow_jpeg(coffee, exif=b"Exif\0\0" + pillow_jpeg(coffee[:50, :50]))  # an end within
    content = content[: round(kept * len(content))]
    with pytest.raises(ValueError, match="truncated"):
        read_jpeg(content, Image.open(BytesIO(content)), [])


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

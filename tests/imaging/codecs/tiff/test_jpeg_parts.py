"""Damaged tiles and strips, which their decoders fill with grey or with anything."""

import imagecodecs
import numpy as np
import pytest
import tifffile
from linear_dng import write_linear
from pictures import smooth
from PIL import Image

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.damaged_jpeg import PARTS_WRONG
from enhance_cli.imaging.codecs.decode import decode

SIZE = 320, 256
KINDS = {
    "strips": {"rowsperstrip": 16},
    "tiles": {"tile": (64, 64)},
    "YCbCr": {"photometric": "ycbcr", "tile": (64, 64)},
    "subsampled": {"photometric": "ycbcr", "tile": (64, 64), "subsampling": (2, 2)},
    "planes": {"planarconfig": "separate", "tile": (64, 64)},
    "12 bits": {"compressionargs": {"bitspersample": 12}, "rowsperstrip": 16},
}


def busy():
    noise = np.random.default_rng(0).integers(0, 40, (SIZE[1], SIZE[0], 3))
    return (smooth(*SIZE) // 2 + noise).astype(np.uint8)


@pytest.fixture(params=KINDS)
def jpegs(request, tmp_path):
    """A TIFF of JPEGs, and where each of them lies."""
    path, options = tmp_path / "a.tif", KINDS[request.param]
    pixels = busy()
    if request.param == "12 bits":
        tifffile.imwrite(path, pixels.astype(np.uint16) << 4, photometric="rgb",
                         compression="jpeg", **options)  # fmt: skip
    else:
        pixels = np.moveaxis(pixels, 2, 0) if request.param == "planes" else pixels
        options = {"photometric": "rgb", **options}
        tifffile.imwrite(path, pixels, compression="jpeg", **options)
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        return path, list(zip(page.dataoffsets, page.databytecounts, strict=True))


def blank(path, parts):
    """Overwrite the second half of each part by zeros, as a disk leaves lost blocks."""
    content = bytearray(path.read_bytes())
    for start, length in parts:
        content[start + length // 2 : start + length] = bytes(length - length // 2)
    path.write_bytes(content)


def test_whole_ones_cause_no_warning(jpegs):
    assert decode(jpegs[0]).warnings == ()


def test_few_damaged_ones_cause_a_warning(jpegs):
    path, parts = jpegs
    expected = decode(path).pixels
    blank(path, parts[3:4])
    photo = decode(path)
    assert photo.warnings == (PARTS_WRONG,)
    assert (photo.pixels == expected).all(axis=2).mean() > 0.8


def test_many_damaged_ones_are_an_error(jpegs):
    path, parts = jpegs
    blank(path, parts[len(parts) // 2 :])
    with pytest.raises(PhotoError, match="damaged"):
        decode(path)


def test_so_is_a_missing_end(jpegs):
    path, _ = jpegs
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(PhotoError, match="damaged"):
        decode(path)


@pytest.mark.parametrize("pixels", ["RGB", "L", "CMYK"])
def test_tables_in_common_belong_to_each(tmp_path, pixels):
    path = tmp_path / "a.tif"
    Image.fromarray(busy()).convert(pixels).save(path, compression="jpeg")
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages.first.jpegtables
    assert decode(path).warnings == ()


def test_lossless_ones_are_left_to_their_decoder(tmp_path):
    grey = busy()[..., 0].astype(np.uint16) << 4
    tiles = [grey[y : y + 64, x : x + 64] for y in range(0, 256, 64) for x in range(0, 320, 64)]
    encoded = (bytes(imagecodecs.ljpeg_encode(tile, bitspersample=12)) for tile in tiles)
    tifffile.imwrite(tmp_path / "a.tif", encoded, shape=grey.shape, dtype=grey.dtype,
                     tile=(64, 64), compression=7, photometric="minisblack")  # fmt: skip
    photo = decode(tmp_path / "a.tif")
    assert photo.warnings == ()
    np.testing.assert_allclose(photo.pixels[..., 0], grey * (65535 / 4095), atol=1)


@pytest.mark.parametrize("nested", [False, True])
def test_those_of_a_lossy_dng_are_checked_too(tmp_path, nested):
    path = tmp_path / "a.dng"
    write_linear(path, busy(), "JPEG_LOSSY", nested, tile=(64, 64))
    assert decode(path).warnings == ()
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first.pages[0] if nested else tiff.pages.first
        parts = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    blank(path, parts[:1])
    assert decode(path).warnings == (PARTS_WRONG,)
    blank(path, parts)
    with pytest.raises(PhotoError, match="damaged"):
        decode(path)

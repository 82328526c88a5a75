"""JPEGs without their end, and of more than 8 bits; libjpeg-turbo writes them."""

import imagecodecs
import numpy as np
import pytest
from pictures import smooth
from PIL import Image

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode

EXIF = Image.Exif()
EXIF[0x0112], EXIF[0x010F] = 6, "Maker"


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("long_edge", [None, 100])
@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.proves("Damaged files", "A JPEG that lacks only its end is completed")
def test_only_the_end_is_missing(tmp_path, mode, progressive, long_edge, missing):
    path = tmp_path / "a.jpg"
    image = Image.fromarray(smooth(240, 160)).convert(mode)
    image.save(path, quality=95, progressive=progressive, exif=EXIF)
    expected = decode(path, long_edge)
    path.write_bytes(path.read_bytes()[:-missing])
    photo = decode(path, long_edge)
    assert photo.warnings == ("the end of the file is missing",)
    assert photo.grey == expected.grey and photo.metadata == expected.metadata
    assert np.abs(photo.pixels.astype(int) - expected.pixels).max() <= 1


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_more_is_missing(tmp_path, coffee, progressive, share):
    path = tmp_path / "a.jpg"
    Image.fromarray(coffee).save(path, quality=95, progressive=progressive)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(PhotoError, match="truncated"):
        decode(path)


def test_what_follows_the_end_does_not_matter(tmp_path, coffee):
    path = tmp_path / "a.jpg"
    Image.fromarray(coffee).save(path, quality=95)
    expected = decode(path).pixels
    path.write_bytes(path.read_bytes() + bytes(100_000))
    photo = decode(path)
    assert photo.warnings == ()
    np.testing.assert_array_equal(photo.pixels, expected)


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("bits", [12, 16])
def test_more_than_eight_bits(tmp_path, grey, lossless, bits):
    if bits == 16 and not lossless:
        pytest.skip("libjpeg-turbo writes 16 bits without loss alone")
    white = 2**bits - 1
    stored = (smooth(60, 40) / 255 * white).round().astype(np.uint16)
    stored = np.ascontiguousarray(stored[..., 0]) if grey else stored
    encoded = imagecodecs.jpeg8_encode(stored, level=98, bitspersample=bits, lossless=lossless)
    Image.new("RGB", (1, 1)).save(tmp_path / "pixel.jpg", exif=EXIF, comment="a comment")
    described = (tmp_path / "pixel.jpg").read_bytes()
    described = described[described.index(b"\xff\xe1") : described.index(b"\xff\xdb")]
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded[:2] + described + encoded[2:])
    photo = decode(path)
    assert photo.pixels.dtype == np.uint16 and photo.size == (40, 60)
    assert photo.metadata.comment == b"a comment" and photo.grey == grey
    expected = np.rot90(stored if stored.ndim == 3 else stored[..., None].repeat(3, 2), -1)
    assert np.abs(photo.as_srgb() - expected / white).max() < 0.02
    with pytest.raises(PhotoError, match="60 x 40 pixels"):
        decode(path, None, 2399)


@pytest.mark.parametrize("stored_as", ["cmyk", "ycck"])
@pytest.mark.parametrize("black", [0, 90])
def test_inks_of_twelve_bits_are_those_of_eight(tmp_path, stored_as, black):
    inks = np.dstack([smooth(60, 40), np.full((40, 60), black, np.uint8)])
    Image.fromarray(inks, "CMYK").save(tmp_path / "8.jpg", quality=98)
    paper = np.ascontiguousarray(((255 - inks) / 255 * 4095).round().astype(np.uint16))
    options = {"level": 98, "bitspersample": 12, "colorspace": "cmyk", "outcolorspace": stored_as}
    (tmp_path / "12.jpg").write_bytes(imagecodecs.jpeg8_encode(paper, **options))
    deep, expected = decode(tmp_path / "12.jpg"), decode(tmp_path / "8.jpg")
    assert deep.pixels.dtype == np.uint16 and deep.alpha is None
    assert np.abs(deep.as_srgb() - expected.as_srgb()).max() < 0.03


@pytest.mark.parametrize("between", [b"\xff", b"\xff\xff", b"\0\1\2"], ids=["one", "two", "junk"])
@pytest.mark.parametrize("marker", [0xE0, 0xC1, 0xDA])
def test_filling_in_front_of_a_marker_is_passed_over(tmp_path, between, marker):
    """ITU-T T.81, B.1.1.2; libjpeg passes over other bytes as well."""
    path = tmp_path / "a.jpg"
    levels = smooth(64, 48).astype(np.uint16) * 16
    content = imagecodecs.jpeg8_encode(levels, bitspersample=12)
    at = content.index(bytes((0xFF, marker)))
    path.write_bytes(content)
    expected = decode(path)
    path.write_bytes(content[:at] + between + content[at:])
    photo = decode(path)
    assert photo.pixels.dtype == np.uint16 and np.array_equal(photo.pixels, expected.pixels)

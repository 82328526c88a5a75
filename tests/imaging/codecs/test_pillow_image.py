"""Pixel formats and color profiles of the images that Pillow reads."""

import struct

import numpy as np
import pytest
from pictures import QUADRANTS, enlarged
from PIL import Image, ImageCms

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.pillow_image import image_from_photo, photo_from_image
from enhance_cli.imaging.photo import Photo


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_a_grey_photo_is_recognised(tmp_path, mode):
    path = tmp_path / "grey.png"
    Image.new("L", (8, 8), 255).convert(mode).save(path)
    photo = decode(path, 500)
    assert photo.grey and photo.pixels.shape == (8, 8, 3)
    np.testing.assert_allclose(photo.as_srgb(), 1)


@pytest.mark.proves("Grey photos", "even if they are stored as RGB")
def test_a_grey_photo_stored_as_rgb_is_recognised_too(tmp_path, coffee, write_photo):
    grey = np.asarray(Image.fromarray(coffee).convert("L").convert("RGB"))
    assert decode(write_photo(tmp_path / "grey.jpg", grey, quality=80), 500).grey
    toned = (grey * [1.0, 0.95, 0.9]).astype(np.uint8)
    assert not decode(write_photo(tmp_path / "toned.jpg", toned), 500).grey
    assert not decode(write_photo(tmp_path / "color.jpg", coffee), 500).grey


def test_sixteen_bit_grey_keeps_its_tones(tmp_path):
    path = tmp_path / "sixteen-bit.png"
    Image.fromarray(np.full((8, 8), 32896, np.uint16)).save(path)  # 128 x 257
    photo = decode(path, 500)
    assert photo.grey
    np.testing.assert_allclose(photo.as_srgb(), 128 / 255, atol=1e-6)


def test_floating_point_pixels_are_reported_as_the_reason():
    with pytest.raises(ValueError, match="floating-point"):
        photo_from_image(Image.fromarray(np.zeros((8, 8), np.float32)))


def test_palette(tmp_path):
    path = tmp_path / "palette.png"
    Image.fromarray(enlarged(QUADRANTS, 8)).quantize(4).save(path)
    np.testing.assert_allclose(decode(path, 500).as_srgb()[2, 2] * 255, [220, 30, 30], atol=2)


@pytest.mark.proves("Colour", "CMYK becomes sRGB")
def test_cmyk(tmp_path):
    path = tmp_path / "print.jpg"
    Image.new("CMYK", (16, 16), (255, 0, 0, 0)).save(path, quality=100)
    photo = decode(path, 500)
    np.testing.assert_allclose(photo.as_srgb()[8, 8], [0, 1, 1], atol=0.02)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_kept(tmp_path, mode):
    path = tmp_path / "cut.png"
    if mode == "P":
        image = Image.new("P", (8, 8), 1)
        image.putpalette([0, 0, 0, 255, 0, 0])
        image.save(path, transparency=bytes([0, 128]))
    else:
        Image.new(mode, (8, 8), (200, 0, 0, 128) if mode == "RGBA" else (90, 128)).save(path)
    alpha = decode(path, 500).alpha
    assert alpha is not None and alpha.shape == (8, 8)
    np.testing.assert_array_equal(alpha, 128)


def test_an_embedded_profile_is_converted(tmp_path):
    """A profile whose red and blue primaries are swapped turns blue into red."""
    path = tmp_path / "swapped.png"
    swapped = swapped_srgb_profile()
    Image.new("RGB", (8, 8), (0, 0, 255)).save(path, icc_profile=swapped)
    np.testing.assert_allclose(decode(path, 500).as_srgb()[4, 4], [1, 0, 0], atol=0.02)


def test_a_broken_profile_is_a_warning(tmp_path):
    path = tmp_path / "broken.png"
    Image.new("RGB", (8, 8), "red").save(path, icc_profile=b"not a profile")
    photo = decode(path, 500)
    np.testing.assert_allclose(photo.as_srgb()[4, 4], [1, 0, 0])
    assert "profile" in photo.warnings[0]


def swapped_srgb_profile() -> bytes:
    """Pillow's sRGB with the contents of its rXYZ and bXYZ tags exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", profile, 128)[0]
    entries = {bytes(profile[e : e + 4]): e + 4 for e in range(132, 132 + 12 * count, 12)}
    red, blue = entries[b"rXYZ"], entries[b"bXYZ"]
    profile[red : red + 8], profile[blue : blue + 8] = (
        profile[blue : blue + 8],
        profile[red : red + 8],
    )
    return bytes(profile)


def test_values_are_rounded_and_clamped():
    pixels = np.array([[[-0.2, 0.5, 1.7]]], np.float32)
    assert image_from_photo(Photo(pixels)).getpixel((0, 0)) == (0, 128, 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_a_downscaled_object_keeps_its_color_up_to_its_edges(mode):
    """Colors that are hidden under transparent pixels do not count."""
    rows, columns = np.mgrid[:60, :90]
    inside = (rows - 30) ** 2 + (columns - 45) ** 2 < 20**2
    if mode == "P":
        image = Image.fromarray(inside.astype(np.uint8)).convert("P")
        image.putpalette([255, 255, 255, 90, 90, 90])
        image.info["transparency"] = 0
    else:
        grey = Image.fromarray(np.where(inside, 90, 255).astype(np.uint8))
        image = grey.convert(mode.removesuffix("A"))
        image.putalpha(Image.fromarray(inside.astype(np.uint8) * 255))
    photo = photo_from_image(image, 30)
    assert photo.alpha is not None and photo.size == (30, 20)
    visible = photo.alpha > 3
    assert (photo.pixels[visible] == 90).all() and not visible.all()

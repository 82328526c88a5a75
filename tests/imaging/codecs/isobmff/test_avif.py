"""AVIF files that avifenc writes, the tool of libavif."""

import shutil
import subprocess

import imagecodecs
import numpy as np
import pytest
from pictures import smooth
from PIL import Image, ImageOps

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode

COLOR = smooth(60, 40)


def encode(folder, *options, pixels=COLOR):
    if shutil.which("avifenc") is None:
        pytest.skip("avifenc is not installed")
    Image.fromarray(pixels).save(folder / "a.png")
    path = folder / "a.avif"
    subprocess.run(["avifenc", *options, folder / "a.png", path], check=True, capture_output=True)
    return path


@pytest.mark.parametrize("options", [
    ["--irot", "1"], ["--irot", "2"], ["--irot", "3"], ["--imir", "0"], ["--imir", "1"],
    ["--irot", "1", "--imir", "0"], ["--irot", "3", "--imir", "1"],
], ids=" ".join)  # fmt: skip
def test_it_is_turned_and_mirrored_as_pillow_does(tmp_path, options):
    path = encode(tmp_path, "-l", *options)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(decode(path).pixels, expected)


def test_the_clean_aperture_is_cropped(tmp_path):
    photo = decode(encode(tmp_path, "-l", "--crop", "8,4,30,20"))
    np.testing.assert_array_equal(photo.pixels, COLOR[4:24, 8:38])


def test_it_is_cropped_before_it_is_turned(tmp_path):
    photo = decode(encode(tmp_path, "-l", "--crop", "8,4,30,20", "--irot", "1"))
    np.testing.assert_array_equal(photo.pixels, np.rot90(COLOR[4:24, 8:38]))


@pytest.mark.parametrize("depth", ["10", "12"])
@pytest.mark.proves("Depth", "10-bit HEIC and AVIF")
def test_more_than_eight_bits_are_kept(tmp_path, depth):
    photo = decode(encode(tmp_path, "-d", depth, "-y", "444", "--min", "0", "--max", "0"))
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.as_srgb() * 255 - COLOR).max() < 3


def test_the_colors_of_display_p3(tmp_path):
    red = np.full((16, 16, 3), (217, 26, 26), np.uint8)
    photo = decode(encode(tmp_path, "-l", "--cicp", "12/13/0", pixels=red))
    srgb = photo.color_space.to_srgb(photo.as_floats())[8, 8] * 255
    np.testing.assert_allclose(srgb, (237, -61, -10), atol=1)


@pytest.mark.parametrize("transfer", ["16", "18"])
def test_hdr_is_compressed_with_a_warning(tmp_path, transfer):
    """Level 148 of 255 is diffuse white in PQ, and 191 in HLG (BT.2408)."""
    white = np.full((16, 16, 3), 148 if transfer == "16" else 191, np.uint8)
    photo = decode(encode(tmp_path, "-l", "--cicp", f"9/{transfer}/0", pixels=white))
    assert "HDR" in photo.warnings[0] and photo.grey
    assert photo.as_srgb().min() > 0.985


def test_a_profile_counts_for_more_than_numbers(tmp_path):
    profile = imagecodecs.cms_profile("adobergb")
    Image.fromarray(COLOR).save(tmp_path / "a.avif", icc_profile=profile)
    assert decode(tmp_path / "a.avif").color_space.profile == profile


def test_unknown_numbers_are_a_warning(tmp_path):
    photo = decode(encode(tmp_path, "--cicp", "3/3/1"))
    assert "sRGB" in photo.warnings[0] and photo.color_space.is_srgb


@pytest.mark.parametrize("brand", [b"mif1", b"miaf", b"msf1"])
def test_any_major_brand(tmp_path, brand):
    path = encode(tmp_path, "-l")
    content = bytearray(path.read_bytes())
    content[8:12] = brand
    path.write_bytes(content)
    np.testing.assert_array_equal(decode(path).pixels, COLOR)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_grey_and_opacity(tmp_path, mode):
    image = Image.fromarray(COLOR).convert(mode)
    if "A" in mode:
        image.putalpha(Image.fromarray(np.full((40, 60), 90, np.uint8)))
    image.save(tmp_path / "a.avif", quality=100)
    photo = decode(tmp_path / "a.avif")
    assert photo.grey == (mode != "RGBA")
    assert (photo.alpha is not None) == ("A" in mode)
    if photo.alpha is not None:
        assert np.abs(photo.alpha.astype(int) - 90).max() <= 1


def test_damaged_exif_does_not_stop_it(tmp_path):
    exif = b"Exif\0\0MM\0*\xff\xff\xff\xff" + bytes(20)
    (tmp_path / "exif").write_bytes(exif)
    path = encode(tmp_path, "-l", "--exif", str(tmp_path / "exif"))
    np.testing.assert_array_equal(decode(path).pixels, COLOR)


def test_of_an_animation_the_first_picture_is_read(tmp_path):
    Image.fromarray(COLOR).save(
        tmp_path / "a.avif", quality=100, save_all=True, append_images=[Image.new("RGB", (60, 40))]
    )
    photo = decode(tmp_path / "a.avif")
    assert np.abs(photo.pixels.astype(int) - COLOR).mean() < 3
    assert "several" in photo.warnings[0]


def test_more_pixels_than_the_limit(tmp_path):
    with pytest.raises(PhotoError, match="60 x 40 pixels"):
        decode(encode(tmp_path), None, 2399)


def test_damaged_boxes_are_reported(tmp_path):
    path = encode(tmp_path)
    whole, draw = path.read_bytes(), np.random.default_rng(0)
    failed = 0
    for _ in range(60):
        changed = bytearray(whole)
        for at in draw.integers(0, 300, 4):
            changed[at] = draw.integers(256)
        path.write_bytes(changed)
        try:
            decode(path)
        except PhotoError as problem:
            failed += str(problem).startswith(str(path))
    assert failed

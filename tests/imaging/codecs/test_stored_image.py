"""From stored channels to photos, by way of files that other libraries write."""

import imagecodecs
import numpy as np
import pytest
import tifffile
from pictures import smooth
from PIL import Image

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.codecs.stored_image import StoredImage, photo_from_stored

LINEAR = imagecodecs.cms_profile(
    "rgb",
    whitepoint=[0.3127, 0.3290, 1.0],
    primaries=[0.64, 0.33, 1.0, 0.3, 0.6, 1.0, 0.15, 0.06, 1.0],
    gamma=1.0,
)
TONES = np.tile(np.arange(256), (32, 1))


def srgb(linear):
    """The curve of sRGB (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.proves("Grey photos", "even if they are stored as RGB")
def test_black_and_white_of_another_color_space_is_stored_as_it_looks(tmp_path, suffix, dtype):
    if dtype is np.uint16 and suffix in {".jpg", ".webp"}:
        pytest.skip("a format of 8 bits")
    stored = np.repeat((TONES * (np.iinfo(dtype).max // 255)).astype(dtype)[..., None], 3, axis=2)
    path = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(path, stored, photometric="rgb", iccprofile=LINEAR)
    elif dtype is np.uint16:
        plain = imagecodecs.png_encode(stored)
        path.write_bytes(plain[:33] + icc_chunk(tmp_path, LINEAR) + plain[33:])
    else:
        lossless = {"lossless": True} if suffix == ".webp" else {"quality": 100}
        Image.fromarray(stored).save(path, icc_profile=LINEAR, **lossless)
    photo = decode(path)
    assert photo.grey
    write_photo(photo, tmp_path / "result.png")
    with Image.open(tmp_path / "result.png") as result:
        assert result.mode in {"L", "I;16"} and "icc_profile" not in result.info
        white = 255 if result.mode == "L" else 65535
        seen = np.asarray(result) / white
    assert np.abs(seen - srgb(TONES / 255)).mean() < 0.5 / 255


def icc_chunk(folder, profile):
    """The iCCP chunk that Pillow writes."""
    Image.new("RGB", (1, 1)).save(folder / "profile.png", icc_profile=profile)
    content = (folder / "profile.png").read_bytes()
    start = content.index(b"iCCP") - 4
    return content[start : start + 12 + int.from_bytes(content[start : start + 4])]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
@pytest.mark.parametrize("space", ["gray", "rgb"])
def test_the_profile_of_grey_levels_is_honoured(tmp_path, suffix, space):
    profile = imagecodecs.cms_profile("gray", gamma=1.0) if space == "gray" else LINEAR
    path = tmp_path / f"a{suffix}"
    Image.fromarray(TONES.astype(np.uint8)).save(path, icc_profile=profile, quality=100)
    photo = decode(path)
    assert photo.grey and photo.warnings == ()
    assert np.abs(photo.as_srgb()[..., 0] - srgb(TONES / 255)).mean() < 1 / 255


def test_sixteen_bit_grey_png_is_converted_by_its_profile(tmp_path):
    plain = imagecodecs.png_encode((TONES * 257).astype(np.uint16))
    profile = imagecodecs.cms_profile("gray", gamma=1.0)
    path = tmp_path / "a.png"
    Image.new("L", (1, 1)).save(tmp_path / "profile.png", icc_profile=profile)
    path.write_bytes(plain[:33] + icc_chunk(tmp_path, profile) + plain[33:])
    photo = decode(path)
    assert photo.pixels.dtype == np.uint16
    assert np.abs(photo.as_srgb()[..., 0] - srgb(TONES / 255)).max() < 0.5 / 255


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_number_of_channels_tells_grey_and_opacity(count):
    levels = np.full((4, 6, count), 7, np.uint16)
    image = StoredImage.of(levels)
    assert image.model == ("grey" if count <= 2 else "rgb")
    assert (image.alpha is not None) == (count in {2, 4})


@pytest.mark.parametrize("long_edge", [None, 15])
def test_inks_are_resized_one_by_one(long_edge):
    inks = np.concatenate([255 - smooth(60, 40), np.zeros((40, 60, 1), np.uint8)], 2)
    photo = photo_from_stored(StoredImage(inks, "cmyk"), long_edge=long_edge)
    expected = Image.fromarray(smooth(60, 40)).resize(photo.size, Image.Resampling.LANCZOS)
    assert np.abs(photo.pixels.astype(int) - np.asarray(expected)).max() <= 2

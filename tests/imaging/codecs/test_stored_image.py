"""From stored channels to photos, by way of files that other libraries write."""

import io
import shutil
import struct
import subprocess

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from pictures import smooth
from PIL import Image, ImageCms

from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.codecs.stored_image import StoredImage, photo_from_stored
from enhance_cli.imaging.metadata.exif import update_block
from enhance_cli.imaging.resize import Size

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


def exif_with(folder, *tags):
    """An EXIF block that ExifTool writes."""
    if shutil.which("exiftool") is None:
        pytest.skip("ExifTool is not installed")
    Image.new("RGB", (8, 8)).save(folder / "exif.jpg")
    command = ["exiftool", "-q", "-overwrite_original", *tags, folder / "exif.jpg"]
    subprocess.run(command, check=True)
    with Image.open(folder / "exif.jpg") as image:
        return image.info["exif"]


def adobe_red():
    """By the primaries and the gamma of Adobe RGB (1998), and the inverse of sRGB's matrix."""
    to_xyz = [[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]]
    of_xyz = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
    light = np.array([217, 26, 26]) / 255
    return srgb_signed(np.array(of_xyz) @ np.array(to_xyz) @ light ** (563 / 256)) * 255


def srgb_signed(linear):
    return np.where(linear < 0.0031308, 12.92 * linear, 1.055 * abs(linear) ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif", "heic", "tif"])
@pytest.mark.parametrize("tags", [
    ["-ColorSpace#=65535", "-InteropIndex=R03"],
    ["-ColorSpace#=2"],
], ids=" ".join)  # fmt: skip
@pytest.mark.proves("Colour", "Adobe RGB may be named by EXIF alone")
def test_adobe_rgb_by_exif_alone(tmp_path, suffix, tags):
    exif = exif_with(tmp_path, *tags)
    red, path = np.full((64, 64, 3), (217, 26, 26), np.uint8), tmp_path / f"a.{suffix}"
    image = Image.fromarray(red)
    if suffix == "heic":
        pillow_heif.from_pillow(image).save(path, quality=-1, chroma=444, exif=exif)
    elif suffix == "tif":
        tifffile.imwrite(path, red, photometric="rgb", metadata=None)
        command = ["exiftool", "-q", "-overwrite_original", *tags, path]
        subprocess.run(command, check=True)
    else:
        options = {"lossless": True} if suffix == "webp" else {"quality": 100}
        image.save(path, exif=exif, **options)
    photo = decode(path)
    found = photo.color_space.to_srgb(photo.as_floats())[32, 32] * 255
    np.testing.assert_allclose(found, adobe_red(), atol=4)


@pytest.mark.parametrize("tags", [
    ["-ColorSpace#=65535", "-InteropIndex=R98"],
    ["-ColorSpace#=65535"],
    ["-ColorSpace#=1", "-InteropIndex=R03"],
], ids=" ".join)  # fmt: skip
def test_all_else_that_exif_says_is_srgb(tmp_path, tags):
    Image.fromarray(np.full((16, 16, 3), (217, 26, 26), np.uint8)).save(
        tmp_path / "a.jpg", exif=exif_with(tmp_path, *tags)
    )
    assert decode(tmp_path / "a.jpg").color_space.is_srgb


def test_a_profile_counts_for_more_than_exif(tmp_path):
    exif = exif_with(tmp_path, "-ColorSpace#=65535", "-InteropIndex=R03")
    image = Image.fromarray(np.full((16, 16, 3), (217, 26, 26), np.uint8))
    image.save(tmp_path / "a.jpg", exif=exif, icc_profile=LINEAR)
    assert decode(tmp_path / "a.jpg").color_space.profile == LINEAR


@pytest.mark.parametrize("srgb", [True, False])
def test_the_index_of_a_result_is_that_of_its_color_space(tmp_path, srgb):
    exif = exif_with(tmp_path, "-ColorSpace#=65535", "-InteropIndex=R03")
    updated = update_block(exif, Size(8, 8), srgb=srgb)
    Image.new("RGB", (8, 8)).save(tmp_path / "b.jpg", exif=updated)
    command = ["exiftool", "-s3", "-n", "-ColorSpace", "-InteropIndex", tmp_path / "b.jpg"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert found == (["1", "R98"] if srgb else ["65535", "R03"])


def scanner_profile():
    """An RGB profile with a table from RGB to Lab and none back (ICC.1:2004-10, 10.8)."""
    steps = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 3, indexing="ij"), -1).reshape(1, -1, 3)
    wide = imagecodecs.cms_profile("adobergb")
    lab = imagecodecs.cms_transform(
        steps.astype(np.float32) ** 1.3,  # a curve of its own
        wide,
        imagecodecs.cms_profile("lab4"),
        colorspace="rgb",
        outcolorspace="lab",
        outdtype="float32",
    )[0]
    stored = np.stack([lab[:, 0] * 652.8, (lab[:, 1] + 128) * 256, (lab[:, 2] + 128) * 256], 1)
    ends = struct.pack(">6H", *[0, 65535] * 3)
    table = b"mft2" + bytes([0, 0, 0, 0, 3, 3, 9, 0])
    table += struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table += struct.pack(">HH", 2, 2) + ends + stored.round().astype(">u2").tobytes() + ends
    description = b"desc" + bytes(4) + struct.pack(">I", 8) + b"Scanner\0" + bytes(78)
    tags = {
        b"desc": description + bytes(-len(description) % 4),
        b"cprt": b"text" + bytes(8),
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061),
        b"A2B0": table,
    }
    index, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        index += name + struct.pack(">II", start + len(body), len(content))
        body += content
    header = struct.pack(">I4xI4s4s4s12x4s", start + len(body), 0x02400000, *SCANNER, b"acsp")
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + index + body


SCANNER = (b"scnr", b"RGB ", b"Lab ")


def write_scan(path, pixels, profile):
    """Write pixels with as little loss as the format allows, in a profile."""
    image = Image.fromarray(pixels)
    if path.suffix == ".jxl":
        if shutil.which("cjxl") is None:
            pytest.skip("cjxl is not installed")
        image.save(path.with_suffix(".png"), icc_profile=profile)
        distance = "0.3" if path.stem == "lossy" else "0"
        command = ["cjxl", path.with_suffix(".png"), path, "-d", distance]
        subprocess.run(command, check=True, capture_output=True)
    elif path.suffix == ".heic":
        heif = pillow_heif.from_pillow(image)
        heif.info.update(icc_profile=profile, icc_profile_type="prof")
        heif.save(path, quality=100, chroma="444")
    elif path.suffix == ".jp2":
        image.save(path)
        content = path.read_bytes()
        at, header = content.index(b"colr") - 4, content.index(b"jp2h") - 4
        old = int.from_bytes(content[at : at + 4])
        box = struct.pack(">I4sBxx", 11 + len(profile), b"colr", 2) + profile
        length = int.from_bytes(content[header : header + 4]) + len(box) - old
        start = content[:header] + length.to_bytes(4) + content[header + 4 : at]
        path.write_bytes(start + box + content[at + old :])
    else:
        lossless = {"lossless": True} if path.suffix == ".webp" else {"quality": 100}
        sampling = {"subsampling": "4:4:4"} if path.suffix in {".jpg", ".avif"} else {}
        image.save(path, icc_profile=profile, **lossless, **sampling)
    return path


@pytest.mark.parametrize(
    "name",
    ["a.png", "a.tif", "a.jpg", "a.webp", "a.avif", "a.heic", "a.jp2", "a.jxl", "lossy.jxl"],
)
def test_a_scanners_profile_that_only_describes_reading_is_honoured(tmp_path, name):
    profile = scanner_profile()
    pixels = (smooth(64, 48) // 3 + 80).astype(np.uint8)  # within sRGB
    photo = decode(write_scan(tmp_path / name, pixels, profile))
    expected = ImageCms.profileToProfile(
        Image.fromarray(pixels),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    difference = np.abs(photo.as_srgb().clip(0, 1) * 255 - np.asarray(expected))
    assert difference.mean() < 1.3  # single colors: Pillow converts by a table of its own
    assert np.abs(pixels - np.asarray(expected).astype(int)).mean() > 5, "the profile matters"
    assert any("Adobe RGB" in warning for warning in photo.warnings)
    write_photo(photo, tmp_path / "result.png")
    with Image.open(tmp_path / "result.png") as result:
        assert b"Adobe RGB" in result.info["icc_profile"]


def test_sixteen_bits_of_a_scanner_stay_sixteen(tmp_path):
    pixels = (smooth(64, 48).astype(np.uint16) // 3 + 80) * 257
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", iccprofile=scanner_profile())
    photo = decode(tmp_path / "a.tif")
    assert photo.pixels.dtype == np.uint16 and len(np.unique(photo.pixels)) > 256

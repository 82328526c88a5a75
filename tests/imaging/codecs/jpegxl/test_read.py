"""JPEG XL files that cjxl writes, the tool of libjxl, and what djxl reads from them."""

import shutil
import subprocess
from io import BytesIO

import imagecodecs
import numpy as np
import piexif
import pytest
from pictures import smooth, srgb_to_linear
from PIL import Image

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.cicp import describe_code_points
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.jpegxl.container import CONTAINER

COLOR = smooth(60, 40)
EXIF = piexif.dump({"0th": {271: b"Maker", 274: 6}})
PACKET = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'


def cjxl(folder, *options, pixels=COLOR, source="png", **saved):
    if shutil.which("cjxl") is None:
        pytest.skip("cjxl is not installed")
    original, path = folder / f"a.{source}", folder / "a.jxl"
    if pixels.dtype == np.uint16:
        original.write_bytes(imagecodecs.png_encode(pixels))
    else:
        Image.fromarray(pixels).save(original, **saved)
    subprocess.run(["cjxl", original, path, *options], check=True, capture_output=True)
    return path


def djxl(path, suffix="png"):
    """The pixels that djxl gives, in the file's own color space."""
    target = path.with_suffix(f".of-djxl.{suffix}")
    subprocess.run(["djxl", path, target], check=True, capture_output=True)
    if suffix == "png":
        return imagecodecs.png_decode(target.read_bytes())
    lines, values = target.read_bytes().split(b"\n", 3)[:3], target.read_bytes().split(b"\n", 3)[3]
    wide, tall = map(int, lines[1].split())
    order = "<" if lines[2].startswith(b"-") else ">"
    return np.frombuffer(values, f"{order}f4").reshape(tall, wide, -1)[::-1]


def box(kind, content):
    return (8 + len(content)).to_bytes(4) + kind + content


def in_boxes(path, *boxes):
    """Put a bare codestream in boxes, with others in front."""
    ftyp = box(b"ftyp", b"jxl \0\0\0\0jxl ")
    path.write_bytes(CONTAINER + ftyp + b"".join(boxes) + box(b"jxlc", path.read_bytes()))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("boxes", [[], ["--container=1"]])
def test_it_is_read_without_loss(tmp_path, mode, boxes):
    image = Image.fromarray(COLOR).convert(mode)
    if "A" in mode:
        image.putalpha(Image.fromarray(COLOR[..., 0]))
    pixels = np.asarray(image)
    photo = decode(cjxl(tmp_path, "-d", "0", *boxes, pixels=pixels))
    assert photo.grey == mode.startswith("L") and photo.lossless and photo.warnings == ()
    expected = pixels if pixels.ndim == 3 else pixels[..., None]
    n_colors = 1 if photo.grey else 3
    np.testing.assert_array_equal(photo.pixels[..., :n_colors], expected[..., :n_colors])
    assert (photo.alpha is not None) == ("A" in mode)
    if photo.alpha is not None:
        np.testing.assert_array_equal(photo.alpha, COLOR[..., 0])


def test_a_lossy_one_is_read_as_djxl_reads_it(tmp_path):
    path = cjxl(tmp_path, "-q", "90")
    photo = decode(path)
    assert photo.pixels.dtype == np.uint8 and not photo.lossless
    assert np.abs(photo.pixels.astype(int) - djxl(path)).max() <= 2


def test_sixteen_bits_are_kept(tmp_path):
    levels = COLOR.astype(np.uint16) * 257 + np.arange(60, dtype=np.uint16)[None, :, None]
    photo = decode(cjxl(tmp_path, "-d", "0", pixels=levels))
    np.testing.assert_array_equal(photo.pixels, levels)


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
@pytest.mark.parametrize("lossless", [True, False])
def test_other_depths_become_sixteen_bits(tmp_path, bits, lossless):
    white = 2**bits - 1
    levels = (COLOR / 255 * white).round().astype(np.uint16)
    path = tmp_path / "a.jxl"
    path.write_bytes(
        imagecodecs.jpegxl_encode(
            levels, bitspersample=bits, lossless=lossless, distance=0 if lossless else 0.3
        )
    )
    photo = decode(path)
    assert photo.pixels.dtype == np.uint16
    light = photo.as_floats()
    assert np.abs(light - levels / white).max() < (1e-5 if lossless else 0.05)


def test_floats_of_linear_light(tmp_path):
    """Portable float maps are linear; djxl gives them back."""
    light = srgb_to_linear(COLOR / 255).astype("<f4")
    (tmp_path / "a.pfm").write_bytes(b"PF\n60 40\n-1.0\n" + light[::-1].tobytes())
    if shutil.which("cjxl") is None:
        pytest.skip("cjxl is not installed")
    path = tmp_path / "a.jxl"
    options = ["-d", "0", "-x", "color_space=RGB_D65_SRG_Rel_Lin"]
    subprocess.run(["cjxl", tmp_path / "a.pfm", path, *options], check=True, capture_output=True)
    photo = decode(path)
    assert photo.pixels.dtype == np.uint16
    assert np.abs(srgb_to_linear(photo.as_srgb()) - djxl(path, "pfm")).max() < 1e-3
    assert np.abs(photo.as_srgb() * 255 - COLOR).max() < 0.6


class TestColor:
    @pytest.mark.parametrize("name", ["adobergb"])
    @pytest.mark.parametrize("options", [["-d", "0"], ["-d", "0.3"]], ids=" ".join)
    def test_a_profile_is_kept_byte_by_byte(self, tmp_path, name, options):
        profile = imagecodecs.cms_profile(name)
        photo = decode(cjxl(tmp_path, *options, icc_profile=profile))
        assert photo.color_space.profile == profile
        difference = np.abs(photo.pixels.astype(int) - COLOR)
        assert difference.max() <= (0 if options[1] == "0" else 12)
        assert difference.mean() < 2

    def test_a_lossy_one_with_a_profile_keeps_colors_outside_srgb(self, tmp_path):
        """Without its own profile, libjxl would cut them off."""
        green = np.full((40, 60, 3), (20, 250, 20), np.uint8)
        profile = imagecodecs.cms_profile("adobergb")
        photo = decode(cjxl(tmp_path, "-d", "0.3", pixels=green, icc_profile=profile))
        assert photo.color_space.profile == profile
        assert np.abs(photo.pixels.astype(int) - green).max() <= 6

    def test_a_grey_profile(self, tmp_path):
        """A gamma of 1: half the light is sRGB's level 188."""
        profile = imagecodecs.cms_profile("gray", gamma=1.0)
        grey = np.full((40, 60), 128, np.uint8)
        photo = decode(cjxl(tmp_path, "-d", "0", pixels=grey, icc_profile=profile))
        assert photo.grey and np.abs(photo.pixels.astype(int) - 188).max() <= 1

    @pytest.mark.parametrize("options", [["-d", "0"], ["-d", "0.3"]], ids=" ".join)
    def test_the_colors_of_display_p3(self, tmp_path, options):
        red = np.full((16, 16, 3), (217, 26, 26), np.uint8)
        path = cjxl(tmp_path, *options, "-x", "color_space=RGB_D65_DCI_Rel_SRG", pixels=red)
        photo = decode(path)
        srgb = photo.color_space.to_srgb(photo.as_floats())[8, 8] * 255
        np.testing.assert_allclose(srgb, (237, -61, -10), atol=1 if options[1] == "0" else 6)

    @pytest.mark.parametrize(("space", "level", "expected"), [
        ("RGB_D65_SRG_Rel_Lin", 128, 188), ("RGB_D65_SRG_Rel_g0.5555556", 128, 146),
        ("Gra_D65_Rel_Lin", 128, 188),
    ])  # fmt: skip
    def test_curves(self, tmp_path, space, level, expected):
        """Half the light, and 0.5 to the power of 1.8, as levels of sRGB."""
        pixels = np.full((16, 16) if space.startswith("Gra") else (16, 16, 3), level, np.uint8)
        photo = decode(cjxl(tmp_path, "-d", "0", "-x", f"color_space={space}", pixels=pixels))
        assert np.abs(photo.as_srgb() * 255 - expected).max() <= 1.5

    @pytest.mark.parametrize(("transfer", "white"), [("PeQ", 148), ("HLG", 191)])
    def test_hdr_is_compressed_with_a_warning(self, tmp_path, transfer, white):
        """Level 148 of 255 is diffuse white in PQ, and 191 in HLG (BT.2408)."""
        pixels = np.full((16, 16, 3), white, np.uint8)
        path = cjxl(tmp_path, "-d", "0", "-x", f"color_space=RGB_D65_202_Rel_{transfer}",
                    pixels=pixels)  # fmt: skip
        photo = decode(path)
        assert "HDR" in photo.warnings[0] and photo.grey
        assert photo.as_srgb().min() > 0.985


class TestJpegInside:
    def test_a_jpeg_that_was_packed(self, tmp_path):
        path = cjxl(tmp_path, source="jpg", quality=95)
        with Image.open(tmp_path / "a.jpg") as image:
            expected = np.asarray(image)
        assert np.abs(decode(path).pixels.astype(int) - expected).max() <= 3

    def test_its_profile_and_exif_are_kept_and_it_is_turned_once(self, tmp_path):
        profile = imagecodecs.cms_profile("adobergb")
        path = cjxl(tmp_path, source="jpg", quality=95, icc_profile=profile, exif=EXIF)
        photo = decode(path)
        assert photo.size == (40, 60) and photo.color_space.profile == profile
        assert photo.metadata.exif == EXIF.removeprefix(b"Exif\0\0")
        expected = np.rot90(COLOR, -1).astype(int)
        assert np.abs(photo.pixels - expected).mean() < 3


@pytest.mark.parametrize("orientation", range(2, 9))
def test_it_is_turned_once_whatever_exif_says_too(tmp_path, orientation):
    """libjxl's own decoder shows how it stands upright."""
    exif = piexif.dump({"0th": {274: orientation}})
    path = cjxl(tmp_path, "-d", "0", source="jpg", quality=100, subsampling=0, exif=exif)
    assert decode(path).metadata.exif
    assert np.abs(decode(path).pixels.astype(int) - djxl(path)).max() <= 1


class TestBoxes:
    def test_exif_and_xmp(self, tmp_path):
        path = cjxl(tmp_path, "-d", "0")
        in_boxes(path, box(b"Exif", bytes(4) + EXIF[6:]), box(b"xml ", PACKET))
        metadata = decode(path).metadata
        assert metadata.exif == EXIF[6:] and metadata.xmp == PACKET
        assert decode(path).size == (60, 40), "the orientation in EXIF does not count"

    def test_packed_ones(self, tmp_path):
        path = cjxl(tmp_path, "-d", "0")
        packed = [(b"Exif", bytes(4) + EXIF[6:]), (b"xml ", PACKET)]
        in_boxes(path, *(box(b"brob", k + imagecodecs.brotli_encode(c)) for k, c in packed))
        metadata = decode(path).metadata
        assert metadata.exif == EXIF[6:] and metadata.xmp == PACKET

    def test_a_packed_one_of_a_gigabyte_is_left_out(self, tmp_path):
        path = cjxl(tmp_path, "-d", "0")
        in_boxes(path, box(b"brob", b"xml " + imagecodecs.brotli_encode(bytes(2**27))))
        metadata = decode(path).metadata
        assert metadata.xmp is None and "damaged" in metadata.unreadable[0]

    def test_a_gain_map_is_noticed(self, tmp_path):
        path = cjxl(tmp_path, "-d", "0")
        in_boxes(path, box(b"jhgm", bytes(20)))
        assert decode(path).metadata.gain_map

    def test_a_codestream_in_parts(self, tmp_path):
        path = cjxl(tmp_path, "-d", "0")
        content = path.read_bytes()
        parts = [content[:50], content[50:90], content[90:]]
        numbers = [0, 1, 2 | 1 << 31]
        boxes = [box(b"jxlp", n.to_bytes(4) + p) for n, p in zip(numbers, parts, strict=True)]
        path.write_bytes(CONTAINER + box(b"ftyp", b"jxl \0\0\0\0jxl ") + b"".join(boxes))
        np.testing.assert_array_equal(decode(path).pixels, COLOR)


def test_of_an_animation_the_first_picture_is_read(tmp_path):
    first, second = Image.fromarray(COLOR).quantize(64), Image.new("P", (60, 40))
    with BytesIO() as file:
        first.save(file, "GIF", save_all=True, append_images=[second], duration=100)
        (tmp_path / "a.gif").write_bytes(file.getvalue())
    if shutil.which("cjxl") is None:
        pytest.skip("cjxl is not installed")
    path = tmp_path / "a.jxl"
    subprocess.run(["cjxl", tmp_path / "a.gif", path, "-d", "0"], check=True, capture_output=True)
    photo = decode(path)
    assert "several" in photo.warnings[0]
    np.testing.assert_array_equal(photo.pixels, np.asarray(first.convert("RGB")))


@pytest.mark.parametrize("options", [["-d", "0"], ["-d", "1"], ["-p", "-d", "1"]], ids=" ".join)
@pytest.mark.parametrize("missing", [1, 20, 0.5])
def test_a_file_that_is_cut_short_is_refused(tmp_path, options, missing):
    path = cjxl(tmp_path, *options)
    content = path.read_bytes()
    path.write_bytes(content[: -int(missing if missing >= 1 else len(content) * missing)])
    with pytest.raises(PhotoError, match=r"a\.jxl: damaged"):
        decode(path)


def test_more_pixels_than_the_limit_are_refused_before_they_are_read(tmp_path):
    """A header alone that claims 2^30 x 2^30 pixels: nothing follows it."""
    path = tmp_path / "a.jxl"
    side = (2**30 - 1) << 3 | 3 << 1  # a side of 30 bits, after the bit that says "no eighths"
    bits = side | (3 << 36 | (2**30 - 1) << 38) | 1 << 68
    path.write_bytes(b"\xff\x0a" + bits.to_bytes(12, "little"))
    with pytest.raises(PhotoError, match="1073741824 x 1073741824 pixels, the limit is"):
        decode(path)
    with pytest.raises(PhotoError, match="60 x 40 pixels"):
        decode(cjxl(tmp_path), None, 2399)


def test_pixels_are_reserved(tmp_path):
    reserved = []
    decode(cjxl(tmp_path), None, 10_000, reserved.append)
    assert reserved == [2400]


def test_a_profile_of_numbers_has_the_primaries_of_cicp(tmp_path):
    path = cjxl(tmp_path, "-d", "0", "-x", "color_space=RGB_D65_DCI_Rel_SRG")
    assert decode(path).color_space.profile == describe_code_points(12, 13).profile

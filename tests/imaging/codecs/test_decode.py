import struct

import numpy as np
import pytest
import tifffile
from pictures import scene, srgb_to_prophoto
from PIL import Image, ImageCms

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs import pillow_image
from enhance_cli.imaging.codecs.decode import decode

QUADRANTS = np.array([[[220, 30, 30], [30, 200, 30]], [[30, 30, 220], [230, 230, 230]]], np.uint8)

# How the stored picture must lie so that a viewer that heeds the tag shows QUADRANTS (EXIF 2.32).
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


def enlarged(pixels, factor):
    return pixels.again(factor, 0).again(factor, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png", ".tif"])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    upright = enlarged(QUADRANTS, 32)[:48]  # 48 x 64: a turn shows in the size too
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned{suffix}"
    stored = np.ascontiguousarray(STORED[orientation](upright))
    Image.fromarray(stored).save(path, exif=exif, quality=95)
    pixels = decode(path, 500).as_srgb()
    assert pixels.shape == upright.shape
    for y, x in ((8, 8), (8, 56), (40, 8), (40, 56)):
        np.testing.assert_allclose(pixels[y, x] * 255, upright[y, x], atol=12)


def test_a_jpeg_is_a_jpeg_whatever_its_size_when_decoded(tmp_path, coffee, write_photo):
    """Decoding at reduced scale agrees with decoding in full and resizing."""
    large = np.asarray(Image.fromarray(coffee).resize((2400, 1600)))
    path = write_photo(tmp_path / "large.jpg", large)
    with Image.open(path) as image:
        expected = np.asarray(image.resize((500, 333), Image.Resampling.LANCZOS))
    pixels = decode(path, 500).as_srgb()
    assert pixels.shape == (333, 500, 3)
    difference = np.abs(pixels * 255 - expected)
    assert difference.mean() < 1 and np.percentile(difference, 99) < 6


def test_a_large_jpeg_is_decoded_at_reduced_scale(tmp_path, write_photo, monkeypatch):
    path = write_photo(tmp_path / "large.jpg", size=(4000, 2000))
    sizes = []
    convert = bitmaps._to_eight_bits
    monkeypatch.setattr(
        bitmaps, "_to_eight_bits", lambda image: sizes.append(image.size) or convert(image)
    )
    decode(path, 500)
    assert sizes == [(1000, 500)]


def test_nothing_is_enlarged(tmp_path, write_photo):
    assert decode(write_photo(tmp_path / "a.jpg"), 500).as_srgb().shape == (40, 60, 3)


def test_one_pixel(tmp_path, write_photo):
    path = write_photo(tmp_path / "dot.png", np.full((1, 1, 3), 51, np.uint8))
    np.testing.assert_allclose(decode(path, 500).as_srgb(), np.full((1, 1, 3), 0.2), atol=1e-6)


def test_a_panorama_keeps_its_proportions(tmp_path, write_photo):
    path = write_photo(tmp_path / "panorama.jpg", size=(4000, 200))
    assert decode(path, 500).as_srgb().shape == (25, 500, 3)


def test_a_name_with_spaces_and_foreign_letters(tmp_path, write_photo):
    assert decode(write_photo(tmp_path / "Zürich été (2) 写真.jpg"), 500).as_srgb().shape == (
        40,
        60,
        3,
    )


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_a_grey_photo_is_known_as_such(tmp_path, mode):
    path = tmp_path / "grey.png"
    Image.new("L", (8, 8), 255).convert(mode).save(path)
    photo = decode(path, 500)
    assert photo.grey and photo.pixels.shape == (8, 8, 3)
    np.testing.assert_allclose(photo.as_srgb(), 1)


def test_a_grey_photo_stored_as_rgb_is_known_too(tmp_path, coffee, write_photo):
    grey = np.asarray(Image.fromarray(coffee).convert("L").convert("RGB"))
    assert decode(write_photo(tmp_path / "grey.jpg", grey, quality=80), 500).grey
    toned = (grey * [1.0, 0.95, 0.9]).astype(np.uint8)
    assert not decode(write_photo(tmp_path / "toned.jpg", toned), 500).grey
    assert not decode(write_photo(tmp_path / "colour.jpg", coffee), 500).grey


def test_sixteen_bit_grey_keeps_its_tones(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((8, 8), 32896, np.uint16)).save(path)  # 128 x 257
    photo = decode(path, 500)
    assert photo.grey
    np.testing.assert_allclose(photo.as_srgb(), 128 / 255, atol=1e-6)


def test_floating_point_pixels_are_named_as_the_reason(tmp_path):
    path = tmp_path / "float.tif"
    Image.fromarray(np.zeros((8, 8), np.float32)).save(path)
    with pytest.raises(PhotoError, match="floating-point"):
        decode(path, 500)


def test_palette(tmp_path):
    path = tmp_path / "palette.png"
    Image.fromarray(enlarged(QUADRANTS, 8)).quantize(4).save(path)
    np.testing.assert_allclose(decode(path, 500).as_srgb()[2, 2] * 255, [220, 30, 30], atol=2)


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


def test_only_the_first_of_several_pictures_is_read_and_that_is_said(tmp_path):
    path = tmp_path / "pages.tif"
    first, second = (Image.new("RGB", (8, 8), color) for color in ("white", "black"))
    first.save(path, save_all=True, append_images=[second])
    photo = decode(path, 500)
    assert photo.pixels.min() == 255 and "several" in photo.warnings[0]


def test_an_embedded_profile_is_converted(tmp_path):
    """A profile whose red and blue primaries change places turns blue into red."""
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


class TestDamaged:
    def test_a_truncated_jpeg(self, tmp_path, coffee, write_photo):
        whole = write_photo(tmp_path / "whole.jpg", coffee).read_bytes()
        path = tmp_path / "cut.jpg"
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(PhotoError, match=r"cut\.jpg: damaged.*truncated"):
            decode(path, 500)

    def test_an_empty_file(self, tmp_path):
        path = tmp_path / "empty.jpg"
        path.touch()
        with pytest.raises(PhotoError, match="the file is empty"):
            decode(path, 500)

    @pytest.mark.parametrize("suffix", [".jpg", ".nef", ".tif"])
    def test_a_text_file_in_disguise(self, tmp_path, suffix):
        path = tmp_path / f"notes{suffix}"
        path.write_text("shopping: film, batteries\n" * 40)
        with pytest.raises(PhotoError, match="not a photo"):
            decode(path, 500)

    def test_a_file_that_has_gone(self, tmp_path):
        with pytest.raises(PhotoError, match="not there"):
            decode(tmp_path / "gone.jpg", 500)

    def test_more_pixels_than_asked_for(self, tmp_path, write_photo, write_dng, coffee):
        path = write_photo(tmp_path / "bomb.png")
        with pytest.raises(PhotoError, match="60 x 40 pixels, the limit is 2,399"):
            decode(path, 500, 2399)
        assert decode(path, 500, 2400).size == (60, 40)
        raw = write_dng(tmp_path / "a.dng", coffee[:60, :80])
        with pytest.raises(PhotoError, match="80 x 60 pixels"):
            decode(raw, 500, 4799)


class TestRaw:
    @pytest.fixture
    def write_dng(self, tmp_path):
        def write(mosaic, neutral=(1, 1, 1), name="camera.dng", **tags):
            path = tmp_path / name
            rational = [value for part in neutral for value in (round(part * 10000), 10000)]
            # Of a camera whose primaries are those of sRGB: XYZ (D65) to linear sRGB.
            matrix = [3.2404542, -1.5371385, -0.4985314, -0.9692660, 1.8760108, 0.0415560]
            matrix += [0.0556434, -0.2040259, 1.0572252]
            extra = [
                (271, 2, 0, "Test", True),
                (272, 2, 0, "Camera 1", True),
                (274, 3, 1, tags.get("orientation", 1), True),
                (33421, 3, 2, (2, 2), True),
                (33422, 1, 4, b"\x00\x01\x01\x02", True),
                (50706, 1, 4, b"\x01\x04\x00\x00", True),
                (50708, 2, 0, "Test Camera 1", True),
                (50714, 4, 1, 0, True),
                (50717, 4, 1, 65535, True),
                (50721, 10, 9, [v for m in matrix for v in (round(m * 10000), 10000)], True),
                (50728, 5, 3, rational, True),
                (50778, 3, 1, 21, True),
            ]
            tifffile.imwrite(path, mosaic, photometric="cfa", extratags=extra, metadata=None)
            return path

        return write

    def test_middle_grey_lands_where_srgb_puts_it(self, write_dng):
        path = write_dng(np.full((64, 96), round(0.18 * 65535), np.uint16))
        photo = decode(path, 500)
        assert photo.pixels.shape == (64, 96, 3)
        expected = 1.055 * 0.18 ** (1 / 2.4) - 0.055  # IEC 61966-2-1
        np.testing.assert_allclose(photo.as_srgb()[32, 48], expected, atol=0.01)

    def test_a_dark_frame_stays_dark(self, write_dng):
        pixels = decode(write_dng(np.full((64, 96), 655, np.uint16)), 500).as_srgb()
        assert pixels.max() < 0.12, "brightened automatically"

    def test_the_cameras_white_balance_is_used(self, write_dng):
        mosaic = np.zeros((64, 96), np.uint16)
        mosaic[0::2, 0::2], mosaic[1::2, 1::2] = 10000, 5000  # red, blue
        mosaic[0::2, 1::2] = mosaic[1::2, 0::2] = 20000  # green
        pixel = decode(write_dng(mosaic, neutral=(0.5, 1, 0.25)), 500).as_srgb()[32, 48]
        assert np.ptp(pixel) < 0.02, "a neutral patch is not neutral"

    def test_a_large_raw_is_developed_at_half_size(self, write_dng):
        x = np.mgrid[0:800, 0:1200][1]
        photo = decode(write_dng((x * 40).astype(np.uint16)), 500)
        assert photo.pixels.shape == (333, 500, 3)
        assert (np.diff(photo.as_srgb()[100, 20:-20, 1]) >= -0.01).all()

    def test_tones_finer_than_eight_bits_survive(self, write_dng):
        ramp = np.linspace(655, 3000, 400).astype(np.uint16)
        pixels = decode(write_dng(np.tile(ramp, (64, 1))), 500).as_srgb()
        assert len(np.unique(pixels[30, :, 1])) > 150

    def test_orientation_is_applied(self, write_dng):
        photo = decode(write_dng(np.full((64, 96), 9000, np.uint16), orientation=6), 500)
        assert photo.pixels.shape == (96, 64, 3)

    def test_cut_short(self, write_dng, tmp_path):
        whole = write_dng(np.full((64, 96), 9000, np.uint16)).read_bytes()
        path = tmp_path / "cut.dng"
        path.write_bytes(whole[: len(whole) // 3])
        with pytest.raises(PhotoError, match=r"cut\.dng"):
            decode(path, 500)


class TestDeepTiff:
    """16-bit RGB, as FiveK's experts and Lightroom write it."""

    def test_prophoto_is_converted_by_its_profile(self, tmp_path, write_prophoto, coffee):
        photo = decode(write_prophoto(tmp_path / "a.tif", coffee))
        assert np.abs(photo.as_srgb() - coffee / 255).max() < 0.004
        assert np.abs(photo.as_srgb() - coffee / 255).mean() < 0.0005

    def test_all_sixteen_bits_count(self, tmp_path):
        """Sixteen steps within a single level of 8 bits, in the dark."""
        ramp = np.again(np.arange(512, 768, 16, dtype=np.uint16)[None, :, None], 3, axis=2)
        tifffile.imwrite(tmp_path / "a.tif", ramp, photometric="rgb")
        pixels = decode(tmp_path / "a.tif").pixels
        assert pixels.dtype == np.uint16 and len(np.unique(pixels)) == 16
        np.testing.assert_array_equal(pixels, ramp)

    @pytest.mark.parametrize("compression", ["lzw", "zlib", "adobe_deflate"])
    @pytest.mark.parametrize("planar", ["contig", "separate"])
    def test_compressed_and_in_planes(
        self, tmp_path, coffee, compression, planar, prophoto_profile
    ):
        deep = srgb_to_prophoto(coffee / 255)
        if planar == "separate":
            deep = np.moveaxis(deep, -1, 0)
        tifffile.imwrite(
            tmp_path / "a.tif",
            deep,
            photometric="rgb",
            planarconfig=planar,
            compression=compression,
            iccprofile=prophoto_profile,
        )
        assert np.abs(decode(tmp_path / "a.tif").as_srgb() - coffee / 255).max() < 0.004

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_it_is_turned_upright_as_pillow_turns_it(self, tmp_path, write_prophoto, orientation):
        photo = scene(1, 60, 40)
        tags = [(274, "H", 1, orientation, True)]
        deep = write_prophoto(tmp_path / "deep.tif", photo, extratags=tags)
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(photo).save(tmp_path / "flat.png", exif=exif)
        expected = decode(tmp_path / "flat.png").as_srgb()
        assert np.abs(decode(deep).as_srgb() - expected).max() < 0.01

    def test_it_is_resized_and_transparency_kept(self, tmp_path):
        deep = np.full((300, 600, 4), 40000, np.uint16)
        deep[:, 300:, 3] = 0
        tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", extrasamples=["unassalpha"])
        photo = decode(tmp_path / "a.tif", 60)
        assert photo.pixels.shape == (30, 60, 3)
        assert photo.alpha is not None and photo.alpha[0, 0] > 0.6 and photo.alpha[0, -1] == 0

    def test_a_useless_profile_is_told(self, tmp_path):
        deep = np.full((20, 30, 3), 40000, np.uint16)
        tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", iccprofile=b"nonsense")
        photo = decode(tmp_path / "a.tif")
        assert photo.pixels[0, 0, 0] == 40000
        assert "colour profile" in photo.warnings[0]

    def test_a_file_cut_short(self, tmp_path, write_prophoto, coffee):
        path = write_prophoto(tmp_path / "a.tif", coffee)
        path.write_bytes(path.read_bytes()[:100_000])
        with pytest.raises(PhotoError, match="damaged"):
            decode(path)


class TestDng:
    def test_it_is_developed_to_srgb(self, tmp_path, write_dng):
        photo = scene(2, 120, 80)
        developed = decode(write_dng(tmp_path / "a.dng", photo)).as_srgb()
        assert developed.shape == photo.shape
        inner = np.s_[4:-4, 4:-4]
        assert np.abs(developed[inner] * 255 - photo[inner]).mean() < 1.5

    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    @pytest.mark.parametrize("long_edge", [None, 60])
    def test_the_border_that_the_maker_leaves_out_is_left_out(
        self, tmp_path, write_dng, orientation, long_edge
    ):
        photo = scene(2, 140, 96)
        dng = write_dng(tmp_path / "a.dng", photo, crop=(12, 8, 120, 80), orientation=orientation)
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(photo[8:88, 12:132]).save(tmp_path / "a.png", exif=exif)
        developed = decode(dng, long_edge).as_srgb()
        expected = decode(tmp_path / "a.png", long_edge).as_srgb()
        assert developed.shape == expected.shape
        assert np.abs(developed - expected)[3:-3, 3:-3].mean() < 0.012

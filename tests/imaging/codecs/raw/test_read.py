import struct

import numpy as np
import pytest
import tifffile
from pictures import scene
from PIL import Image

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.metadata.tiff_tags import end_of_pixels


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

    @pytest.mark.proves("RAW", "without automatic brightening")
    def test_a_dark_frame_stays_dark(self, write_dng):
        pixels = decode(write_dng(np.full((64, 96), 655, np.uint16)), 500).as_srgb()
        assert pixels.max() < 0.12, "brightened automatically"

    @pytest.mark.proves("RAW", "is developed with the camera's white balance")
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

    def test_a_truncated_raw_is_an_error(self, write_dng, tmp_path):
        whole = write_dng(np.full((64, 96), 9000, np.uint16)).read_bytes()
        path = tmp_path / "cut.dng"
        path.write_bytes(whole[: len(whole) // 3])
        with pytest.raises(PhotoError, match=r"cut\.dng"):
            decode(path, 500)


class TestIncomplete:
    @pytest.fixture
    def noise(self):
        return np.random.default_rng(0).integers(0, 255, (600, 800, 3), np.uint8)

    @pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.99])
    def test_a_raw_that_is_cut_short_is_an_error(self, tmp_path, write_dng, noise, share):
        path = write_dng(tmp_path / "a.dng", noise)
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(PhotoError, match=r"a\.dng"):
            decode(path)

    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_pixels_in_a_sub_directory_count(self, tmp_path, noise, compression):
        """The picture of the first directory is a thumbnail, as in most cameras' files."""
        path = tmp_path / "a.dng"
        with tifffile.TiffWriter(path) as tiff:
            thumbnail = noise[:30, :40]
            tiff.write(thumbnail, photometric="rgb", subfiletype=1, subifds=1, metadata=None)
            mosaic = noise[..., 0].astype(np.uint16) * 64
            tiff.write(mosaic, photometric="cfa", compression=compression, metadata=None)
        content = path.read_bytes()
        assert end_of_pixels(path) <= len(content)
        path.write_bytes(content[:-1000])
        assert end_of_pixels(path) > len(content) - 1000
        with pytest.raises(PhotoError, match="cut short"):
            decode(path)

    def test_a_raw_without_pixels_is_an_error(self, tmp_path, write_dng):
        with pytest.raises(PhotoError, match="no picture"):
            decode(write_dng(tmp_path / "a.dng", np.zeros((60, 80, 3), np.uint8)))

    def test_boxes_and_fujifilms_header_tell_too(self, tmp_path):
        boxes = b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + b"\0\0\x03\xe8mdat" + bytes(992)
        header = b"FUJIFILMCCD-RAW ".ljust(100, b"\0") + (108).to_bytes(4) + (900).to_bytes(4)
        for name, content in (("a.cr3", boxes), ("a.raf", header + bytes(900))):
            (tmp_path / name).write_bytes(content[:-1])
            with pytest.raises(PhotoError, match="cut short"):
                decode(tmp_path / name)
            (tmp_path / name).write_bytes(content)
            with pytest.raises(PhotoError, match="not a photo"):
                decode(tmp_path / name)


class TestDng:
    def test_a_dng_is_developed_to_srgb(self, tmp_path, write_dng):
        photo = scene(2, 120, 80)
        developed = decode(write_dng(tmp_path / "a.dng", photo)).as_srgb()
        assert developed.shape == photo.shape
        inner = np.s_[4:-4, 4:-4]
        assert np.abs(developed[inner] * 255 - photo[inner]).mean() < 1.5

    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    @pytest.mark.parametrize("long_edge", [None, 60])
    def test_the_border_that_the_maker_crops_is_cropped(
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


def test_a_camera_without_color_filters(tmp_path):
    """As Leica's Monochrom writes it: a DNG of one linear channel (DNG 1.6, LinearRaw)."""
    path = tmp_path / "a.dng"
    level = 0.2  # of 1, linear; in sRGB, 0.4845 by IEC 61966-2-1
    tags = [
        (50706, "B", 4, bytes([1, 4, 0, 0]), True),
        (50708, "s", 0, "Monochrom", True),
        (50717, "I", 1, 65_535, True),
    ]
    pixels = np.full((40, 60), round(65_535 * level), np.uint16)
    tifffile.imwrite(path, pixels, photometric="minisblack", extratags=tags, metadata=None)
    grey, linear_raw = (struct.pack("<HHII", 262, 3, 1, value) for value in (1, 34_892))
    path.write_bytes(path.read_bytes().replace(grey, linear_raw))
    for long_edge, size in ((None, (60, 40)), (30, (30, 20))):
        photo = decode(path, long_edge)
        assert photo.grey and photo.size == size and photo.pixels.shape[2] == 3
        assert np.ptp(photo.pixels) <= 1
        assert photo.pixels[5, 5, 0] / 65_535 == pytest.approx(0.4845, abs=0.01)

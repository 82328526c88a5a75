import struct
import zlib

import numpy as np
import pytest
import tifffile
from pictures import scene, smooth, srgb_to_prophoto
from PIL import Image

from enhance_cli.config.apply import Encoding
from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.photo import Photo


def write_ycbcr(path, pixels, across, down, compress):
    """Write YCbCr with subsampled colors in strips of 64 rows (TIFF 6.0, section 21)."""
    ycc = np.asarray(Image.fromarray(pixels).convert("YCbCr"))
    height, width = pixels.shape[0] // 64 * 64, pixels.shape[1] // 4 * 4
    blocks = ycc[:height, :width].reshape(height // down, down, width // across, across, 3)
    luma = blocks[..., 0].swapaxes(1, 2).reshape(height // down, width // across, -1)
    chroma = blocks[..., 1:].mean(axis=(1, 3)).round().astype(np.uint8)
    rows = np.concatenate([luma, chroma], axis=2).reshape(height // 64, -1)
    strips = [compress(row.tobytes()) for row in rows]
    count = len(strips)
    tags = [
        (256, 4, width), (257, 4, height), (258, 3, 8, 8, 8), (262, 3, 6), (277, 3, 3),
        (259, 3, 8 if compress is zlib.compress else 1), (278, 4, 64), (530, 3, across, down),
        (273, 4, *[0] * count), (279, 4, *map(len, strips)),
    ]  # fmt: skip
    values, at = b"", 8 + 2 + 12 * len(tags) + 4
    start = at + sum(8 * count if tag[0] == 273 else 0 for tag in tags) + 4 * count + 64
    offsets = [start + sum(map(len, strips[:number])) for number in range(count)]
    directory = struct.pack("<H", len(tags))
    for tag, kind, *found in sorted(tags):
        numbers = offsets if tag == 273 else found
        packed = struct.pack(f"<{len(numbers)}{'I' if kind == 4 else 'H'}", *numbers)
        if len(packed) > 4:
            values += packed
            packed = struct.pack("<I", at + len(values) - len(packed))
        directory += struct.pack("<HHI4s", tag, kind, len(numbers), packed)
    head = b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + values
    path.write_bytes(head.ljust(start, b"\0") + b"".join(strips))
    return path


class TestYCbCrWithoutJpeg:
    @pytest.mark.parametrize("sampling", [(1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (4, 4)])
    @pytest.mark.parametrize("compress", [zlib.compress, bytes])
    def test_parts_that_are_missing_are_an_error(self, tmp_path, sampling, compress):
        photo = smooth(240, 256)
        path = write_ycbcr(tmp_path / "a.tif", photo, *sampling, compress)
        assert np.abs(decode(path).pixels - photo.astype(int)).max() < 8
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 3 // 4])
        with pytest.raises(PhotoError, match="damaged"):
            decode(path)
        if compress is zlib.compress:
            middle = len(content) // 2
            path.write_bytes(content[:middle] + bytes(64) + content[middle + 64 :])
            with pytest.raises(PhotoError, match="damaged"):
                decode(path)


class TestSixteenBits:
    """16-bit RGB, as FiveK's experts and Lightroom write it."""

    def test_prophoto_is_converted_by_its_profile(self, tmp_path, write_prophoto, coffee):
        photo = decode(write_prophoto(tmp_path / "a.tif", coffee))
        assert np.abs(photo.as_srgb() - coffee / 255).max() < 0.004
        assert np.abs(photo.as_srgb() - coffee / 255).mean() < 0.0005

    def test_all_sixteen_bits_count(self, tmp_path):
        """A dark ramp of sixteen steps that 8 bits would make one."""
        ramp = np.repeat(np.arange(512, 768, 16, dtype=np.uint16)[None, :, None], 3, axis=2)
        tifffile.imwrite(tmp_path / "a.tif", ramp, photometric="rgb")
        pixels = decode(tmp_path / "a.tif").pixels
        assert pixels.dtype == np.uint16 and len(np.unique(pixels)) == 16
        np.testing.assert_array_equal(pixels, ramp)

    @pytest.mark.parametrize("compression", ["lzw", "zlib", "adobe_deflate"])
    @pytest.mark.parametrize("planar", ["contig", "separate"])
    def test_compressed_pixels_in_planes_are_read(
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
    def test_the_orientation_is_applied_as_pillow_does(self, tmp_path, write_prophoto, orientation):
        photo = scene(1, 60, 40)
        tags = [(274, "H", 1, orientation, True)]
        deep = write_prophoto(tmp_path / "sixteen-bit.tif", photo, extratags=tags)
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(photo).save(tmp_path / "flat.png", exif=exif)
        expected = decode(tmp_path / "flat.png").as_srgb()
        assert np.abs(decode(deep).as_srgb() - expected).max() < 0.01

    def test_a_tiff_is_resized_and_its_transparency_kept(self, tmp_path):
        deep = np.full((300, 600, 4), 40000, np.uint16)
        deep[:, 300:, 3] = 0
        tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", extrasamples=["unassalpha"])
        photo = decode(tmp_path / "a.tif", 60)
        assert photo.pixels.shape == (30, 60, 3)
        assert photo.alpha is not None and photo.alpha[0, 0] > 0.6 and photo.alpha[0, -1] == 0

    def test_an_unusable_profile_is_a_warning(self, tmp_path):
        deep = np.full((20, 30, 3), 40000, np.uint16)
        tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", iccprofile=b"nonsense")
        photo = decode(tmp_path / "a.tif")
        assert photo.pixels[0, 0, 0] == 40000
        assert "colour profile" in photo.warnings[0]

    def test_a_truncated_tiff_is_an_error(self, tmp_path, write_prophoto, coffee):
        path = write_prophoto(tmp_path / "a.tif", coffee)
        path.write_bytes(path.read_bytes()[:100_000])
        with pytest.raises(PhotoError, match="damaged"):
            decode(path)


@pytest.mark.proves("Format", "TIFF is deflated")
@pytest.mark.parametrize("bits", [8, 16])
def test_results_are_deflated(tmp_path, coffee, bits):
    write_photo(Photo(coffee), tmp_path / "a.tif", Encoding(bits=bits))
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages.first.compression == tifffile.COMPRESSION.ADOBE_DEFLATE

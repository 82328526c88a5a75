import numpy as np
import pytest
import tifffile
from pictures import scene, srgb_to_prophoto
from PIL import Image

from enhance_cli.config.apply import Encoding
from enhance_cli.errors import PhotoError
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.photo import Photo


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

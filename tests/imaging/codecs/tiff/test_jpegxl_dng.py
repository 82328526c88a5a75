"""A DNG with JPEG XL must be developed like the same DNG without compression."""

import numpy as np
import pytest
import tifffile
from pictures import smooth

from enhance_cli.imaging.codecs.decode import decode

XYZ_TO_SRGB = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)
TAGS = [
    (50706, "B", 4, bytes([1, 7, 0, 0]), True),  # DNGVersion
    (50708, "s", 0, "Test Camera", True),
    (50717, "H", 3, (65535,) * 3, True),  # WhiteLevel
    (50721, "2i", 9, [n for v in XYZ_TO_SRGB for n in (round(v * 10000), 10000)], True),
    (50728, "2I", 3, (1, 1) * 3, True),  # AsShotNeutral
    (50778, "H", 1, 21, True),
]


def write_linear(path, pixels, compression, nested, **options):
    shown = {"photometric": "linear_raw", "planarconfig": "contig", "metadata": None, **options}
    with tifffile.TiffWriter(path) as tiff:
        if nested:
            tags = [*TAGS[:2], *TAGS[3:]]
            thumbnail = smooth(30, 20)
            tiff.write(thumbnail, photometric="rgb", subfiletype=1, subifds=1, extratags=tags,
                       metadata=None)  # fmt: skip
            tiff.write(pixels, compression=compression, extratags=[TAGS[2]], **shown)
        else:
            tiff.write(pixels, compression=compression, extratags=TAGS, **shown)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_it_is_developed_like_pixels_without_compression(tmp_path, nested, tile):
    light = (smooth(192, 128) / 255) ** 2.2
    pixels = (light * 65535).round().astype(np.uint16)
    write_linear(tmp_path / "plain.dng", pixels, None, nested)
    write_linear(tmp_path / "xl.dng", pixels, "JPEGXL_DNG", nested, tile=tile)
    expected, photo = decode(tmp_path / "plain.dng"), decode(tmp_path / "xl.dng")
    assert photo.size == (192, 128) and photo.pixels.dtype == np.uint16
    difference = np.abs(photo.pixels.astype(int) - expected.pixels)
    assert difference.mean() < 257 and np.ptp(photo.pixels) > 30_000

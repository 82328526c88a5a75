"""A DNG with JPEG XL must be developed like the same DNG without compression."""

import numpy as np
import pytest
from linear_dng import write_linear
from pictures import smooth

from enhance_cli.imaging.codecs.decode import decode


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

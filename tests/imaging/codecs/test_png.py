import numpy as np

from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.codecs.png import read_png_rgb
from enhance_cli.imaging.photo import Photo


def test_pixels_come_back_as_they_were(tmp_path, coffee):
    write_photo(Photo(coffee), tmp_path / "deep" / "a.png")
    assert np.array_equal(read_png_rgb(tmp_path / "deep" / "a.png"), coffee)


def test_a_damaged_or_missing_file_is_none(tmp_path, coffee):
    assert read_png_rgb(tmp_path / "gone.png") is None
    write_photo(Photo(coffee), tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    assert read_png_rgb(tmp_path / "a.png") is None

import numpy as np

from enhance_cli.imaging.codecs.png import read_png, write_png


def test_pixels_come_back_as_they_were(tmp_path, coffee):
    write_png(coffee, tmp_path / "deep" / "a.png")
    assert np.array_equal(read_png(tmp_path / "deep" / "a.png"), coffee)


def test_what_is_damaged_or_missing_is_none(tmp_path, coffee):
    assert read_png(tmp_path / "gone.png") is None
    write_png(coffee, tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:5000])
    assert read_png(tmp_path / "a.png") is None

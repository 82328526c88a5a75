"""Comparisons as pictures."""

import numpy as np
import pytest
from PIL import Image

from enhance_cli.errors import UsageError


def test_a_comparison_shows_before_and_after(tmp_path, run, write_photo):
    plain = np.full((60, 90, 3), 100, np.uint8)
    write_photo(tmp_path / "in" / "a.png", plain)
    run(tmp_path / "in", compare=tmp_path / "seen")
    with Image.open(tmp_path / "seen" / "a.png.jpg") as sheet:
        assert sheet.getpixel((60, 40))[0] == pytest.approx(100, abs=2)
        assert sheet.getpixel((60 + 90 + 16, 40))[0] == pytest.approx(126, abs=2)


def test_comparisons_cannot_be_written_among_the_results(tmp_path, run, write_photo):
    with pytest.raises(UsageError, match="--compare"):
        run(write_photo(tmp_path / "a.jpg"), compare=tmp_path / "out")

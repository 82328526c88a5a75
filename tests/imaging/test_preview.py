from io import BytesIO

import numpy as np
import pytest
from pictures import smooth
from PIL import Image

from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.preview import (
    COMPARISON_EDGE,
    THUMBNAIL_EDGE,
    thumbnail,
    write_comparison,
)


def test_a_comparison_shows_both_photos_side_by_side(tmp_path):
    before = Photo(np.full((800, 1200, 3), 60, np.uint8))
    after = Photo(np.full((800, 1200, 3), 200 * 257, np.uint16))
    path = tmp_path / "comparisons" / "a.jpg"
    write_comparison(before, after, path)
    with Image.open(path) as image:
        assert image.format == "JPEG" and image.width > 2 * COMPARISON_EDGE
        left, right = image.getpixel((300, 300)), image.getpixel((image.width - 300, 300))
    np.testing.assert_allclose([left, right], [[60] * 3, [200] * 3], atol=2)


def test_a_thumbnail_is_a_small_webp():
    content = thumbnail(Photo(smooth(1200, 800)))
    assert len(content) < 20_000
    with Image.open(BytesIO(content)) as image:
        assert image.format == "WEBP" and image.size == (THUMBNAIL_EDGE, 267)


def test_a_thumbnail_of_a_small_photo_has_its_size():
    with Image.open(BytesIO(thumbnail(Photo(smooth(60, 40))))) as image:
        assert image.size == (60, 40)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparent_parts_are_blended_with_white(tmp_path, dtype):
    """Whatever color is hidden under them, and at whatever size they were read."""
    white = np.iinfo(dtype).max
    alpha = np.full((80, 120), white, dtype)
    alpha[:, 60:], alpha[:, 80:] = white // 5 * 3, 0
    photo = Photo(np.zeros((80, 120, 3), dtype), alpha=alpha)
    expected = [[0] * 3, [102] * 3, [255] * 3]
    for edge in (120, 60):
        with Image.open(BytesIO(thumbnail(photo, edge))) as image:
            shown = [image.getpixel((place * edge // 12, edge // 3)) for place in (3, 7, 10)]
        np.testing.assert_allclose(shown, expected, atol=4)
    write_comparison(photo, photo, tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        shown = [image.getpixel((16 + place, 50)) for place in (30, 70, 100)]
    np.testing.assert_allclose(shown, expected, atol=4)

import numpy as np
import pytest
from skimage import data

from enhance_cli.imaging.same_photo import same_photo, similarity


@pytest.mark.parametrize(
    "retouch",
    [
        lambda photo: photo // 3,
        lambda photo: 255 * (photo / 255) ** 0.4,
        lambda photo: photo * [1.0, 0.8, 0.5],
        lambda photo: (photo * 1.8).clip(0, 255),  # blown
        lambda photo: np.repeat(photo.mean(axis=2, keepdims=True), 3, axis=2),
        lambda photo: photo[::2, ::2],
        lambda photo: 255 - photo,  # a film negative
    ],
)
@pytest.mark.parametrize("name", ["coffee", "chelsea", "astronaut", "rocket"])
def test_a_retouched_photo_is_still_the_same(name, retouch):
    photo = getattr(data, name)()
    assert same_photo(photo, retouch(photo).astype(np.uint8))


def test_different_photos_are_told_apart():
    photos = [getattr(data, name)() for name in ("coffee", "chelsea", "astronaut", "rocket")]
    for i, photo in enumerate(photos):
        for different in photos[i + 1 :]:
            assert not same_photo(photo, different)
    assert not same_photo(photos[0], photos[0][:, ::-1]), "mirrored"


def test_a_photo_without_structure_passes():
    assert similarity(np.full((40, 60, 3), 90, np.uint8), np.zeros((40, 60, 3), np.uint8)) == 1

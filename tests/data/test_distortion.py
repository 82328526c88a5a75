import random

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from enhance_cli.data.distortion import DELTA_E_RANGE, Distortion, draw_distortion


@pytest.fixture
def photo(coffee):
    return torch.from_numpy(coffee[::4, ::4]).permute(2, 0, 1).float() / 255


def test_the_default_distortion_changes_nothing(photo):
    torch.testing.assert_close(Distortion()(photo), photo, atol=1e-4, rtol=0)


def test_exposure_is_counted_in_stops_of_light():
    """sRGB 0.5 is 0.2140 of linear light; half of that is 0.3608 (IEC 61966-2-1)."""
    grey = torch.full((3, 2, 2), 0.5)
    darker = Distortion(gains=(0.5, 0.5, 0.5))(grey)
    torch.testing.assert_close(darker, torch.full((3, 2, 2), 0.3608), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("distortion", "expected"),
    [
        (Distortion(saturation=0), [0.2726] * 3),  # luma of (0.6, 0.2, 0.2) by BT.709's weights
        (Distortion(contrast=0.5), [0.525, 0.325, 0.325]),
        (Distortion(black=0.1, white=0.9), [0.58, 0.26, 0.26]),
        (Distortion(gamma=2.0), [0.36, 0.04, 0.04]),
        (Distortion(color=((0.9, 0.1, 0), (0, 1, 0), (0, 0, 1))), [0.56, 0.2, 0.2]),
    ],
)
def test_each_parameter_against_values_computed_by_hand(distortion, expected):
    photo = torch.tensor([0.6, 0.2, 0.2]).view(3, 1, 1)
    if distortion.saturation == 0:
        expected = [0.2126 * 0.6 + 0.7874 * 0.2] * 3
    assert distortion(photo).flatten().tolist() == pytest.approx(expected, abs=1e-4)


def test_distances_stay_within_the_range(photo):
    """Mean CIELab change, by scikit-image, and most distortions darken and flatten."""
    distances, darker = [], 0
    lab = rgb2lab(photo.permute(1, 2, 0).numpy())
    for seed in range(100):
        distorted = draw_distortion(photo, random.Random(seed))(photo)
        assert distorted.min() >= 0 and distorted.max() <= 1
        other = rgb2lab(distorted.permute(1, 2, 0).numpy())
        distances.append(np.linalg.norm(other - lab, axis=-1).mean())
        darker += bool(distorted.mean() < photo.mean())
    assert (
        np.mean([DELTA_E_RANGE[0] - 1 < distance < DELTA_E_RANGE[1] + 1 for distance in distances])
        > 0.97
    )
    assert 10 < np.mean(distances) < 20 and np.std(distances) > 4
    assert 50 < darker < 90


def test_the_same_seed_draws_the_same_distortion(photo):
    one, other = (draw_distortion(photo, random.Random(7)) for _ in range(2))
    assert one == other != draw_distortion(photo, random.Random(8))


def test_a_color_matrix_keeps_grey_grey():
    grey = torch.full((3, 4, 4), 0.4)
    for seed in range(30):
        drawn = draw_distortion(grey, random.Random(seed))
        mixed = Distortion(color=drawn.color)(grey)
        torch.testing.assert_close(mixed, grey, atol=1e-4, rtol=0)

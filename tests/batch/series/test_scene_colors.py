import numpy as np
import pytest
from pictures import scene, srgb_to_linear

from enhance_cli.batch.series.scene_colors import likeness, scene_colors


def exposed(pixels, stops):
    linear = srgb_to_linear(pixels / 255) * 2.0**stops
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def colors(number=0, stops=0.0):
    return scene_colors(exposed(scene(number), stops).clip(0, 1).astype(np.float32))


@pytest.mark.parametrize("stops", [-1.5, -1, -2 / 3, 0, 1 / 3, 0.5])
@pytest.mark.parametrize("known", [True, False])
def test_a_step_in_exposure_is_found(stops, known):
    share, found = likeness(colors(stops=stops), colors(), stops if known else None)
    assert found == pytest.approx(stops, abs=1 / 12) and share > 0.8


def test_crops_of_a_photo_are_alike_and_equally_bright(coffee):
    photo = coffee.astype(np.float32) / 255
    share, stops = likeness(scene_colors(photo[:300, :400]), scene_colors(photo[80:, 150:]), None)
    assert share > 0.6 and stops == pytest.approx(0, abs=0.2)


def test_other_colors_are_not(coffee):
    photo = coffee.astype(np.float32) / 255
    assert likeness(scene_colors(photo), scene_colors(photo[..., ::-1]), None)[0] < 0.4


def test_brightness_that_exposure_does_not_explain_is_no_likeness():
    assert likeness(colors(stops=-1.5), colors(), 1.5)[0] < 0.2


def test_all_black_and_all_white_are_like_nothing():
    for value in (0, 1):
        flat = scene_colors(np.full((8, 8, 3), value, np.float32))
        assert flat.shape == (72, 8, 8) and likeness(flat, colors(), None)[0] == 0

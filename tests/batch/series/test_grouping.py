from dataclasses import replace

import numpy as np
import pytest
from pictures import scene, srgb_to_linear

from enhance_cli.batch.series.grouping import Frame, group
from enhance_cli.batch.series.scene_colors import scene_colors
from enhance_cli.imaging.color_loop import ColorCoefficients
from enhance_cli.imaging.metadata.shot import Shot
from enhance_cli.inference.shared_look import own_look


def frame(index, number=0, stops=0.0, light=None, shift=0.0, grey=False):
    linear = srgb_to_linear(scene(number) / 255) * 2.0**stops
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    view = encoded.clip(0, 1).astype(np.float32)
    matrix = np.eye(3, 4, dtype=np.float32)
    matrix[:, 3] += shift
    function = ColorCoefficients(matrix, np.zeros((3, 35), np.float32))
    shot = Shot(light=light, stated=(light is not None,) * 2)
    look = own_look(view, function)
    return Frame(index, shot, scene_colors(view), look, function, grey)


def members(frames, by_hand=False):
    return [[one.index for one in series.frames] for series in group(frames, by_hand)]


def test_frames_of_one_scene_share_a_look_and_others_do_not():
    frames = [frame(0), frame(1, 11), frame(2), frame(3, 12), frame(4, 11)]
    assert members(frames) == [[0, 2], [1, 4]]


@pytest.mark.parametrize("told", [True, False])
def test_a_bracket_is_a_series_whose_exposures_stay(told):
    stops = [-1.5, 0.0, 1.0]
    frames = [frame(i, stops=s, light=10 + s if told else None) for i, s in enumerate(stops)]
    (series,) = group(frames)
    assert series.stops == pytest.approx(stops, abs=0 if told else 1 / 6)


def test_brightness_counts_for_all_if_one_does_not_tell_its_exposure():
    frames = [frame(0, light=3.0), frame(1, stops=1, light=4.0), frame(2, stops=1)]
    (series,) = group(frames)
    assert np.ptp(series.stops) == pytest.approx(1, abs=1 / 6)


def test_light_that_changed_is_another_scene():
    assert members([frame(0, light=0.0), frame(1, stops=-2, light=2.0)]) == []


def test_grey_photos_are_apart():
    frames = [frame(0), frame(1, grey=True), frame(2), frame(3, grey=True)]
    assert members(frames) == [[0, 2], [1, 3]]


def test_a_frame_whose_own_function_lies_far_off_leaves():
    frames = [frame(i, shift=0.3 if i == 1 else 0.01 * i) for i in range(5)]
    assert members(frames) == [[0, 2, 3, 4]]
    assert members(frames, by_hand=True) == [[0, 1, 2, 3, 4]]


def test_the_common_exposure_stays_if_one_leaves():
    frames = [frame(i, stops=s, light=s, shift=0.5 * (i == 2)) for i, s in enumerate((-1, 0, 1))]
    (series,) = group([*frames[:2], frame(3, stops=0.5, light=0.5), frames[2], frame(4, light=0.0)])
    assert dict(zip((one.index for one in series.frames), series.stops, strict=True)) == {
        0: -1, 1: 0, 3: 0.5, 4: 0,
    }  # fmt: skip


def test_two_that_contradict_each_other_are_no_series():
    assert members([frame(0, shift=0.5), frame(1, shift=-0.5)]) == []


def test_by_hand_photos_belong_together_however_they_look():
    (series,) = group([frame(0), frame(1, 11), replace(frame(2, 12), grey=True)], by_hand=True)
    assert len(series.frames) == 3 and series.stops == (0, 0, 0)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_are_no_series(count):
    assert group([frame(0)] * count) == []

"""The numbers of a gain map, against the formula of ISO 21496-1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from enhance_cli.imaging.gain_maps.gain_map import (
    GainMap,
    GainMapError,
    GainMapParameters,
    gain_map_of,
)
from enhance_cli.imaging.resize import Size

ZERO, ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def test_values_mean_stops():
    pixels = np.array([[0, 51, 255]], np.uint8)
    numbers = GainMapParameters((-1.0,) * 3, (3.0,) * 3, (2.0,) * 3)
    stops = GainMap(pixels, numbers).stops()
    np.testing.assert_allclose(stops[0, :, 0], [-1, -1 + 4 * 0.2**0.5, 3], rtol=1e-6)


def test_channels_may_have_numbers_of_their_own():
    numbers = GainMapParameters(ZERO, (1.0, 2.0, 4.0))
    stops = GainMap(np.full((2, 3), 255, np.uint8), numbers).stops()
    assert stops.shape == (2, 3, 3) and stops[0, 0].tolist() == [1, 2, 4]


@given(arrays(np.float64, st.sampled_from([(4, 6, 1), (4, 6, 3)]), elements=st.floats(-8, 8)))
def test_gains_are_stored_to_half_a_level(stops):
    like = GainMap(np.zeros((4, 6), np.uint8), GainMapParameters(ZERO, ONE))
    stored = gain_map_of(stops, like, 0.5)
    level = np.maximum(np.ptp(stops, axis=(0, 1)), 1e-3) / 255
    assert (np.abs(stored.stops() - stops) <= 0.5 * level + 1e-5).all()
    assert stored.pixels.ndim == (2 if stops.shape[2] == 1 else 3)


@pytest.mark.parametrize(("headroom", "expected"), [(0.0, 2.0), (2.0, 2.0), (3.5, 3.5)])
def test_a_brighter_rendition_needs_more_headroom(headroom, expected):
    like = GainMap(np.zeros((4, 6), np.uint8), GainMapParameters(ZERO, ONE, alternate_headroom=2.0))
    stored = gain_map_of(np.zeros((4, 6, 1)), like, headroom)
    assert stored.parameters.alternate_headroom == expected


def test_a_map_is_downscaled_and_never_enlarged():
    gain_map = GainMap(np.full((40, 60), 7, np.uint8), GainMapParameters(ZERO, ONE))
    assert gain_map.fit_within(Size(30, 20)).size == (30, 20)
    assert gain_map.fit_within(Size(90, 60)) is gain_map


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
def test_a_downscaled_map_does_not_exceed_the_gains_around_an_edge(shape):
    pixels = np.full(shape, 40, np.uint8)
    pixels[:, 31:] = 180
    small = GainMap(pixels, GainMapParameters(ZERO, ONE)).fit_within(Size(25, 17)).pixels
    assert small.shape == (17, 25, *shape[2:])
    assert small.min() == 40 and small.max() == 180


@pytest.mark.parametrize(
    "wrong",
    [
        {"maximum": (float("inf"),) * 3},
        {"maximum": (1e9,) * 3},
        {"maximum": (-1.0, 1.0, 1.0)},
        {"gamma": (0.0, 1.0, 1.0)},
        {"gamma": (1e-9, 1.0, 1.0)},
        {"gamma": (float("nan"),) * 3},
        {"base_headroom": 1.0},
        {"base_headroom": -1.0},
        {"alternate_headroom": 0.0},
    ],
)
def test_impossible_numbers_are_refused(wrong):
    with pytest.raises(GainMapError):
        GainMapParameters(**({"minimum": ZERO, "maximum": ONE} | wrong))

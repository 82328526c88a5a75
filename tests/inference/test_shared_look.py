"""Closed forms: what sRGB, exposure and averages are is defined elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import scene, srgb_to_linear

from enhance_cli.imaging.color_loop import (
    ColorCoefficients,
    as_polynomial,
    color_exponents,
    color_function_delta,
)
from enhance_cli.inference.shared_look import look_at_exposure, own_look, share_look


def linear_to_srgb(linear):
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def exposed(colors, stops):
    return linear_to_srgb(srgb_to_linear(colors.astype(np.float64)) * 2.0**stops)


def function(seed=0, strength=0.02, linear=False):
    draw = np.random.default_rng(seed)
    matrix = np.eye(3, 4) + draw.uniform(-0.1, 0.1, (3, 4))
    polynomial = None if linear else draw.uniform(-strength, strength, (3, 35)).astype(np.float32)
    return ColorCoefficients(matrix.astype(np.float32), polynomial)


def view(number=0):
    return scene(number).astype(np.float32) / 255


def results(of, colors):
    return colors + color_function_delta(colors.astype(np.float32), of)


COLORS = np.random.default_rng(1).uniform(0.25, 0.6, (400, 1, 3)).astype(np.float32)


@pytest.mark.parametrize("linear", [False, True])
def test_a_polynomial_is_the_whole_function(linear):
    terms = as_polynomial(function(3, linear=linear))
    exponents = color_exponents(1 if linear else 4)
    monomials = [np.prod((2.0 * COLORS[:, 0] - 1) ** e, axis=1) for e in exponents]
    expected = results(function(3, linear=linear), COLORS)[:, 0]
    assert np.allclose(np.stack(monomials, 1) @ terms, expected, atol=2e-6)
    again = ColorCoefficients.of_polynomial(terms.astype(np.float32))
    assert (again.polynomial is None) == linear
    assert np.allclose(results(again, COLORS)[:, 0], expected, atol=2e-6)


@pytest.mark.parametrize("linear", [False, True])
def test_frames_that_are_the_same_photo_keep_its_function(linear):
    own = function(5, linear=linear)
    shared = share_look([own_look(view(), own)] * 4, [0, 0, 0, 0])
    assert np.allclose(shared.distances, 0)
    assert np.array_equal(shared.terms, as_polynomial(own))
    same = look_at_exposure(shared, 0, own)
    assert np.allclose(results(same, COLORS), results(own, COLORS), atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(stops=st.floats(-1.5, 1.5), seed=st.integers(0, 10**6))
def test_a_difference_in_exposure_stays_in_linear_light(stops, seed):
    own = function(seed)
    shared = share_look([own_look(view(), own)], [0.0])
    before = results(own, COLORS)
    colors = exposed(COLORS, stops)
    after = results(look_at_exposure(shared, stops, own), colors)
    # Where sRGB is a power, so not in the darkest tones.
    lit = (np.minimum(colors, COLORS) > 0.05).all(-1) & (np.minimum(before, after) > 0.05).all(-1)
    ratio = srgb_to_linear(after[lit]) / srgb_to_linear(before[lit])
    assert lit.any() and np.allclose(ratio, 2.0**stops, rtol=2e-3)


def test_black_stays_near_black_at_any_exposure():
    identity = ColorCoefficients(np.eye(3, 4, dtype=np.float32), np.zeros((3, 35), np.float32))
    shared = share_look([own_look(view(), identity)], [0.0])
    for stops in (-3, -1.5, 1.5, 3):
        moved = look_at_exposure(shared, stops, identity)
        everything = np.random.default_rng(0).uniform(0, 1, (99, 1, 3)).astype(np.float32)
        assert np.allclose(results(moved, everything), everything, atol=1e-5)


def test_functions_at_different_exposures_of_one_that_normalizes_it_agree():
    # Each frame's own function undoes its exposure before the same retouch.
    look, stops = function(8), [-1.0, 0.0, 1.0]
    single = share_look([own_look(view(), look)], [0.0])
    frames = []
    for stop in stops:
        moved = look_at_exposure(single, stop, look)
        terms = as_polynomial(moved)
        factor = 2 ** (stop / 2.4)
        terms = (terms - np.eye(35)[:, :1] * (factor - 1) * 0.055) / factor
        bright = exposed(view(), stop).clip(0, 1).astype(np.float32)
        frames.append(own_look(bright, ColorCoefficients.of_polynomial(terms.astype(np.float32))))
    shared = share_look(frames, stops)
    assert np.allclose(shared.terms, as_polynomial(look), atol=1e-4)
    assert (shared.distances < 1e-5).all()


def test_one_that_is_far_off_hardly_moves_the_rest():
    common, odd = function(1), function(1)
    odd.matrix[:, 3] += 0.4
    looks = [own_look(view(), common)] * 4 + [own_look(view(), odd)]
    shared = share_look(looks, [0.0] * 5)
    moved = look_at_exposure(shared, 0, common)
    assert np.abs(results(moved, COLORS) - results(common, COLORS)).max() < 0.02  # a mean: 0.08
    assert shared.distances[4] == pytest.approx(0.4, abs=0.02)


def test_each_counts_for_the_colors_of_its_photo():
    draw = np.random.default_rng(2)
    dark, light = (draw.uniform(*of, (64, 64, 3)).astype(np.float32) for of in ((0, 0.4), (0.6, 1)))
    one, other = function(1), function(1)
    one.matrix[:, 3] += 0.03
    shared = share_look([own_look(dark, one), own_look(light, other)], [0.0, 0.0])
    look = look_at_exposure(shared, 0, one)
    for colors, own in ((dark, one), (light, other)):
        assert np.abs(results(look, colors) - results(own, colors)).mean() < 0.005  # a mean: 0.015


def test_protections_stay():
    own = function()._replace(white_from=0.9, toe=(4 / 255, 0.75))
    look = look_at_exposure(share_look([own_look(view(), own)], [0.0]), 0.5, own)
    assert (look.white_from, look.toe) == (0.9, (4 / 255, 0.75))

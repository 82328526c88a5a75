"""The compiled loop against the formula, written out in NumPy with 64 bits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enhance_cli.imaging.color_loop import (
    ColorCoefficients,
    apply_color_function,
    color_function_delta,
)

EXPONENTS = [(i, j, k) for i in range(5) for j in range(5 - i) for k in range(5 - i - j)]
BT709, BT601 = (0.2126, 0.7152, 0.0722), (0.299, 0.587, 0.114)

seeds = st.integers(0, 2**32 - 1)


def written_out(colors, function, strength=1.0, grey=False):
    """The result for colors in [0, 1], not clamped in the end."""
    p = colors.astype(np.float64)
    result = p @ function.matrix[:, :3].T.astype(float) + function.matrix[:, 3]
    if function.polynomial is not None:
        t = 2 * p - 1
        for (i, j, k), factor in zip(EXPONENTS, function.polynomial.T.astype(float), strict=True):
            result = result + (t[..., :1] ** i * t[..., 1:2] ** j * t[..., 2:] ** k) * factor
    if function.white_from is not None:
        share = ((p @ BT709 - function.white_from) / (1 - function.white_from)).clip(0, 1)
        result = result + share[..., None] * np.maximum(p - result, 0)
    if function.toe is not None:
        toe, slope = function.toe
        result = np.maximum(result, slope * p * toe / (slope * p + toe))
    if strength == 1 and not grey:
        return result
    change = strength * (result.clip(0, 1) - p)
    return p + (np.repeat((change @ BT601)[..., None], 3, axis=-1) if grey else change)


def function_of(seed, polynomial=True, protected=True):
    draw = np.random.default_rng(seed)
    matrix = np.eye(3, 4) + draw.normal(0, 0.1, (3, 4))
    return ColorCoefficients(
        matrix.astype(np.float32),
        draw.normal(0, 0.05, (3, 35)).astype(np.float32) if polynomial else None,
        0.9 if protected else None,
        (4 / 255, 0.75) if protected else None,
    )


def photo_of(seed, dtype, shape=(7, 211, 3)):
    """More pixels than a block; black, white and the corners of the cube are among them."""
    draw = np.random.default_rng(seed)
    values = draw.random(shape) ** draw.choice([0.3, 1, 3])
    values[0, :8] = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1]), -1).reshape(8, 3)
    white = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    return (values * white).round().astype(dtype) if white > 1 else values.astype(dtype), white


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@settings(deadline=None)  # the first call compiles
@given(
    seed=seeds,
    polynomial=st.booleans(),
    protected=st.booleans(),
    strength=st.sampled_from([0.0, 0.3, 1.0, 1.5]),
    grey=st.booleans(),
)
def test_every_pixel_equals_the_formula(dtype, seed, polynomial, protected, strength, grey):
    pixels, white = photo_of(seed, dtype)
    function = function_of(seed, polynomial, protected)
    result = apply_color_function(pixels, function, strength, grey, white)
    expected = written_out(pixels / white, function, strength, grey).clip(0, 1) * white
    assert result.dtype == dtype
    off = 0.502 if white == 255 else 0.56 if white == 65535 else 2e-6
    assert np.abs(result - expected).max() <= off


@settings(deadline=None)
@given(seed=seeds, grey=st.booleans())
def test_the_change_is_not_clamped(seed, grey):
    pixels, _ = photo_of(seed, np.float32)
    function = function_of(seed)
    expected = written_out(pixels, function, 1.0, grey) - pixels
    found = color_function_delta(pixels, function, 1.0, grey)
    np.testing.assert_allclose(found, expected, atol=3e-6)


@pytest.mark.parametrize("pixels", [1, 2, 511, 512, 513, 1024])
def test_any_number_of_pixels(pixels):
    photo, _ = photo_of(0, np.uint8, (1, max(8, pixels), 3))
    photo = photo[:, :pixels].copy()
    result = apply_color_function(photo, function_of(0), white=255)
    expected = written_out(photo / 255, function_of(0)).clip(0, 1) * 255
    assert np.abs(result - expected).max() <= 0.501


def test_the_result_may_overwrite_the_photo():
    photo, _ = photo_of(1, np.uint16)
    expected = apply_color_function(photo, function_of(1), white=65535)
    result = apply_color_function(photo, function_of(1), white=65535, out=photo)
    assert result is photo
    np.testing.assert_array_equal(photo, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_identity_changes_nothing(dtype):
    photo, white = photo_of(2, dtype)
    identity = ColorCoefficients(np.eye(3, 4, dtype=np.float32))
    for strength in (0.0, 0.5, 1.0, 1.5):
        result = apply_color_function(photo, identity, strength, white=white)
        np.testing.assert_array_equal(result, photo)


def test_values_that_are_not_finite_stay_in_their_pixel():
    photo, _ = photo_of(3, np.float32)
    expected = apply_color_function(photo, function_of(3))
    photo[2, 100, 1] = np.nan
    result = apply_color_function(photo, function_of(3))
    others = np.ones(photo.shape[:2], bool)
    others[2, 100] = False
    np.testing.assert_array_equal(result[others], expected[others])

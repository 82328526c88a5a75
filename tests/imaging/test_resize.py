import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from enhance_cli.imaging import resample as compiled
from enhance_cli.imaging.resample import block_means, resample
from enhance_cli.imaging.resize import (
    Size,
    fit_within,
    max_value,
    resize_pixels,
    resize_unrounded,
    size_of,
)

DTYPES = [np.uint8, np.uint16, np.float32]
LANCZOS, BILINEAR = Image.Resampling.LANCZOS, Image.Resampling.BILINEAR

SIZES = st.tuples(st.integers(1, 70), st.integers(1, 70))
"""Some of these are so much larger than others that blocks are averaged."""


def noise(size, dtype, channels=3):
    values = np.random.default_rng(0).random((size[1], size[0], channels))
    return (values * max_value(np.dtype(dtype))).astype(dtype)


def by_pillow(pixels, size, resampling=LANCZOS, **options):
    """Pillow computes one channel of floats without rounding or clipping it."""
    planes = [
        Image.fromarray(plane.astype(np.float32)).resize(size, resampling, **options)
        for plane in np.moveaxis(np.atleast_3d(pixels), 2, 0)
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("across", "down"), [(2, 2), (4, 3), (7, 1)])
@pytest.mark.parametrize("size", [(60, 40), (59, 41), (5, 3)])
def test_blocks_are_averaged_as_pillow_does(dtype, across, down, size):
    pixels = noise(size, dtype)
    expected = [
        np.asarray(Image.fromarray(plane.astype(np.float32)).reduce((across, down)))
        for plane in np.moveaxis(pixels, 2, 0)
    ]
    ours = block_means(pixels, across, down)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, np.stack(expected, axis=2), rtol=1e-6)


@pytest.mark.parametrize("size", [(1500, 1000), (807, 1201), (3001, 333)])
def test_arrays_are_downscaled_as_images_are(size):
    draw = np.random.default_rng(0)
    small = draw.integers(60, 200, (size[1] // 20, size[0] // 20, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)
    target = fit_within(image.size, 100)
    expected = np.asarray(image.resize(target, LANCZOS, reducing_gap=3.0), float)
    ours = resize_pixels(np.asarray(image), target)
    assert np.abs(ours - expected).max() <= 2
    sixteen_bit = resize_pixels(np.asarray(image).astype(np.uint16) * 257, target)
    assert sixteen_bit.dtype == np.uint16 and np.abs(sixteen_bit / 257 - expected).max() <= 2
    floats = resize_pixels(np.asarray(image, np.float32)[..., 0] / 255, target)
    assert floats.dtype == np.float32 and np.abs(floats * 255 - expected[..., 0]).max() <= 2


@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
@pytest.mark.parametrize("size", [(500, 333), (260, 300), (1499, 999), (1600, 1100)])
def test_bytes_are_resized_as_pillow_resizes_floats(channels, size):
    draw = np.random.default_rng(3)
    small = draw.integers(0, 256, (250, 375, *channels), dtype=np.uint8)
    pixels = by_pillow(small, (1500, 1000), Image.Resampling.BICUBIC).clip(0, 255)
    pixels = pixels.round().astype(np.uint8).reshape(1000, 1500, *channels)
    # Pillow rounds and clips bytes between rows and columns as well, floats never.
    expected = by_pillow(pixels, size).clip(0, 255)
    resized = resize_pixels(pixels, Size(*size))
    assert resized.dtype == np.uint8 and resized.flags.c_contiguous
    assert resized.shape == (size[1], size[0], *channels)
    assert np.abs(resized.reshape(expected.shape) - expected).max() < 0.501


@pytest.mark.parametrize("resampling", [LANCZOS, BILINEAR])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", DTYPES)
@given(
    size=SIZES,
    result=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    cut=st.tuples(*[st.integers(0, 28)] * 4),
)
@settings(max_examples=25, deadline=None)
def test_filters_are_those_of_pillow(resampling, channels, dtype, size, result, cut):
    """Any part of a photo, any size."""
    width, height = size
    pixels = noise(size, dtype, channels)
    left, top, right, bottom = (side / 64 for side in cut)  # Pillow keeps them as float32
    box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    ours = resample(pixels, result, box, resampling)
    assert ours.dtype == np.float32 and ours.shape == (*result[::-1], channels)
    expected = by_pillow(pixels, result, resampling, box=box)
    np.testing.assert_allclose(ours, expected, atol=2e-6 * max_value(pixels.dtype), rtol=1e-5)


@pytest.mark.parametrize("resampling", [LANCZOS, BILINEAR])
@pytest.mark.parametrize("size", [(90, 60), (31, 33), (600, 400), (900, 700)])
def test_unrounded_is_pillow_on_floats(size, resampling):
    pixels = np.random.default_rng(1).integers(40, 200, (400, 600, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(pixels).resize((600, 400), box=(0, 0, 300, 200)))
    ours = resize_unrounded(pixels, Size(*size), resampling)
    assert ours.dtype == np.float32 and ours.shape == (size[1], size[0], 3)
    expected = by_pillow(pixels, size, resampling, reducing_gap=3.0)
    assert np.abs(255 * ours - expected).max() < 0.001
    assert not np.array_equal(255 * ours, (255 * ours).round()) or size == (600, 400)


def test_unrounded_takes_pixels_of_every_dtype():
    eight = np.full((30, 40, 3), 51, np.uint8)
    for pixels in (eight, eight.astype(np.uint16) * 257, eight.astype(np.float32) / 255):
        np.testing.assert_allclose(resize_unrounded(pixels, Size(8, 6)), 0.2, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [Size(45, 30), Size(30, 45)])
def test_what_overshoots_at_an_edge_is_clipped(dtype, size):
    pixels = np.zeros((60, 60), dtype)
    pixels[20:, 30:] = max_value(pixels.dtype)
    filtered = by_pillow(pixels, size)[..., 0] / max_value(pixels.dtype)
    assert filtered.min() < -0.01 and filtered.max() > 1.01
    np.testing.assert_allclose(resize_unrounded(pixels, size), filtered.clip(0, 1), atol=1e-6)
    resized = resize_pixels(pixels, size) / max_value(pixels.dtype)
    assert np.abs(resized - filtered.clip(0, 1)).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("dtype", DTYPES)
@given(size=SIZES, result=SIZES, share=st.sampled_from([0, 0.003, 0.2, 0.5, 0.7, 1]))
@settings(max_examples=50, deadline=None)
def test_a_photo_of_one_level_keeps_it(dtype, size, result, share):
    level = dtype(share * max_value(np.dtype(dtype)))
    resized = resize_pixels(np.full(size, level), Size(*result))
    assert size_of(resized) == result and resized.dtype == dtype
    if dtype == np.float32:
        np.testing.assert_allclose(resized, level, rtol=1e-6)
    else:
        assert (resized == level).all()


def test_blocks_of_many_pixels_are_averaged_exactly():
    white = np.full((2000, 3000, 1), 65535, np.uint16)
    assert (block_means(white, 1000, 250) == 65535).all()


@pytest.mark.parametrize("dtype", DTYPES)
@given(result=st.tuples(*[st.integers(1, 30)] * 2), times=st.sampled_from([1, 2, 3, 6, 9, 12]))
@settings(max_examples=50, deadline=None)
def test_a_turned_photo_becomes_the_turned_result(dtype, result, times):
    size, (width, height) = Size(*result), result
    pixels = noise((times * width, times * height), dtype)  # so large that no block is partial
    expected = resize_pixels(pixels, size).astype(np.float64)
    turned = [
        resize_pixels(pixels[::-1], size)[::-1],
        resize_pixels(pixels[:, ::-1], size)[:, ::-1],
        resize_pixels(pixels.swapaxes(0, 1), Size(height, width)).swapaxes(0, 1),
    ]
    step = 1e-5 if dtype == np.float32 else 1  # of rounding
    assert max(np.abs(one - expected).max() for one in turned) <= step


@pytest.mark.parametrize("size", [Size(50, 40), Size(9, 7)])
def test_a_grey_photo_stays_grey(size):
    grey = noise((120, 90), np.uint16, channels=1)
    resized = resize_unrounded(np.repeat(grey, 3, axis=2), size)
    assert (resized == resize_unrounded(grey, size)).all()


@pytest.mark.parametrize("size", [Size(50, 40), Size(9, 7)])
def test_any_layout_in_memory_is_compiled_once(size):
    pixels = noise((120, 90), np.uint8)
    expected = resize_pixels(pixels, size)
    fixed = pixels.copy()
    fixed.flags.writeable = False  # as arrays from Pillow are
    reversed_twice = np.ascontiguousarray(pixels[::-1, :, ::-1])[::-1, :, ::-1]
    for same in (fixed, np.asfortranarray(pixels), reversed_twice):
        assert (resize_pixels(same, size) == expected).all()
    for loop in (compiled._resample, compiled._block_means):
        dtypes = [arguments[0].dtype for arguments in loop.signatures]  # type: ignore[attr-defined]
        assert len(dtypes) == len(set(dtypes))
    assert pixels.flags.writeable and reversed_twice.flags.writeable


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [(), (3,), (4,)])
@pytest.mark.parametrize("edge", [200, 60, 20])
def test_transparent_pixels_lend_no_color(dtype, channels, edge):
    """An object of one color keeps it up to its edges, whatever is hidden around it."""
    white = max_value(np.dtype(dtype))
    rows, columns = np.mgrid[:200, :300]
    inside = (rows - 100) ** 2 + (columns - 150) ** 2 < 70**2
    colors = np.full((200, 300, *channels), white, dtype)
    color = dtype(0.6 * white)
    colors[inside] = color
    alpha = (inside * white).astype(dtype)
    size = fit_within(size_of(colors), edge)
    opacity = resize_pixels(alpha, size)
    resized = resize_pixels(colors, size, alpha)
    assert resized.dtype == dtype and resized.shape == (*opacity.shape, *channels)
    visible = opacity > 0.01 * white
    assert visible.any() and not visible.all()
    step = 1 if dtype == np.uint16 else 0
    np.testing.assert_allclose(resized[visible].astype(float), float(color), rtol=1e-5, atol=step)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from enhance_cli.imaging.resample import block_means, resample
from enhance_cli.imaging.resize import (
    Size,
    fit_within,
    resize_image,
    resize_pixels,
    resize_unrounded,
)


@pytest.mark.parametrize(("across", "down"), [(2, 2), (4, 3), (7, 1)])
@pytest.mark.parametrize("size", [(40, 60), (41, 59), (3, 5)])
def test_blocks_are_averaged_as_pillow_does(across, down, size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels).reduce((across, down)), float)
    ours = block_means(pixels, across, down)
    assert ours.dtype == np.uint8 and ours.shape == expected.shape
    assert np.abs(ours - expected).max() <= 1


@pytest.mark.parametrize("size", [(1000, 1500), (1201, 807), (333, 3001)])
def test_arrays_are_downscaled_as_images_are(size):
    draw = np.random.default_rng(0)
    small = draw.integers(60, 200, (size[0] // 20, size[1] // 20, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC)
    target = fit_within(image.size, 100)
    expected = np.asarray(resize_image(image, target), float)
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
    planes = [
        Image.fromarray(plane).resize((1500, 1000), Image.Resampling.BICUBIC)
        for plane in np.moveaxis(small.reshape(250, 375, -1), 2, 0)
    ]
    pixels = np.stack(planes, axis=2).reshape(1000, 1500, *channels)
    pixels.flags.writeable = False  # as arrays from Pillow are
    # Pillow rounds and clips bytes between rows and columns as well, floats never.
    floats = [plane.convert("F").resize(size, Image.Resampling.LANCZOS) for plane in planes]
    resized = resize_pixels(pixels, Size(*size))
    assert resized.dtype == np.uint8 and resized.flags.c_contiguous
    assert resized.shape == (size[1], size[0], *channels)
    expected = np.stack(floats, axis=2).clip(0, 255)
    assert np.abs(resized.reshape(expected.shape) - expected).max() < 0.501


@pytest.mark.parametrize("resampling", [Image.Resampling.LANCZOS, Image.Resampling.BILINEAR])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    result=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    cut=st.tuples(*[st.integers(0, 28)] * 4),
)
@settings(max_examples=25, deadline=None)
def test_filters_are_those_of_pillow(resampling, channels, dtype, size, result, cut):
    """Pillow computes one channel of floats without rounding; any part of a photo, any size."""
    width, height = size
    white = 1 if dtype == np.float32 else np.iinfo(dtype).max
    noise = np.random.default_rng(0).random((height, width, channels))
    pixels = (noise * white).astype(dtype)
    left, top, right, bottom = (side / 64 for side in cut)  # Pillow keeps them as float32
    box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    ours = resample(pixels, result, box, resampling)
    assert ours.dtype == np.float32 and ours.shape == (*result[::-1], channels)
    for number in range(channels):
        plane = Image.fromarray(pixels[..., number].astype(np.float32))
        expected = np.asarray(plane.resize(result, resampling, box))
        np.testing.assert_allclose(ours[..., number], expected, atol=2e-6 * white, rtol=1e-5)


@pytest.mark.parametrize("size", [(90, 60), (600, 400), (900, 700)])
def test_unrounded_is_pillow_on_floats(size):
    pixels = np.random.default_rng(1).integers(40, 200, (400, 600, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(pixels).resize((600, 400), box=(0, 0, 300, 200)))
    ours = resize_unrounded(pixels, size)
    assert ours.dtype == np.float32 and ours.shape == (size[1], size[0], 3)
    expected = [
        Image.fromarray(channel.astype(np.float32)).resize(
            size, Image.Resampling.LANCZOS, reducing_gap=3.0
        )
        for channel in np.moveaxis(pixels, 2, 0)
    ]
    difference = np.abs(255 * ours - np.stack(expected, axis=2))
    assert difference.max() < (1 if size[0] < 300 else 0.01)  # blocks are rounded, half a level
    assert not np.array_equal(255 * ours, (255 * ours).round()) or size == (600, 400)


def test_unrounded_takes_pixels_of_every_dtype():
    eight = np.full((30, 40, 3), 51, np.uint8)
    for pixels in (eight, eight.astype(np.uint16) * 257, eight.astype(np.float32) / 255):
        np.testing.assert_allclose(resize_unrounded(pixels, (8, 6)), 0.2, atol=1e-6)

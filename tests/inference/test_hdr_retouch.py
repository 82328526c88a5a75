"""The same look for both renditions of a photo, by libultrahdr before and after."""

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import srgb_to_linear

from enhance_cli.config.dials import NEUTRAL, Dials
from enhance_cli.imaging.cicp import describe_code_points
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo
from enhance_cli.imaging.color_loop import ColorCoefficients
from enhance_cli.imaging.color_space import ColorSpace
from enhance_cli.imaging.gain_maps.gain_map import GainMap, GainMapParameters
from enhance_cli.imaging.photo import Photo
from enhance_cli.inference.retouch import Retouch, apply_retouch, unchanged
from tests.imaging.gain_maps.ultra_hdr import base, gains, hdr_of, stops_between, ultra_hdr

DISPLAY_P3 = describe_code_points(12, 13)[0]

THREE = np.stack([gains(), gains() // 2, gains() // 4], axis=2)

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@pytest.fixture
def after(tmp_path):
    """Apply a look to a file, and give the HDR rendition of the result, and the result."""

    def apply(content, look=None, dials=NEUTRAL, long_edge=None, **options):
        path = tmp_path / "a.jpg"
        path.write_bytes(content)
        photo = decode(path, long_edge)
        result = apply_retouch(photo, look or unchanged(photo), dials=dials, **options)
        write_photo(result, tmp_path / "result.jpg")
        return hdr_of(tmp_path / "result.jpg"), result

    return apply


def linear_map(matrix, offset=0.0) -> Retouch:
    columns = np.column_stack([matrix, np.full(3, offset)])
    return Retouch(ColorCoefficients(columns.astype(np.float32)))


def encoded(light):
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light.clip(0) ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("pixels", [gains(), THREE], ids=["one channel", "three"])
def test_without_a_look_nothing_changes(after, tmp_path, pixels):
    content = ultra_hdr(pixels=pixels)
    look = linear_map(np.eye(3) * 0.5)
    hdr, result = after(content, look, strength=0)
    assert np.array_equal(result.gain_map.pixels, decode(tmp_path / "a.jpg").gain_map.pixels)
    stops = stops_between(hdr, hdr_of(content))
    assert stops.mean() < 0.01 and np.percentile(stops, 99) < 0.06  # of two JPEGs


@pytest.mark.parametrize("pixels", [gains(), THREE], ids=["one channel", "three"])
@pytest.mark.parametrize("exposure", [-1.0, 0.5, 1.0])
@pytest.mark.parametrize("profile", [None, DISPLAY_P3], ids=["sRGB", "P3"])
def test_a_stop_is_a_stop_at_any_brightness_even_where_the_photo_clips(
    after, pixels, exposure, profile
):
    content = ultra_hdr(pixels=pixels, icc_profile=profile)
    hdr, result = after(content, dials=Dials(exposure=exposure))
    expected = hdr_of(content) * 2**exposure
    stops = stops_between(hdr, expected)
    assert np.percentile(stops_between(hdr @ LUMINANCE, expected @ LUMINANCE), 99) < 0.05
    if pixels.ndim == 3:
        assert stops.mean() < 0.02 and np.percentile(stops, 99) < 0.07
    if exposure == 1:  # the old map would give less: what clips has no more light to multiply
        assert (result.pixels == 255).mean() > 0.2


@pytest.mark.parametrize("pixels", [gains(), THREE], ids=["one channel", "three"])
def test_a_look_that_leaves_white_leaves_the_light_of_lamps(after, pixels):
    """F(h) = m f(h / m): gamma in sRGB, halfway, which leaves black and white as they are."""
    terms = np.zeros((3, 35), np.float32)
    # 0.5 p + 0.5 (2 p - p^2), written in c = 2 p - 1.
    for channel, (linear, square) in enumerate([(15, 25), (5, 9), (1, 2)]):
        terms[channel, [0, linear, square]] = 0.5 + 0.125, 0.5, -0.125
    look = Retouch(ColorCoefficients(np.zeros((3, 4), np.float32), terms))
    content = ultra_hdr(pixels=pixels)
    hdr, _ = after(content, look)
    before = hdr_of(content)
    most = before.max(axis=2, keepdims=True).clip(1)
    p = encoded(before / most)
    expected = most * srgb_to_linear(1.5 * p - 0.5 * p**2)
    stops = stops_between(hdr @ LUMINANCE, expected @ LUMINANCE)
    assert stops.mean() < 0.02 and np.percentile(stops, 99) < 0.06
    if pixels.ndim == 3:
        assert np.percentile(stops_between(hdr, expected), 99) < 0.1


def test_a_look_that_makes_brighter_is_not_multiplied_with_the_old_map(after, tmp_path):
    content = ultra_hdr()
    look = linear_map(np.eye(3) * 1.3)
    hdr, result = after(content, look)
    before = hdr_of(content)
    most = before.max(axis=2, keepdims=True).clip(1)
    expected = most * srgb_to_linear((1.3 * encoded(before / most)).clip(0, 1))
    assert np.percentile(stops_between(hdr @ LUMINANCE, expected @ LUMINANCE), 99) < 0.06
    old = decode(tmp_path / "a.jpg").gain_map.stops()
    old = (srgb_to_linear(result.as_floats()) + 1 / 64) * 2**old - 1 / 64
    assert np.percentile(stops_between(old @ LUMINANCE, expected @ LUMINANCE), 99) > 0.3


def test_conversion_to_srgb_keeps_the_light(after):
    content = ultra_hdr(pixels=THREE, icc_profile=DISPLAY_P3)
    hdr, result = after(content, srgb=True)
    assert result.color_space.is_srgb
    to_srgb = np.array([
        [1.2249402, -0.2249402, 0.0],
        [-0.0420570, 1.0420570, 0.0],
        [-0.0196376, -0.0786360, 1.0982736],
    ])  # fmt: skip
    expected = (hdr_of(content) @ to_srgb.T).clip(0)
    assert np.percentile(stops_between(hdr, expected), 99) < 0.08


def test_a_grey_photo_stays_grey_in_hdr(after):
    content = ultra_hdr(np.repeat(base()[..., :1], 3, axis=2))
    hdr, _ = after(content, dials=Dials(exposure=0.5, warmth=20))
    assert np.percentile(stops_between(hdr, hdr_of(content) * 2**0.5), 99) < 0.06


def test_a_small_result_has_a_small_map(after):
    content = ultra_hdr()
    hdr, result = after(content, dials=Dials(exposure=1), long_edge=48)
    assert result.gain_map.size == (48, 32)
    whole = 2 * hdr_of(content)
    averaged = whole.reshape(32, 4, 48, 4, 3).mean(axis=(1, 3))
    assert np.percentile(stops_between(hdr @ LUMINANCE, averaged @ LUMINANCE), 95) < 0.1


def test_a_map_in_a_color_space_of_its_own_is_applied_there(after):
    """libultrahdr's own file: HDR in Display P3 over a photo that it converts."""
    kinds = imagecodecs.ULTRAHDR
    light = np.ones((128, 192, 4), np.float16)
    light[..., :3] = srgb_to_linear(base() / 255) * 2 ** (3 * gains()[..., None] / 255.0)
    content = bytes(
        imagecodecs.ultrahdr_encode(
            light,
            level=98,
            transfer=kinds.CT.LINEAR,
            gamut=kinds.CG.DISPLAY_P3,
            codec=kinds.CODEC.JPEG,
        )
    )
    hdr, _ = after(content, dials=Dials(exposure=1))
    expected = 2 * hdr_of(content)
    stops = stops_between(hdr, expected)
    assert stops.mean() < 0.04 and np.percentile(stops, 99) < 0.12


def test_a_map_is_computed_in_strips_and_in_a_limited_size(monkeypatch):
    numbers = GainMapParameters((0.0,) * 3, (3.0,) * 3, alternate_headroom=3.0)
    photo = Photo(base(), gain_map=GainMap(gains(), numbers))
    look = linear_map(np.eye(3) * 1.2)
    whole = apply_retouch(photo, look).gain_map
    monkeypatch.setattr("enhance_cli.inference.hdr_retouch.STRIP", 192 * 10)
    assert np.array_equal(apply_retouch(photo, look).gain_map.pixels, whole.pixels)
    monkeypatch.setattr("enhance_cli.inference.hdr_retouch._MAX_PIXELS", 192 * 128 // 4)
    small = apply_retouch(photo, look).gain_map
    assert small.size == (96, 64)
    middle = whole.stops()[::2, ::2] - small.stops()
    assert np.percentile(np.abs(middle), 95) < 0.1


SIGNED, POSITIVE = st.floats(-64, 64), st.floats(2**-10, 64)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(SIGNED, SIGNED, POSITIVE, SIGNED, SIGNED), min_size=3, max_size=3),
    st.tuples(st.floats(0, 64), st.floats(0, 64)).filter(lambda pair: pair[0] != pair[1]),
    st.floats(-5, 5),
    st.sampled_from([(8, 12), (8, 12, 3)]),
)
def test_no_numbers_of_a_map_are_an_error(channels, headrooms, exposure, shape):
    first, second, gamma, base_offset, alternate_offset = zip(*channels, strict=True)
    low, high = zip(*(sorted(pair) for pair in zip(first, second, strict=True)), strict=True)
    numbers = GainMapParameters(
        low, high, gamma, base_offset, alternate_offset, min(headrooms), max(headrooms)
    )
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    photo = Photo(base(48, 32), ColorSpace(DISPLAY_P3), gain_map=GainMap(pixels, numbers))
    result = apply_retouch(photo, linear_map(np.eye(3) * 1.2), dials=Dials(exposure=exposure))
    assert np.isfinite(result.gain_map.stops()).all()


def test_photos_without_a_map_have_none_afterwards():
    photo = Photo(base())
    assert apply_retouch(photo, unchanged(photo), dials=Dials(exposure=1)).gain_map is None

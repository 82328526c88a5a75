"""Photos of any size, bit depth and color space."""

import imagecodecs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from enhance_cli.config.input_size import Shape, input_shape
from enhance_cli.config.model import ModelConfig
from enhance_cli.errors import RetouchError
from enhance_cli.evaluation.scoring import enhance_pixels
from enhance_cli.imaging.color_space import ColorSpace
from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.resize import fit_within
from enhance_cli.inference import retouch
from enhance_cli.inference.enhancer import Enhancer, _network_input
from enhance_cli.inference.networks.torch_networks import TorchNetworks
from enhance_cli.inference.weights import load_weights
from enhance_cli.inference.weights_file import find_weights
from enhance_cli.models.cascade import Cascade
from enhance_cli.models.color_function import ColorFunction

CPU = torch.device("cpu")


def enhancer_of(model: Cascade) -> Enhancer:
    return Enhancer(TorchNetworks(model, CPU))


DISPLAY_P3 = imagecodecs.cms_profile(
    "rgb",
    whitepoint=[0.3127, 0.3290, 1.0],
    primaries=[0.680, 0.320, 1, 0.265, 0.690, 1, 0.150, 0.060, 1],
    gamma=2.2,
)


def run(weights, photo, **options) -> Photo:
    enhancer = enhancer_of(load_weights(weights).model)
    return enhancer.apply(photo, enhancer.predict(photo), **options)


@pytest.fixture(scope="module")
def every_color() -> np.ndarray:
    """64 levels of each channel, 512 x 512, the corners of the cube included."""
    levels = np.linspace(0, 255, 64).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
    return cube.reshape(512, 512, 3)


class TestColors:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    @pytest.mark.proves("Colour", "profiles of RGB photos are honoured and kept")
    def test_an_identity_model_keeps_every_color(self, identity_weights, every_color, dtype):
        pixels = every_color.astype(dtype) * (np.iinfo(dtype).max // 255)
        result = run(identity_weights, Photo(pixels, ColorSpace(DISPLAY_P3)))
        assert result.color_space.profile == DISPLAY_P3
        np.testing.assert_array_equal(result.pixels, pixels)

    @pytest.mark.proves("Colour", "`--srgb` converts")
    def test_the_result_is_srgb_on_request(self, identity_weights):
        """A Display P3 color within sRGB's gamut, converted by the published matrix."""
        to_srgb = np.array([
            [1.2249402, -0.2249402, 0.0],
            [-0.0420570, 1.0420570, 0.0],
            [-0.0196376, -0.0786507, 1.0982884],
        ])  # fmt: skip
        color = np.array([0.6, 0.5, 0.55])
        linear = to_srgb @ color**2.2
        expected = 1.055 * linear ** (1 / 2.4) - 0.055
        pixels = np.full((8, 8, 3), color * 65535).round().astype(np.uint16)
        result = run(identity_weights, Photo(pixels, ColorSpace(DISPLAY_P3)), srgb=True)
        assert result.color_space.is_srgb
        np.testing.assert_allclose(result.pixels[4, 4] / 65535, expected, atol=0.002)

    def test_the_change_does_not_depend_on_the_color_space(self, brightening_weights, every_color):
        """Within sRGB's gamut, the same colors give the same result from Display P3."""
        srgb = Photo((60 + every_color * 0.5).astype(np.uint16) * 257)
        numbers = ColorSpace(DISPLAY_P3).from_srgb(srgb.as_srgb())
        wide = Photo((numbers * 65535).round().astype(np.uint16), ColorSpace(DISPLAY_P3))
        results = [run(brightening_weights, photo).as_srgb() for photo in (srgb, wide)]
        assert np.abs(results[0] - results[1]).max() < 1 / 255

    @pytest.mark.proves("Colour", "with colours outside sRGB")
    def test_colors_outside_srgb_stay_outside(self, brightening_weights):
        green = np.zeros((8, 8, 3), np.uint16)
        green[..., 1] = 60000
        result = run(brightening_weights, Photo(green, ColorSpace(DISPLAY_P3)))
        assert ColorSpace(DISPLAY_P3).to_srgb(result.as_floats())[..., 0].max() < 0

    @pytest.mark.proves("Grey photos", "stay grey")
    def test_a_grey_photo_stays_grey(self, every_color):
        grey = np.repeat(every_color[..., :1], 3, axis=2)
        result = run(find_weights(None), Photo(grey, grey=True)).pixels
        assert (result.max(axis=2) == result.min(axis=2)).all()


class TestColorFunction:
    """The shipped weights give one function of color, evaluated exactly at every pixel."""

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    def test_every_pixel_equals_the_formula(self, coffee, dtype):
        photo = Photo(coffee)
        if dtype == np.float32:
            photo = Photo(coffee.astype(np.float32) / 255)
        if dtype == np.uint16:
            noise = np.random.default_rng(0).integers(0, 257, coffee.shape)
            photo = Photo(np.minimum(coffee.astype(int) * 257 + noise, 65535).astype(np.uint16))
        enhancer = enhancer_of(load_weights(find_weights(None)).model)
        with torch.inference_mode():
            small = torch.from_numpy(_network_input(photo, enhancer.config))
            view = enhancer.networks.model(small.permute(2, 0, 1)[None])
            pixels = torch.from_numpy(photo.as_srgb()).permute(2, 0, 1)[None]
            expected = view.function(pixels)[0].permute(1, 2, 0).clamp(0, 1).numpy()
        result = enhancer.apply(photo, enhancer.predict(photo)).pixels
        rounding = 1e-5 if dtype == np.float32 else 0.6
        assert np.abs(result - expected * photo.max_value).max() <= rounding

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    @given(color=st.tuples(*[st.floats(0, 1)] * 3))
    @settings(max_examples=20, deadline=None)
    def test_a_photo_of_one_color_comes_out_of_one_color(self, shipped, dtype, color):
        white = np.iinfo(dtype).max if dtype != np.float32 else 1
        photo = Photo(np.full((61, 97, 3), np.multiply(color, white)).astype(dtype))
        result = shipped.apply(photo, shipped.predict(photo)).pixels
        assert (result == result[0, 0]).all()

    @pytest.fixture(scope="class")
    def shipped(self):
        return enhancer_of(load_weights(find_weights(None)).model)

    def test_copies_of_a_photo_get_the_same_function(self, shipped):
        """At full size and downscaled, colors come out the same to within a level."""
        photo = Photo(data.astronaut())
        levels = np.linspace(0.1, 0.9, 5, dtype=np.float32)
        colors = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 1, 3)
        large, small = (
            shipped.predict(one).colors(colors) for one in (photo, photo.fit_within(256))
        )
        assert np.abs(large - small).mean() < 1 / 255


class TestDepth:
    @pytest.mark.proves("Depth", "is kept in processing")
    def test_a_gradient_keeps_its_sixteen_bits(self, brightening_weights):
        """2,000 neighbouring levels out of 65,536, which are eight in 8 bits, stay distinct."""
        ramp = np.arange(20_000, 22_000, dtype=np.uint16)
        photo = Photo(np.repeat(np.tile(ramp, (4, 1))[..., None], 3, axis=2))
        # At half strength, 0.05: a tenth of 65,535 ends on a half, which is rounded to even.
        result = run(brightening_weights, photo, strength=0.5)
        assert result.pixels.dtype == np.uint16
        assert len(np.unique(result.pixels[..., 1])) == 2000


class TestSize:
    @pytest.mark.parametrize("long_edge", [640, 1500])
    def test_the_large_result_downscaled_is_the_small_result(self, coffee, long_edge):
        weights = find_weights(None)
        tall, wide = round(long_edge / 1.5), long_edge
        rows = np.arange(tall) * 400 // tall
        columns = np.arange(wide) * 600 // wide
        large = Photo(coffee[rows][:, columns] // 2 + 20)
        small = run(weights, large.fit_within(500))
        shrunk = run(weights, large).fit_within(500)
        difference = np.abs(small.pixels.astype(float) - shrunk.pixels)
        assert difference.mean() <= 1

    @pytest.mark.parametrize(
        ("geometry", "expected"),
        [
            (ModelConfig(input_side=32, fit="squash", max_input_edge=96), (64, 96)),
            (ModelConfig(input_side=32, fit="squash"), (332, 500)),
            (ModelConfig(input_side=128, fit="pad"), (84, 128)),
        ],
    )
    def test_the_networks_see_a_photo_at_the_configured_size(self, coffee, geometry, expected):
        model = Cascade(geometry).eval()
        shapes = []
        model.register_forward_pre_hook(lambda _, given: shapes.append(given[0].shape[-2:]))
        result = enhance_pixels(enhancer_of(model), coffee.astype(np.float32) / 255)
        assert shapes == [expected]
        assert result.shape == coffee.shape

    def test_copies_of_one_photo_get_the_same_input_shape(self):
        copies = [fit_within((6000, 4000), edge) for edge in (None, 2048, 1000, 768, 500, 300)]
        shapes = {input_shape(Shape(size.height, size.width), 256) for size in copies}
        assert shapes == {(172, 256)}
        assert input_shape(Shape(4000, 3), 256) == (256, 4)
        assert input_shape(Shape(255, 31), 256) == (255, 31)

    def test_strips_do_not_affect_the_result(self, coffee, monkeypatch):
        photo = Photo(coffee, ColorSpace(DISPLAY_P3))
        whole = run(find_weights(None), photo).pixels
        monkeypatch.setattr(retouch, "STRIP", 7 * 600)
        strips = run(find_weights(None), photo).pixels
        assert np.abs(whole.astype(int) - strips).max() <= 1

    @pytest.mark.parametrize("color_space", [ColorSpace(), ColorSpace(DISPLAY_P3)])
    def test_in_place_the_result_is_the_same_in_the_memory_of_the_photo(self, coffee, color_space):
        photo = Photo(coffee.copy(), color_space)
        expected = run(find_weights(None), photo)
        np.testing.assert_array_equal(photo.pixels, coffee)
        result = run(find_weights(None), photo, in_place=True)
        assert result.pixels is photo.pixels
        np.testing.assert_array_equal(result.pixels, expected.pixels)

    def test_read_only_pixels_are_not_overwritten_in_place(self, coffee, brightening_weights):
        locked = coffee.copy()
        locked.setflags(write=False)
        result = run(brightening_weights, Photo(locked), in_place=True)
        np.testing.assert_array_equal(locked, coffee)
        assert (result.pixels != coffee).any()


class TestStrength:
    def test_strength_0_returns_the_photo_unchanged(self, brightening_weights, coffee):
        np.testing.assert_array_equal(
            run(brightening_weights, Photo(coffee), strength=0).pixels, coffee
        )

    @pytest.mark.parametrize("strength", [0.5, 1, 1.5])
    def test_the_change_is_proportional_to_the_strength(self, brightening_weights, strength):
        photo = Photo(np.full((8, 8, 3), 100, np.uint8))
        result = run(brightening_weights, photo, strength=strength).pixels
        np.testing.assert_allclose(result, 100 + 25.5 * strength, atol=0.6)


def test_a_result_that_is_not_finite_is_an_error(identity_weights, coffee, monkeypatch):
    nan = torch.full((1, 3, 4), float("nan"))
    monkeypatch.setattr(ColorFunction, "matrix", lambda _: nan[0])
    with pytest.raises(RetouchError, match="not finite"):
        run(identity_weights, Photo(coffee))


class TestPixels:
    """Pixels as evaluation scores them."""

    @pytest.fixture
    def pixels(self, coffee):
        return coffee.astype(np.float32) / 255

    def test_an_identity_model_returns_the_pixels_unchanged(self, pixels, identity_weights):
        result = enhance_pixels(enhancer_of(load_weights(identity_weights).model), pixels)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, pixels)

    def test_results_are_clamped(self, pixels, brightening_weights):
        result = enhance_pixels(enhancer_of(load_weights(brightening_weights).model), pixels)
        np.testing.assert_allclose(result, (pixels + 0.1).clip(0, 1), atol=1e-3)
        assert result.max() == 1

    def test_a_photo_at_its_input_size_gets_the_result_of_the_networks(self, pixels):
        model = load_weights(find_weights(None)).model
        small = np.ascontiguousarray(pixels[::5, ::5])
        with torch.inference_mode():
            batch = torch.from_numpy(small).permute(2, 0, 1)[None].contiguous()
            expected = model(batch).enhanced[0].permute(1, 2, 0).clamp(0, 1).numpy()
        result = enhance_pixels(enhancer_of(model), small)
        np.testing.assert_allclose(result, expected, atol=1e-5)

    def test_coarse_only_differs_from_both_networks(self, pixels):
        enhancer = enhancer_of(load_weights(find_weights(None)).model)
        whole, coarse = (
            enhance_pixels(enhancer, 0.1 + 0.5 * pixels, coarse_only=only) for only in (False, True)
        )
        assert np.abs(whole - coarse).mean() > 1 / 255

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    def test_cuda_agrees_with_the_cpu(self, pixels):
        results = []
        for device in (CPU, torch.device("cuda")):
            model = load_weights(find_weights(None), device).model
            results.append(enhance_pixels(Enhancer(TorchNetworks(model, device)), pixels))
        difference = np.abs(results[0] - results[1])
        assert difference.mean() < 1 / 255 and difference.max() < 4 / 255

"""The package from Python, as the README shows it."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image

import enhance_cli
from enhance_cli import Enhancer, open_photo
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.batch.worker_pool import threads_for, torch_threads
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import PhotoError, UsageError, WeightsError
from enhance_cli.imaging.photo import Photo

STEP = 26
"""A tenth of 255, rounded."""


def retouched(enhancer, photo) -> Photo:
    return enhancer.apply(photo, enhancer.predict(photo))


class TestTheResultHasTheTypeOfThePhoto:
    def test_pillow_images(self, brightening):
        result = brightening.enhance(Image.new("RGB", (60, 40), (100, 80, 60)))
        assert isinstance(result, Image.Image) and result.size == (60, 40)
        assert result.getpixel((9, 9)) == (126, 106, 86)

    @pytest.mark.parametrize(
        ("dtype", "white"),
        [(np.uint8, 255), (np.uint16, 65535), (np.float16, 1), (np.float32, 1), (np.float64, 1)],
    )
    def test_arrays(self, brightening, dtype, white):
        color = np.array([0.4, 0.3, 0.2])
        photo = np.full((8, 9, 3), color * white).round(6).astype(dtype)
        result = brightening.enhance(photo)
        assert result.dtype == dtype and result.shape == (8, 9, 3)
        np.testing.assert_allclose(result[4, 4] / white, color + 0.1, atol=1 / 255)

    @pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1)])
    def test_grey_arrays(self, brightening, shape):
        result = brightening.enhance(np.full(shape, 100, np.uint8))
        assert result.shape == shape and result[4, 4] == 100 + STEP

    def test_photos(self, brightening):
        result = brightening.enhance(Photo(np.full((8, 9, 3), 100, np.uint8)))
        assert isinstance(result, Photo) and result.pixels[4, 4, 0] == 100 + STEP

    @pytest.mark.parametrize("shape", [(3, 8, 9), (1, 8, 9), (2, 3, 8, 9)])
    @pytest.mark.parametrize(
        ("dtype", "white"),
        [
            (torch.uint8, 255),
            (torch.uint16, 65535),
            (torch.float16, 1),
            (torch.bfloat16, 1),
            (torch.float32, 1),
            (torch.float64, 1),
        ],
    )
    def test_tensors(self, brightening, dtype, white, shape):
        photo = torch.full(shape, 0.4 * white, dtype=torch.float64).to(dtype)
        for strength in (0, 1):
            result = brightening.enhance(photo, strength=strength)
            assert result.dtype == dtype and result.shape == shape
            values = result.double() / white
            assert (values - 0.4 - 0.1 * strength).abs().max() < 1 / 255
            result.zero_()
        assert photo.double().min() > 0, "the result has memory of its own"

    def test_tensors_and_batches(self, brightening):
        photo = torch.rand(2, 3, 16, 24) * 0.8
        batch = brightening.enhance(photo)
        torch.testing.assert_close(batch, photo + 0.1, atol=1e-5, rtol=0)
        torch.testing.assert_close(brightening.enhance(photo[1]), batch[1])

    @pytest.mark.parametrize(
        "photo",
        [
            "photo.jpg",
            np.zeros((4, 4, 3), np.int64),
            np.zeros((4, 4, 7), np.uint8),
            torch.zeros(4, 4, 3),
            torch.zeros(3, 4, 4, dtype=torch.int64),
        ],
    )
    def test_anything_else_is_refused(self, brightening, photo):
        with pytest.raises(TypeError, match="give"):
            brightening.enhance(photo)


class TestArguments:
    PHOTO = np.full((8, 9, 3), 100, np.uint8)

    @pytest.mark.parametrize("strength", [9, -0.1, float("nan"), float("inf"), "1", None, True])
    def test_a_strength_out_of_range_is_refused(self, brightening, strength):
        with pytest.raises(UsageError, match=r"strength = .*: must be a number from 0 to 1\.5"):
            brightening.enhance(self.PHOTO, strength=strength)
        photo = Photo(self.PHOTO)
        with pytest.raises(UsageError, match="strength"):
            brightening.apply(photo, brightening.predict(photo), strength=strength)

    @pytest.mark.parametrize("long_edge", [0, -5, 1.5, "500", True])
    def test_a_longer_edge_out_of_range_is_refused(self, brightening, long_edge):
        with pytest.raises(UsageError, match=r"long_edge = .*: must be"):
            brightening.enhance(self.PHOTO, long_edge=long_edge)
        assert brightening.enhance(self.PHOTO, long_edge=1).shape == (1, 1, 3)

    @pytest.mark.parametrize(
        "photo",
        [
            *(np.zeros(shape, np.uint8) for shape in ((0, 0, 3), (0, 5, 3), (5, 0, 3), (0, 0))),
            np.zeros((0, 5, 3), np.float32),
            *(torch.zeros(shape) for shape in ((3, 0, 5), (0, 3, 5, 5), (2, 3, 5, 0))),
            Image.new("RGB", (0, 0)),
            Image.new("L", (5, 0)),
        ],
    )
    def test_a_photo_without_pixels_is_refused(self, brightening, photo):
        with pytest.raises(UsageError, match="without pixels"):
            brightening.enhance(photo)

    @pytest.mark.parametrize("value", [99, 2, -1, float("nan"), float("inf")])
    def test_floats_of_another_range_are_refused(self, brightening, value):
        pixels = np.full((8, 9, 3), 0.5, np.float32)
        pixels[2, 2, 2] = value
        for photo in (pixels, pixels[..., 2], torch.from_numpy(pixels).permute(2, 0, 1)):
            with pytest.raises(UsageError, match=r"give floats in \[0, 1\]"):
                brightening.enhance(photo)

    def test_floats_a_little_out_of_range_are_not(self, brightening):
        pixels = np.full((8, 9, 3), 0.5, np.float32)
        pixels[2, 2], pixels[3, 3] = -0.1, 1.1
        result = brightening.enhance(pixels)
        assert result.min() >= 0 and result.max() <= 1

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    @pytest.mark.parametrize("shape", [(8, 9, 3), (8, 9)])
    def test_the_result_is_never_the_callers_own_array(self, brightening, dtype, shape):
        photo = np.full(shape, 1, dtype)
        for strength in (0, 1):
            result = brightening.enhance(photo, strength=strength)
            result[:] = 0
        assert (photo == 1).all()

    def test_nor_the_callers_own_tensor_or_image(self, brightening):
        tensor, image = torch.full((3, 8, 9), 0.5), Image.new("RGB", (9, 8), "red")
        brightening.enhance(tensor, strength=0).zero_()
        brightening.enhance(image, strength=0).paste("blue", (0, 0, 9, 8))
        assert (tensor == 0.5).all() and image.getpixel((0, 0)) == (255, 0, 0)

    def test_what_is_no_photo_is_named(self, brightening):
        for other in ("a.jpg", [self.PHOTO], None, torch.zeros(2, 3, 8, 8)):
            with pytest.raises(TypeError, match="give"):
                brightening.predict(other)
        with pytest.raises(TypeError, match="mode F: give"):
            brightening.enhance(Image.new("F", (8, 8)))

    @pytest.mark.parametrize(("mode", "dtype"), [("I;16", "<u2"), ("I;16B", ">u2"), ("I", "<i4")])
    def test_a_deep_grey_image_keeps_16_bits(self, brightening, mode, dtype):
        levels = np.linspace(0, 58000, 80 * 60).reshape(60, 80).astype(dtype)
        image = Image.fromarray(levels)
        assert image.mode == mode
        result = brightening.enhance(image)
        assert (result.mode, result.size) == (mode, image.size)
        expected = levels.astype(float) + 0.1 * 65535  # what these weights add
        assert np.abs(np.asarray(result).astype(float) - expected).max() <= 1
        assert np.array_equal(np.asarray(brightening.enhance(image, strength=0)), levels)
        assert brightening.enhance(image, long_edge=40).size == (40, 30)

    def test_levels_of_more_than_16_bits_are_refused(self, brightening):
        with pytest.raises(UsageError, match="from 0 to 70000: give 0 to 65535"):
            brightening.enhance(Image.fromarray(np.array([[0, 70000]], np.int32)))

    @pytest.mark.parametrize(
        "photo",
        [
            "a.jpg", None, np.zeros((4, 4, 3), np.int32), np.zeros((4, 4, 4), np.uint8),
            np.zeros(9, np.uint8), torch.zeros(4, 4, 3), Image.new("F", (8, 8)),
        ],
    )  # fmt: skip
    def test_every_wrong_picture_is_an_expected_error(self, brightening, photo):
        retouch = brightening.predict(self.PHOTO)
        for call in (brightening.enhance, brightening.predict, retouch.apply):
            with pytest.raises(UsageError, match="give"):
                call(photo)
        with pytest.raises(UsageError, match="give"):
            brightening.apply(photo, retouch)

    @pytest.mark.parametrize("dials", [3, None, {"exposure": 1}])
    def test_dials_that_are_none(self, brightening, dials):
        retouch = brightening.predict(self.PHOTO)
        for call in (
            lambda: brightening.enhance(self.PHOTO, dials=dials),
            lambda: brightening.apply(Photo(self.PHOTO), retouch, dials=dials),
            lambda: retouch.apply(self.PHOTO, dials=dials),
        ):
            with pytest.raises(UsageError, match="must be Dials"):
                call()

    @pytest.mark.parametrize("given", [{"device": None}, {"device": 0}, {"weights": 3}])
    def test_a_device_or_weights_that_are_none(self, given):
        with pytest.raises(UsageError, match=f"{next(iter(given))} = .*: must be"):
            Enhancer.load(**given)

    def test_retouches_can_be_compared(self, brightening):
        photo = Photo(self.PHOTO)
        one, two = brightening.predict(photo), brightening.predict(photo)
        assert one == two and hash(one) == hash(two) and one != replace(two, grey=not two.grey)

    @pytest.mark.parametrize("kind", ["TIFF", "PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP"])
    @pytest.mark.parametrize("loaded", [False, True])
    def test_an_image_from_memory(self, brightening, kind, loaded):
        content = BytesIO()
        Image.new("RGB", (60, 40), (9, 99, 200)).save(content, kind)
        with Image.open(content) as photo:
            if loaded:
                photo.load()
            assert brightening.enhance(photo).size == (60, 40)


class TestRules:
    @pytest.mark.proves(
        "Size", "is 500 px on the longer edge, or as `--long-edge` or `--full-size` says"
    )
    def test_size(self, brightening):
        photo = np.zeros((600, 900, 3), np.uint8)
        assert ApplyConfig((), Path("out")).long_edge == 500
        assert brightening.enhance(photo, long_edge=500).shape == (333, 500, 3)
        assert brightening.enhance(photo, long_edge=90).shape == (60, 90, 3)
        assert brightening.enhance(photo, long_edge=None).shape == (600, 900, 3)
        assert brightening.enhance(photo).shape == (600, 900, 3), "the full size by default"

    def test_a_pillow_image_keeps_its_color_profile(self, brightening):
        profile = imagecodecs.cms_profile("adobergb")
        photo = Image.new("RGB", (20, 20), (100, 80, 60))
        photo.info["icc_profile"] = profile
        assert brightening.enhance(photo).info["icc_profile"] == profile
        assert brightening.enhance(photo, srgb=True).info["icc_profile"] != profile

    def test_strength(self, brightening):
        photo = np.full((8, 8, 3), [100, 80, 60], np.uint8)
        unchanged = brightening.enhance(photo, strength=0)
        np.testing.assert_array_equal(unchanged, photo)
        assert brightening.enhance(photo, strength=0.5)[4, 4, 0] == 113

    def test_the_result_is_that_of_enhance_apply(self, tmp_path, coffee, write_photo):
        path = write_photo(tmp_path / "a.png", coffee)
        list(BatchRunner(ApplyConfig((path,), tmp_path / "out", device="cpu")))
        with Image.open(path) as photo, Image.open(tmp_path / "out" / "a.png") as result:
            # Sums of floats depend, in their last bits, on the number of threads.
            with torch_threads(threads_for("cpu")):
                result_in_memory = Enhancer.load(device="cpu").enhance(photo, long_edge=500)
            np.testing.assert_array_equal(np.asarray(result_in_memory), np.asarray(result))

    def test_the_input_is_not_modified(self, brightening):
        photo = np.full((8, 8, 3), 100, np.uint8)
        before = hashlib.sha256(photo.tobytes()).digest()
        brightening.enhance(photo)
        assert hashlib.sha256(photo.tobytes()).digest() == before

    def test_missing_weights_are_an_error(self, tmp_path):
        with pytest.raises(WeightsError, match=r"none\.safetensors"):
            Enhancer.load(tmp_path / "none.safetensors")

    def test_the_package_exports_the_enhancer_and_the_errors(self):
        errors = {name for name in vars(enhance_cli.errors) if name.endswith("Error")}
        assert set(enhance_cli.__all__) == {
            *("Enhancer", "Photo", "Retouch", "open_photo", "__version__"),
            *errors,
        }
        assert all(getattr(enhance_cli, name) for name in enhance_cli.__all__)
        with pytest.raises(AttributeError, match="enhancer"):
            _ = enhance_cli.enhancer_of_photos


def test_the_enhancer_says_what_it_is(brightening, brightening_weights):
    assert repr(brightening) == f"Enhancer(ce, weights='{brightening_weights}', device='cpu')"


class TestOpenPhoto:
    def test_a_folder_and_no_path(self, tmp_path):
        with pytest.raises(PhotoError, match="is a folder"):
            open_photo(tmp_path)
        with pytest.raises(UsageError, match="path = 3: must be"):
            open_photo(3)

    def test_it_reads_what_apply_reads(self, tmp_path, write_dng, write_photo, coffee):
        raw = enhance_cli.open_photo(write_dng(tmp_path / "a.dng", coffee))
        assert raw.pixels.dtype == np.uint16 and raw.size == (600, 400)
        small = enhance_cli.open_photo(str(write_photo(tmp_path / "a.jpg", coffee)), long_edge=90)
        assert small.size == (90, 60) and repr(small) == "Photo(90 x 60, uint8, sRGB)"

    def test_what_it_cannot_read_is_an_error(self, tmp_path):
        with pytest.raises(enhance_cli.PhotoError, match=r"none\.jpg"):
            enhance_cli.open_photo(tmp_path / "none.jpg")
        with pytest.raises(UsageError, match="long_edge"):
            enhance_cli.open_photo(tmp_path / "none.jpg", long_edge=0)


class TestRetouchAsAnObject:
    def test_it_is_applied_to_pictures_of_any_kind_and_size(self, brightening):
        retouch = brightening.predict(Image.new("RGB", (9, 8), (100, 80, 60)))
        assert retouch.apply(Image.new("RGB", (90, 80), (100, 80, 60))).getpixel((9, 9))[0] == 126
        array = retouch.apply(np.full((80, 90, 3), 0.4))
        assert array.dtype == np.float64 and array[3, 3, 0] == pytest.approx(0.5, abs=1e-6)
        assert retouch.apply(torch.full((3, 5, 5), 100, dtype=torch.uint8))[0, 0, 0] == 126

    def test_blending_is_the_strength_of_apply(self, brightening):
        photo = Photo(np.full((8, 9, 3), 100, np.uint8))
        retouch = brightening.predict(photo)
        for strength in (0, 0.5, 1, 1.5):
            expected = brightening.apply(photo, retouch, strength)
            assert retouch.blend(strength).apply(photo) == expected
        assert retouch.blend(0.5).blend(0.5).strength == 0.25
        with pytest.raises(UsageError, match="strength"):
            retouch.blend(1.5).blend(1.5)
        assert repr(retouch.blend(0.5)) == "Retouch(linear map, strength 0.5)"

    def test_its_tables_hold_the_blend(self, brightening, tmp_path):
        retouch = brightening.predict(np.full((8, 9, 3), 100, np.uint8)).blend(0.5)
        retouch.to_cube(tmp_path / "new" / "a.cube", size=5)
        lines = (tmp_path / "new" / "a.cube").read_text().splitlines()
        assert lines[1] == "LUT_3D_SIZE 5" and lines[4] == "0.050000 0.050000 0.050000"
        retouch.to_hald(tmp_path / "a.png", size=16)
        assert imagecodecs.png_decode((tmp_path / "a.png").read_bytes())[0, 0, 0] == 3277
        for size in (1, 257, "5"):
            with pytest.raises(UsageError, match="size"):
                retouch.to_cube(tmp_path / "b.cube", size)
        with pytest.raises(UsageError, match="square"):
            retouch.to_hald(tmp_path / "b.png", 15)
        (tmp_path / "file").touch()
        with pytest.raises(enhance_cli.EnhanceError, match=r"b\.cube"):
            retouch.to_cube(tmp_path / "file" / "b.cube")

    def test_what_depends_on_the_place_is_no_table(self, identity_weights, tmp_path, coffee):
        retouch = Enhancer.load(identity_weights, "cpu").predict(coffee)
        assert retouch.grid is not None and "maps of color" in repr(retouch)
        with pytest.raises(UsageError, match="coarse_only=True"):
            retouch.to_cube(tmp_path / "a.cube")


def test_a_jpeg_read_from_memory(brightening, coffee):
    content = BytesIO()
    Image.fromarray(coffee).save(content, "JPEG")
    photo = Image.open(content)
    assert brightening.enhance(photo, long_edge=500).size == (500, 333)
    assert photo.size == (600, 400), "the caller's image is not modified"


class TestThreads:
    def test_a_prediction_does_not_depend_on_other_threads(self, coffee):
        enhancer = Enhancer.load(device="cpu")
        photos = [Photo(np.ascontiguousarray(coffee[: 400 - 60 * n, 40 * n :])) for n in range(4)]
        with torch_threads(1):
            alone = [enhancer.predict(photo) for photo in photos]
            with ThreadPoolExecutor(4) as threads:
                together = list(threads.map(enhancer.predict, photos * 2))
        for expected, found in zip(alone * 2, together, strict=True):
            np.testing.assert_array_equal(found.function.matrix, expected.function.matrix)
            np.testing.assert_array_equal(found.function.polynomial, expected.function.polynomial)

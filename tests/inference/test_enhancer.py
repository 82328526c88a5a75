"""The package from Python, as the README shows it."""

import hashlib
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image

import enhance_cli
from enhance_cli import Enhancer
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.batch.worker_pool import torch_threads, worker_pool_for
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import RetouchError, WeightsError
from enhance_cli.imaging.photo import Photo

STEP = 26
"""What 0.1 is of 255, rounded."""


@pytest.fixture
def brightening(brightening_weights) -> Enhancer:
    return Enhancer.load(brightening_weights, "cpu")


def retouched(enhancer, photo) -> Photo:
    return enhancer.apply(photo, enhancer.predict(photo))


class TestWhatIsGivenComesBack:
    def test_pillow_images(self, brightening):
        result = brightening.enhance(Image.new("RGB", (60, 40), (100, 80, 60)))
        assert isinstance(result, Image.Image) and result.size == (60, 40)
        assert result.getpixel((9, 9)) == (126, 106, 86)

    @pytest.mark.parametrize(
        ("kind", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)]
    )
    def test_arrays(self, brightening, kind, white):
        colour = np.array([0.4, 0.3, 0.2])
        photo = np.full((8, 9, 3), colour * white).round(6).astype(kind)
        result = brightening.enhance(photo)
        assert result.dtype == kind and result.shape == (8, 9, 3)
        np.testing.assert_allclose(result[4, 4] / white, colour + 0.1, atol=1 / 255)

    def test_grey_arrays(self, brightening):
        result = brightening.enhance(np.full((8, 9), 100, np.uint8))
        assert result.shape == (8, 9) and result[4, 4] == 100 + STEP

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
            torch.zeros(3, 4, 4, dtype=torch.uint8),
        ],
    )
    def test_all_else_is_refused(self, brightening, photo):
        with pytest.raises(TypeError, match="give"):
            brightening.enhance(photo)


class TestRules:
    @pytest.mark.proves(
        "Size", "is 500 px on the longer edge, or as `--long-edge` or `--full-size` says"
    )
    def test_size(self, brightening):
        photo = np.zeros((600, 900, 3), np.uint8)
        assert brightening.enhance(photo).shape == (333, 500, 3)
        assert brightening.enhance(photo, long_edge=90).shape == (60, 90, 3)
        assert brightening.enhance(photo, long_edge=None).shape == (600, 900, 3)

    def test_colours_of_a_pillow_image(self, brightening):
        profile = imagecodecs.cms_profile("adobergb")
        photo = Image.new("RGB", (20, 20), (100, 80, 60))
        photo.info["icc_profile"] = profile
        assert brightening.enhance(photo).info["icc_profile"] == profile
        assert brightening.enhance(photo, srgb=True).info["icc_profile"] != profile

    def test_strength(self, brightening):
        photo = np.full((8, 8, 3), [100, 80, 60], np.uint8)
        given_back = brightening.enhance(photo, strength=0)
        np.testing.assert_array_equal(given_back, photo)
        assert brightening.enhance(photo, strength=0.5)[4, 4, 0] == 113

    def test_it_is_what_apply_calls(self, tmp_path, coffee, write_photo):
        path = write_photo(tmp_path / "a.png", coffee)
        list(BatchRunner(ApplyConfig((path,), tmp_path / "out", device="cpu")))
        with Image.open(path) as photo, Image.open(tmp_path / "out" / "a.png") as result:
            # Sums of floats depend, in their last bits, on the number of threads.
            with torch_threads(worker_pool_for(torch.device("cpu")).threads):
                mine = Enhancer.load(device="cpu").enhance(photo)
            np.testing.assert_array_equal(np.asarray(mine), np.asarray(result))

    def test_the_photo_given_is_not_changed(self, brightening):
        photo = np.full((8, 8, 3), 100, np.uint8)
        before = hashlib.sha256(photo.tobytes()).digest()
        brightening.enhance(photo)
        assert hashlib.sha256(photo.tobytes()).digest() == before

    def test_weights_that_are_not_there(self, tmp_path):
        with pytest.raises(WeightsError, match=r"none\.safetensors"):
            Enhancer.load(tmp_path / "none.safetensors")

    def test_the_package_says_what_it_offers(self):
        errors = {name for name in vars(enhance_cli.errors) if name.endswith("Error")}
        assert set(enhance_cli.__all__) == {"Enhancer", "__version__", *errors}
        with pytest.raises(AttributeError, match="enhancer"):
            _ = enhance_cli.enhancer_of_photos


class TestMemory:
    """A GPU that runs out is played by the CPU under another name; the order of steps is real."""

    @pytest.fixture
    def on_gpu(self, brightening, monkeypatch):
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
        brightening.device = torch.device("cuda")
        tried: list[str] = []

        def play(failures: int) -> None:
            forward, to = brightening.model.forward, torch.Tensor.to

            def stand_in(photo, coarse_only):
                tried.append(brightening.device.type)
                if brightening.device.type == "cuda" and len(tried) <= failures:
                    raise torch.OutOfMemoryError("CUDA out of memory")
                return forward(photo, coarse_only)

            monkeypatch.setattr(brightening.model, "forward", stand_in)
            monkeypatch.setattr(
                torch.Tensor,
                "to",
                lambda tensor, where, *rest: to(
                    tensor, "cpu" if isinstance(where, torch.device) else where, *rest
                ),
            )

        return brightening, play, tried

    def test_the_device_is_announced_after_the_model_has_moved(self, on_gpu, monkeypatch):
        enhancer, play, _ = on_gpu
        play(failures=100)
        moved_while_on: list[str] = []
        move = enhancer.model.to

        def to(device):
            moved_while_on.append(enhancer.device.type)
            return move(device)

        monkeypatch.setattr(enhancer.model, "to", to)
        enhancer.predict(Photo(np.full((8, 8, 3), 100, np.uint8)))
        assert moved_while_on == ["cuda"] and enhancer.device.type == "cpu"

    def test_no_room_for_the_network(self, on_gpu):
        enhancer, play, tried = on_gpu
        play(failures=100)
        photo = Photo(np.full((8, 8, 3), 100, np.uint8))
        assert retouched(enhancer, photo).pixels[4, 4, 0] == 100 + STEP
        retouched(enhancer, photo)
        assert tried == ["cuda", "cuda", "cpu", "cpu"]
        assert len(enhancer.warnings) == 1 and "GPU" in enhancer.warnings[0], "said once"

    def test_room_again_once_the_cache_is_emptied(self, on_gpu):
        enhancer, play, tried = on_gpu
        play(failures=1)
        photo = Photo(np.full((8, 8, 3), 100, np.uint8))
        assert retouched(enhancer, photo).pixels[4, 4, 0] == 100 + STEP
        assert tried == ["cuda", "cuda"] and not enhancer.warnings

    def test_no_memory_on_the_cpu_is_a_failed_photo(self, brightening, monkeypatch):
        def no_memory(*_, **__):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ...")

        monkeypatch.setattr(brightening.model, "forward", no_memory)
        with pytest.raises(RetouchError, match="memory"):
            retouched(brightening, Photo(np.zeros((8, 8, 3), np.uint8)))


def test_a_jpeg_read_from_memory(brightening, coffee):
    content = BytesIO()
    Image.fromarray(coffee).save(content, "JPEG")
    photo = Image.open(content)
    assert brightening.enhance(photo).size == (500, 333)
    assert photo.size == (600, 400), "the caller's picture stays as it is"

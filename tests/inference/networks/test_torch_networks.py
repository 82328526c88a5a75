"""PyTorch's networks on a GPU that fails, and in several threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from enhance_cli.errors import RetouchError
from enhance_cli.imaging.photo import Photo
from enhance_cli.inference.enhancer import Enhancer
from enhance_cli.inference.networks import torch_networks as module
from enhance_cli.inference.networks.torch_networks import TorchNetworks

STEP = 26
"""A tenth of 255, rounded."""


def retouched(enhancer, photo) -> Photo:
    return enhancer.apply(photo, enhancer.predict(photo))


class TestMemory:
    """The CPU stands in for a GPU that runs out of memory; the order of steps is real."""

    @pytest.fixture
    def on_gpu(self, brightening, monkeypatch):
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
        brightening.networks.torch_device = torch.device("cuda")
        tried: list[str] = []

        def play(failures: int, part: str = "networks") -> None:
            forward, to = brightening.networks.model.forward, torch.Tensor.to
            prediction_from = module._prediction_from

            def fail() -> None:
                tried.append(brightening.networks.torch_device.type)
                if brightening.networks.torch_device.type == "cuda" and len(tried) <= failures:
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 MiB")

            def networks(photo, coarse_only):
                fail()
                return forward(photo, coarse_only)

            def prediction(small, shape):
                fail()
                return prediction_from(small, shape)

            if part == "networks":
                monkeypatch.setattr(brightening.networks.model, "forward", networks)
            else:
                monkeypatch.setattr(module, "_prediction_from", prediction)
            monkeypatch.setattr(
                torch.Tensor,
                "to",
                lambda tensor, where, *rest: to(
                    tensor, "cpu" if isinstance(where, torch.device) else where, *rest
                ),
            )

        return brightening, play, tried

    def test_the_device_is_published_after_the_model_has_moved(self, on_gpu, monkeypatch):
        enhancer, play, _ = on_gpu
        play(failures=100)
        device_during_move: list[str] = []
        move = enhancer.networks.model.to

        def to(device):
            device_during_move.append(enhancer.networks.torch_device.type)
            result = move(device)
            device_during_move.append(enhancer.networks.torch_device.type)
            return result

        monkeypatch.setattr(enhancer.networks.model, "to", to)
        enhancer.predict(Photo(np.full((8, 8, 3), 100, np.uint8)))
        assert device_during_move == ["cuda", "cuda"] and enhancer.device == "cpu"

    @pytest.mark.parametrize("part", ["networks", "prediction"])
    def test_two_tries_on_the_gpu_and_then_the_cpu_for_the_rest_of_the_run(self, on_gpu, part):
        enhancer, play, tried = on_gpu
        play(failures=100, part=part)
        photo = Photo(np.full((8, 8, 3), 100, np.uint8))
        assert retouched(enhancer, photo).pixels[4, 4, 0] == 100 + STEP
        retouched(enhancer, photo)
        assert tried == ["cuda", "cuda", "cpu", "cpu"]
        assert len(enhancer.warnings) == 1 and "GPU" in enhancer.warnings[0], "reported once"

    def test_the_fallback_is_reported_with_the_photo_at_which_it_happened(self, on_gpu):
        enhancer, play, _ = on_gpu
        play(failures=100)
        photo = Photo(np.full((8, 8, 3), 100, np.uint8))
        at, after = enhancer.predict(photo), enhancer.predict(photo)
        assert at.warnings == tuple(enhancer.warnings) and after.warnings == ()

    def test_a_model_that_must_stay_on_the_gpu_is_not_moved(self, on_gpu, monkeypatch):
        """Training and ``enhance eval`` use an enhancer of their own, without the fallback."""
        _, play, tried = on_gpu
        play(failures=100)
        enhancer, _, _ = on_gpu
        own = Enhancer(TorchNetworks(enhancer.networks.model, torch.device("cuda")))
        monkeypatch.setattr(
            enhancer.networks.model, "to", lambda *_: pytest.fail("the model was moved")
        )
        with pytest.raises(RetouchError, match="memory"):
            own.predict(Photo(np.full((8, 8, 3), 100, np.uint8)))
        assert tried == ["cuda", "cuda"] and own.device == "cuda" and not own.warnings

    def test_a_second_try_succeeds_once_the_cache_is_emptied(self, on_gpu):
        enhancer, play, tried = on_gpu
        play(failures=1)
        photo = Photo(np.full((8, 8, 3), 100, np.uint8))
        assert retouched(enhancer, photo).pixels[4, 4, 0] == 100 + STEP
        assert tried == ["cuda", "cuda"] and not enhancer.warnings

    @pytest.mark.parametrize(
        "problem", [RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
                    NotImplementedError("The operator 'aten::x' is not implemented for MPS")]
    )  # fmt: skip
    def test_apples_gpu_is_given_up_as_cuda_is(self, on_gpu, monkeypatch, problem):
        enhancer, play, _ = on_gpu
        play(failures=0)
        forward, emptied = enhancer.networks.model.forward, []

        def networks(photo, coarse_only):
            if enhancer.device == "mps":
                raise problem
            return forward(photo, coarse_only)

        monkeypatch.setattr(torch.mps, "empty_cache", lambda: emptied.append(True))
        monkeypatch.setattr(enhancer.networks.model, "forward", networks)
        enhancer.networks.torch_device = torch.device("mps")
        photo = Photo(np.full((8, 8, 3), 100, np.uint8))
        assert retouched(enhancer, photo).pixels[4, 4, 0] == 100 + STEP
        assert enhancer.device == "cpu" and len(enhancer.warnings) == 1 and emptied

    def test_other_faults_on_a_gpu_are_not_hidden(self, on_gpu, monkeypatch):
        enhancer, play, _ = on_gpu
        play(failures=0)

        def networks(*_):
            raise RuntimeError("shapes do not match")

        monkeypatch.setattr(enhancer.networks.model, "forward", networks)
        with pytest.raises(RuntimeError, match="shapes do not match"):
            enhancer.predict(Photo(np.full((8, 8, 3), 100, np.uint8)))

    def test_no_memory_on_the_cpu_fails_the_photo(self, brightening, monkeypatch):
        def no_memory(*_, **__):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ...")

        monkeypatch.setattr(brightening.networks.model, "forward", no_memory)
        with pytest.raises(RetouchError, match="memory"):
            retouched(brightening, Photo(np.zeros((8, 8, 3), np.uint8)))


class TestThreads:
    def test_on_the_cpu_threads_predict_side_by_side(self, brightening, monkeypatch):
        """Both threads must be inside the networks at once, or the barrier times out."""
        forward, both_inside = brightening.networks.model.forward, threading.Barrier(2, timeout=30)

        def networks(photo, coarse_only):
            both_inside.wait()
            return forward(photo, coarse_only)

        monkeypatch.setattr(brightening.networks.model, "forward", networks)
        photos = [Photo(np.full((8, 8, 3), level, np.uint8)) for level in (60, 100)]
        with ThreadPoolExecutor(2) as threads:
            results = list(threads.map(lambda photo: retouched(brightening, photo), photos))
        assert [result.pixels[4, 4, 0] for result in results] == [60 + STEP, 100 + STEP]

    def test_one_thread_at_a_time_uses_the_gpu(self, brightening, monkeypatch):
        brightening.networks.torch_device = torch.device("cuda")
        forward, to = brightening.networks.model.forward, torch.Tensor.to
        inside, most = threading.Semaphore(1), []

        def networks(photo, coarse_only):
            most.append(inside.acquire(blocking=False))
            time.sleep(0.05)
            result = forward(photo, coarse_only)
            inside.release()
            return result

        monkeypatch.setattr(brightening.networks.model, "forward", networks)
        monkeypatch.setattr(
            torch.Tensor,
            "to",
            lambda tensor, where, *rest: to(
                tensor, "cpu" if isinstance(where, torch.device) else where, *rest
            ),
        )
        photos = [Photo(np.full((8, 8, 3), level, np.uint8)) for level in (60, 70, 80, 90)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(brightening.predict, photos))
        assert most == [True] * 4

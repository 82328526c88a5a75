"""The networks, run by PyTorch on any device."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from enhance_cli.config.input_size import Shape
from enhance_cli.config.model import ModelConfig
from enhance_cli.imaging.color_space import Floats
from enhance_cli.inference.networks.networks import Prediction, color_coefficients
from enhance_cli.inference.weights import load_weights
from enhance_cli.models.cascade import Cascade, Enhancement
from enhance_cli.models.fuse_batch_norm import fuse_batch_norm
from enhance_cli.models.guided_upsampling import guided_affine_grid

OUT_OF_MEMORY = "the GPU is out of memory; the run goes on without it, more slowly"
NOT_ON_THIS_GPU = "PyTorch cannot do all of this on this GPU; the run goes on without it"


class TorchNetworks:
    """A cascade on a device.

    On the CPU, all threads predict side by side; on a GPU, one at a time.

    Args:
        model: A cascade in eval mode.
        device: The device that the model is on.
        cpu_fallback: Whether the model may move to the CPU when the GPU runs out of memory. A model
            that is still being trained must stay where it is.

    Attributes:
        model: The cascade.
        config: Architecture and input geometry of the model.
        torch_device: The device that the model is on now.
        cpu_fallback: Whether the model may move to the CPU when the GPU runs out of memory.
        warnings: What happened to this model, such as the fallback to the CPU.
    """

    def __init__(self, model: Cascade, device: torch.device, cpu_fallback: bool = False) -> None:
        self.model = model
        self.config: ModelConfig = model.config
        self.torch_device = device
        self.cpu_fallback = cpu_fallback
        self.warnings: list[str] = []
        self._gpu = threading.Lock()

    @classmethod
    def load(cls, path: Path, device: str, cpu_fallback: bool = False) -> TorchNetworks:
        """Load a weights file, with batch norm fused into the convolutions.

        Args:
            path: The weights file.
            device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
            cpu_fallback: Whether a GPU that runs out of memory is given up for the CPU.

        Raises:
            WeightsError: The file cannot be used.
        """
        place = torch.device(device)
        return cls(fuse_batch_norm(load_weights(path, place).model), place, cpu_fallback)

    @property
    def device(self) -> str:
        """The name of the device that the model is on now."""
        return str(self.torch_device)

    @torch.inference_mode()
    def predict(self, view: Floats, shape: Shape, coarse_only: bool) -> Prediction:
        """Run the networks on a photo, see :meth:`Networks.predict`."""
        batch = batch_of(view)
        with self._one_at_a_time():
            failures, warnings = 0, ()
            while True:
                try:
                    small = self.model(batch.to(self.torch_device), coarse_only)
                    return replace(_prediction_from(small, shape), warnings=warnings)
                except RuntimeError as problem:
                    small = None  # frees its memory before the next try
                    if _is_missing_on_gpu(problem, self.torch_device):
                        warnings += self._fall_back(NOT_ON_THIS_GPU)
                    elif _is_lack_of_gpu_memory(problem):
                        failures += 1
                        warnings += self._make_room(failures)
                    else:
                        raise

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Generator[None]:
        """Let one thread at a time use the GPU; on the CPU, all threads run side by side."""
        if self.torch_device.type == "cpu":
            yield
            return
        with self._gpu:
            yield

    def _make_room(self, failures: int) -> tuple[str, ...]:
        """Empty the GPU's cache; after a second failure, fall back to the CPU for good.

        Returns:
            Warnings for the photo that needs the room.

        Raises:
            MemoryError: Nothing is left to try.
        """
        if self.torch_device.type == "cpu":
            raise MemoryError
        _empty_cache(self.torch_device)
        return () if failures == 1 else self._fall_back(OUT_OF_MEMORY)

    def _fall_back(self, warning: str) -> tuple[str, ...]:
        """Move to the CPU for good.

        Returns:
            The warning, for the photo at which it happened.

        Raises:
            MemoryError: The model must stay where it is.
        """
        if not self.cpu_fallback:
            raise MemoryError
        gpu = self.torch_device
        self.model.to("cpu")
        self.torch_device = torch.device("cpu")  # after the move: on the CPU, no thread waits
        _empty_cache(gpu)
        self.warnings.append(warning)
        return (warning,)


def batch_of(view: Floats) -> Tensor:
    """A photo, ``(h, w, 3)``, as the networks take it: ``(1, 3, h, w)``, on the CPU."""
    return torch.from_numpy(view).permute(2, 0, 1)[None].contiguous()


def _is_missing_on_gpu(problem: RuntimeError, device: torch.device) -> bool:
    """Whether PyTorch lacks an operator on this GPU; only Apple's lack any."""
    return device.type == "mps" and isinstance(problem, NotImplementedError)


def _is_lack_of_gpu_memory(problem: RuntimeError) -> bool:
    """Whether a GPU is out of memory; for Apple's, PyTorch has no type of error."""
    return isinstance(problem, torch.OutOfMemoryError) or "MPS backend out of" in str(problem)


def _empty_cache(device: torch.device) -> None:
    (torch.mps if device.type == "mps" else torch.cuda).empty_cache()


def _prediction_from(small: Enhancement, shape: Shape) -> Prediction:
    """Bring the cascade's output for a small photo to the CPU, for a photo of ``shape``."""
    function, grid = small.function, None
    matrix = function.matrix().to(small.photo.device)
    polynomial = None if function.polynomial is None else function.polynomial[0].mT.cpu().numpy()
    if small.per_pixel is not None:
        assert small.residual is not None
        grid = guided_affine_grid(small.coarse[0], small.residual[0], matrix, shape).cpu().numpy()
    coefficients = color_coefficients(
        matrix.cpu().numpy(), polynomial, function.highlights, function.shadows
    )
    return Prediction(coefficients, grid)

"""Weights on a device: predict a retouch for a photo, and apply it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from enhance_cli.config.apply import check_long_edge, check_strength
from enhance_cli.config.dials import NEUTRAL, Dials, check_dials
from enhance_cli.config.model import ModelConfig
from enhance_cli.errors import PictureError, RetouchError, UsageError
from enhance_cli.freed_memory import return_holes
from enhance_cli.imaging.codecs.pillow_image import PillowImage
from enhance_cli.imaging.color_loop import ColorCoefficients
from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.resize import Resampling, Size, resize_unrounded
from enhance_cli.inference.device import pick_device
from enhance_cli.inference.packed_convolutions import pack_convolutions
from enhance_cli.inference.picture import Picture, photo_of, through_photo
from enhance_cli.inference.retouch import Retouch, apply_retouch, memory_errors_reported, unchanged
from enhance_cli.inference.weights import load_weights
from enhance_cli.inference.weights_file import find_weights
from enhance_cli.models.cascade import Cascade, Enhancement
from enhance_cli.models.color_function import TOE, TOE_SLOPE, WHITE_FROM
from enhance_cli.models.fuse_batch_norm import fuse_batch_norm
from enhance_cli.models.guided_upsampling import guided_affine_grid
from enhance_cli.models.prnet import Shape, input_shape

OUT_OF_MEMORY = "the GPU is out of memory; the run goes on without it, more slowly"
NOT_ON_THIS_GPU = "PyTorch cannot do all of this on this GPU; the run goes on without it"


class Enhancer:
    """A model on a device, ready for any number of photos; several threads may share it.

    Args:
        model: A cascade in eval mode.
        device: The device that the model is on.
        weights_path: The file from which the model was loaded, or None.
        cpu_fallback: Whether the model may move to the CPU when the GPU runs out of memory. A model
            that is still being trained must stay where it is.

    Attributes:
        model: The cascade.
        device: The device that the model is on now.
        weights_path: The file from which the model was loaded, or None.
        cpu_fallback: Whether the model may move to the CPU when the GPU runs out of memory.
        warnings: What happened to this model, such as the fallback to the CPU; each message is also
            in the retouch of the photo at which it happened.
    """

    def __init__(
        self,
        model: Cascade,
        device: torch.device,
        weights_path: Path | None = None,
        cpu_fallback: bool = False,
    ) -> None:
        self.model = model
        self.device = device
        self.weights_path = weights_path
        self.cpu_fallback = cpu_fallback
        self.warnings: list[str] = []
        self._gpu = threading.Lock()

    @classmethod
    def load(cls, weights: Path | str | None = None, device: str = "auto") -> Enhancer:
        """Load weights, with batch norm fused into the convolutions.

        A GPU that runs out of memory is given up for the CPU.

        Args:
            weights: The weights file; None looks one up as ``enhance apply`` does.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``, Apple's GPU (untested).

        Raises:
            EnhanceError: The weights or the device are not available.
        """
        if not isinstance(device, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(f"device = {device!r}: must be auto, cpu, cuda, cuda:N or mps")
        if not isinstance(weights, str | Path | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(f"weights = {weights!r}: must be the path of a weights file, or None")
        chosen = pick_device(device)
        path = find_weights(Path(weights) if weights is not None else None)
        model = fuse_batch_norm(load_weights(path, chosen).model)
        if chosen.type == "cpu" and model.cenet is not None:
            side = model.config.input_side
            pack_convolutions(model.cenet.backbone, torch.zeros(1, 3, side, side))
        return_holes()
        return cls(model, chosen, path, cpu_fallback=True)

    def __repr__(self) -> str:
        variant, weights = self.model.config.variant, self.weights_path
        return f"Enhancer({variant}, weights={str(weights)!r}, device={str(self.device)!r})"

    def enhance(
        self,
        photo: Picture,
        *,
        long_edge: int | None = None,
        coarse_only: bool = False,
        strength: float = 1.0,
        srgb: bool = False,
        dials: Dials = NEUTRAL,
    ) -> Picture:
        """Enhance a photo, at its full size, and return one of the same type.

        The result is that of ``enhance apply --full-size``; ``long_edge=500`` gives that of
        ``enhance apply`` alone.

        Args:
            photo: A :class:`Photo`, as ``enhance_cli.open_photo`` reads it from a file; or a Pillow
                image, whose color profile and orientation are honoured and whose result has 8 bits
                per channel, or 16 in the modes ``I;16`` and ``I``; or an array, ``(H, W, 3)``,
                ``(H, W, 1)`` or ``(H, W)``; or a tensor, ``(3, H, W)``, ``(1, H, W)`` or a batch of
                these, ``(B, ...)``. Arrays and tensors are uint8, uint16, or floats of any
                precision in [0, 1], in sRGB. Floats are computed in single precision.
            long_edge: Longer edge of the result, in pixels, to which larger photos are downscaled;
                None keeps the full size.
            coarse_only: Use CENet alone, without PRNet.
            strength: Factor on the change: 0 returns the photo unchanged, 1 the networks' result;
                values above 1, up to 1.5, exaggerate it.
            srgb: Convert a photo in another color space to sRGB.
            dials: Exposure, warmth, tint, contrast and saturation after the networks.

        Returns:
            A photo of the type, dtype, device and number of channels of ``photo``.

        Raises:
            PictureError: The photo is none of these; it is a UsageError and a TypeError.
            UsageError: The photo is empty, its floats are not in [0, 1], ``long_edge`` or
                ``strength`` is out of range, or ``dials`` are none.
            RetouchError: The networks' result is not finite, or memory runs out.
        """
        check_strength(strength)
        check_long_edge(long_edge)
        check_dials(dials)

        def run(decoded: Photo) -> Photo:
            fitting = decoded.fit_within(long_edge)
            retouch = None if strength == 0 and not srgb else self.predict(fitting, coarse_only)
            return self.apply(fitting, retouch, strength, srgb, dials=dials)

        return through_photo(photo, run, long_edge)

    @torch.inference_mode()
    def predict(
        self, photo: Photo | PillowImage | NDArray[Any] | Tensor, coarse_only: bool = False
    ) -> Retouch:
        """Run the networks on a downscaled view of a photo of any size.

        Args:
            photo: A photo as :meth:`enhance` takes it, but no batch. Nothing is changed in it.
            coarse_only: Use CENet alone, without PRNet.

        Returns:
            The retouch, on the CPU: a function of color that can be applied, blended and written as
            a look-up table.

        Raises:
            PictureError: The photo is of another type.
            UsageError: The photo is empty, or its floats are not in [0, 1].
            RetouchError: The networks' result is not finite, or memory runs out.
        """
        photo = photo_of(photo)
        shape = Shape(*photo.pixels.shape[:2])
        with memory_errors_reported():
            view = _network_input(photo, self.model.config)
            with self._one_at_a_time():
                failures, warnings = 0, ()
                while True:
                    try:
                        small = self.model(view.to(self.device), coarse_only)
                        retouch = _retouch_from(small, shape, photo.grey)
                        return replace(retouch, warnings=warnings)
                    except RuntimeError as problem:
                        small = None  # frees its memory before the next try
                        if _is_missing_on_gpu(problem, self.device):
                            warnings += self._fall_back(NOT_ON_THIS_GPU)
                        elif _is_lack_of_gpu_memory(problem):
                            failures += 1
                            warnings += self._make_room(failures)
                        else:
                            raise

    def apply(
        self,
        photo: Photo,
        retouch: Retouch | None,
        strength: float = 1.0,
        srgb: bool = False,
        in_place: bool = False,
        dials: Dials = NEUTRAL,
    ) -> Photo:
        """Apply a predicted retouch at the size of the photo.

        Args:
            photo: The photo for which the retouch was predicted.
            retouch: The result of :meth:`predict`; None applies the dials alone.
            strength: Factor on the change: 0 returns the photo unchanged, 1 the networks' result;
                values above 1 exaggerate it.
            srgb: Convert the result to sRGB; otherwise it keeps the photo's color space.
            in_place: Whether the result may overwrite the photo's pixels.
            dials: Corrections after the retouch, whatever its strength.

        Raises:
            UsageError: The strength is out of range.
            RetouchError: Memory runs out.
        """
        check_strength(strength)
        check_dials(dials)
        if not isinstance(photo, Photo):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise PictureError(f"{type(photo).__name__}: give a Photo, or use enhance()")
        if retouch is None and dials.are_neutral:
            return photo
        with memory_errors_reported():
            chosen = retouch or unchanged(photo)
            return apply_retouch(photo, chosen, strength, srgb, in_place, dials)

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Generator[None]:
        """Let one thread at a time use the GPU; on the CPU, all threads run side by side."""
        if self.device.type == "cpu":
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
        if self.device.type == "cpu":
            raise MemoryError
        _empty_cache(self.device)
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
        gpu = self.device
        self.model.to("cpu")
        self.device = torch.device("cpu")  # after the move: on the CPU, no thread waits
        _empty_cache(gpu)
        self.warnings.append(warning)
        return (warning,)


def _is_missing_on_gpu(problem: RuntimeError, device: torch.device) -> bool:
    """Whether PyTorch lacks an operator on this GPU; only Apple's lack any."""
    return device.type == "mps" and isinstance(problem, NotImplementedError)


def _is_lack_of_gpu_memory(problem: RuntimeError) -> bool:
    """Whether a GPU is out of memory; for Apple's, PyTorch has no type of error."""
    return isinstance(problem, torch.OutOfMemoryError) or "MPS backend out of" in str(problem)


def _empty_cache(device: torch.device) -> None:
    (torch.mps if device.type == "mps" else torch.cuda).empty_cache()


def _network_input(photo: Photo, config: ModelConfig) -> Tensor:
    """Downscale a photo for the networks: ``(1, 3, h, w)``, sRGB in [0, 1], on the CPU."""
    shape = input_shape(Shape(*photo.pixels.shape[:2]), config.input_edge)
    # The networks learned with the bilinear filter. A residual that is enlarged afterwards needs
    # the filter with which photos are downscaled.
    pixels = resize_unrounded(
        photo.pixels,
        Size(shape.width, shape.height),
        Resampling.BILINEAR if config.sees_thumbnail else Resampling.LANCZOS,
    )
    view = replace(photo, pixels=pixels, alpha=None).as_srgb()
    return torch.from_numpy(view).permute(2, 0, 1)[None].contiguous()


def _retouch_from(small: Enhancement, shape: Shape, grey: bool) -> Retouch:
    """Turn the networks' result on the view into a retouch, on the CPU, for a photo of ``shape``.

    Raises:
        RetouchError: The result is not finite.
    """
    function, grid = small.function, None
    matrix = function.matrix().to(small.photo.device)
    parts = [matrix]
    if function.polynomial is not None:
        parts.append(function.polynomial[0].mT)
    if small.per_pixel is not None:
        assert small.residual is not None
        grid = guided_affine_grid(small.coarse[0], small.residual[0], matrix, shape)
        parts.append(grid)
    if not all(part.isfinite().all() for part in parts):
        raise RetouchError("the network's result is not finite")
    on_cpu = [part.cpu().numpy() for part in parts]
    coefficients = ColorCoefficients(
        on_cpu[0],
        on_cpu[1] if function.polynomial is not None else None,
        WHITE_FROM if function.highlights else None,
        (TOE, TOE_SLOPE) if function.shadows else None,
    )
    has_cenet = small.mapping is not None
    return Retouch(coefficients, on_cpu[-1] if grid is not None else None, has_cenet, grey)

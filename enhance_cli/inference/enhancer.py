"""Weights on a device: predict a retouch for a photo, and apply it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enhance_cli.config.apply import check_long_edge, check_strength
from enhance_cli.config.dials import NEUTRAL, Dials
from enhance_cli.config.model import LONG_EDGE, ModelConfig
from enhance_cli.errors import RetouchError, UsageError
from enhance_cli.imaging.codecs.pillow_image import (
    PillowImage,
    image_from_photo,
    photo_from_image,
)
from enhance_cli.imaging.color_loop import ColorCoefficients
from enhance_cli.imaging.photo import Photo, has_no_color
from enhance_cli.imaging.resize import Resampling, Size, resize_unrounded
from enhance_cli.inference.device import pick_device
from enhance_cli.inference.retouch import Retouch, apply_retouch, unchanged
from enhance_cli.inference.weights import load_weights
from enhance_cli.inference.weights_file import find_weights
from enhance_cli.models.cascade import Cascade, Enhancement
from enhance_cli.models.color_function import TOE, TOE_SLOPE, WHITE_FROM
from enhance_cli.models.fuse_batch_norm import fuse_batch_norm
from enhance_cli.models.guided_upsampling import guided_affine_grid
from enhance_cli.models.prnet import Shape, input_shape

Picture = TypeVar("Picture", PillowImage, NDArray[Any], Tensor)

OUT_OF_MEMORY = "the GPU is out of memory; the run goes on without it, more slowly"

_OVERSHOOT = 0.5
"""By how much floats may be outside [0, 1]."""

_DTYPES = {np.dtype(dtype) for dtype in (np.uint8, np.uint16, np.float32)}


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
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

        Raises:
            EnhanceError: The weights or the device are not available.
        """
        chosen = pick_device(device)
        path = find_weights(Path(weights) if weights is not None else None)
        model = fuse_batch_norm(load_weights(path, chosen).model)
        return cls(model, chosen, path, cpu_fallback=True)

    def enhance(
        self,
        photo: Picture,
        *,
        long_edge: int | None = LONG_EDGE,
        coarse_only: bool = False,
        strength: float = 1.0,
        srgb: bool = False,
        dials: Dials = NEUTRAL,
    ) -> Picture:
        """Enhance a photo as ``enhance apply`` does, and return a photo of the same type.

        Args:
            photo: A Pillow image, whose color profile and orientation are honoured and whose result
                has 8 bits per channel; or an array, ``(H, W, 3)`` or ``(H, W)``, uint8, uint16 or
                float32 in [0, 1], sRGB; or a tensor, ``(3, H, W)`` or ``(B, 3, H, W)``, floats in
                [0, 1], sRGB.
            long_edge: Longer edge of the result, in pixels. Smaller photos keep their size; None
                keeps the size of every photo.
            coarse_only: Use CENet alone, without PRNet.
            strength: Factor on the change: 0 returns the photo unchanged, 1 the networks' result;
                values above 1 exaggerate it.
            srgb: Convert a photo in another color space to sRGB.
            dials: Exposure, warmth, tint, contrast and saturation after the networks.

        Returns:
            A photo of the type, dtype and number of channels of ``photo``.

        Raises:
            TypeError: The photo is none of these.
            UsageError: The photo is empty, its floats are not in [0, 1], or ``long_edge`` or
                ``strength`` is out of range.
            RetouchError: The networks' result is not finite, or memory runs out.
        """
        check_strength(strength)
        check_long_edge(long_edge)

        def run(decoded: Photo) -> Photo:
            fitting = decoded.fit_within(long_edge)
            retouch = None if strength == 0 and not srgb else self.predict(fitting, coarse_only)
            return self.apply(fitting, retouch, strength, srgb, dials=dials)

        if isinstance(photo, PillowImage):
            if photo.mode == "F":
                raise TypeError("a Pillow image of mode F: give another mode, or a float32 array")
            _refuse_empty(photo.size)
            return image_from_photo(run(photo_from_image(photo, long_edge)))
        if isinstance(photo, np.ndarray):
            return _enhance_array(photo, run)
        if isinstance(photo, Tensor):
            return _enhance_tensor(photo, run)
        raise TypeError(f"{type(photo).__name__}: give a Pillow image, an array or a tensor")

    @torch.inference_mode()
    def predict(self, photo: Photo, coarse_only: bool = False) -> Retouch:
        """Run the networks on a downscaled view of a photo of any size.

        Args:
            photo: The photo, in any color space.
            coarse_only: Use CENet alone, without PRNet.

        Returns:
            The retouch, on the CPU, for this photo at the size that it has.

        Raises:
            TypeError: It is no :class:`Photo`; :meth:`enhance` takes other types.
            RetouchError: The networks' result is not finite, or memory runs out.
        """
        if not isinstance(photo, Photo):
            raise TypeError(f"{type(photo).__name__}: give a Photo, or call enhance()")
        shape = Shape(*photo.pixels.shape[:2])
        with _memory_errors_reported():
            view = _network_input(photo, self.model.config)
            with self._one_at_a_time():
                failures, warnings = 0, ()
                while True:
                    try:
                        small = self.model(view.to(self.device), coarse_only)
                        retouch = _retouch_from(small, shape, photo.grey)
                        return replace(retouch, warnings=warnings)
                    except torch.OutOfMemoryError:
                        failures += 1
                        small = None  # frees its memory before the next try
                        warnings += self._make_room(failures)

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
        if retouch is None and dials.are_neutral:
            return photo
        with _memory_errors_reported():
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
        torch.cuda.empty_cache()
        if failures == 1:
            return ()
        if not self.cpu_fallback:
            raise MemoryError
        self.model.to("cpu")
        self.device = torch.device("cpu")  # after the move: on the CPU, no thread waits
        torch.cuda.empty_cache()
        self.warnings.append(OUT_OF_MEMORY)
        return (OUT_OF_MEMORY,)


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


@contextlib.contextmanager
def _memory_errors_reported() -> Generator[None]:
    """Translate the errors that NumPy and PyTorch raise for lack of memory into a RetouchError."""
    try:
        yield
    except MemoryError as problem:
        raise RetouchError("too large for this machine's memory") from problem
    except RuntimeError as problem:
        if "allocate" not in str(problem):
            raise
        raise RetouchError("too large for this machine's memory") from problem


def _enhance_array(array: NDArray[Any], run: Callable[[Photo], Photo]) -> NDArray[Any]:
    if array.dtype not in _DTYPES:
        raise TypeError(f"{array.dtype} pixels: give uint8, uint16 or float32")
    grey = array.ndim == 2
    pixels = np.repeat(array[..., None], 3, axis=2) if grey else array
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise TypeError(f"an array of shape {array.shape}: give (H, W, 3) or (H, W)")
    _refuse_empty(pixels.shape[:2])
    _refuse_other_range(pixels)
    result = run(Photo(pixels, grey=grey or has_no_color(pixels))).pixels
    result = result[..., 0] if grey else result
    return result.copy() if np.may_share_memory(result, array) else result


def _refuse_empty(shape: Sequence[int]) -> None:
    if 0 in shape:
        raise UsageError(f"a photo without pixels, of shape {tuple(shape)}")


def _refuse_other_range(pixels: NDArray[Any]) -> None:
    """Refuse floats that cannot be meant to be in [0, 1]; resizing may exceed it by a little."""
    if np.issubdtype(pixels.dtype, np.integer):
        return
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT):  # NaN compares with nothing
        raise UsageError(f"pixels from {low:g} to {high:g}: give floats in [0, 1]")


def _enhance_tensor(tensor: Tensor, run: Callable[[Photo], Photo]) -> Tensor:
    if tensor.ndim == 4:
        _refuse_empty(tensor.shape)
        return torch.stack([_enhance_tensor(photo, run) for photo in tensor])
    if tensor.ndim != 3 or len(tensor) != 3 or not tensor.is_floating_point():
        raise TypeError(
            f"a tensor of shape {tuple(tensor.shape)}, {tensor.dtype}: give floats in [0, 1], "
            "(3, H, W) or (B, 3, H, W)"
        )
    _refuse_empty(tensor.shape)
    values = tensor.detach().permute(1, 2, 0).float().cpu()
    _refuse_other_range(values.numpy())
    pixels = values.clamp(0, 1).contiguous().numpy()
    result = run(Photo(pixels, grey=has_no_color(pixels))).pixels
    return torch.from_numpy(result).permute(2, 0, 1).to(tensor)

"""The package from Python: photos in memory."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from enhance_cli.config import LONG_EDGE
from enhance_cli.engine.device import pick_device
from enhance_cli.engine.retouching import Retouch, look, retouched
from enhance_cli.engine.weights import Weights, find_weights, load_weights
from enhance_cli.errors import RetouchError
from enhance_cli.imaging.bitmaps import PillowImage, photo_of
from enhance_cli.imaging.encoding import to_image
from enhance_cli.imaging.photo import Photo, has_no_color
from enhance_cli.models.folding import folded

Picture = TypeVar("Picture", PillowImage, NDArray[Any], Tensor)


class Enhancer:
    """Weights on a device, ready for any number of photos; what ``enhance apply`` calls.

    Args:
        weights: Loaded weights.
        device: Where they are.

    Attributes:
        weights: The same with batch norm folded into the convolutions: good for looking, not for
            learning.
        notes: What the run should be told of once, such as a GPU that had to be left.
    """

    def __init__(self, weights: Weights, device: torch.device) -> None:
        self.weights = replace(weights, model=folded(weights.model))
        self.device = device
        self.notes: list[str] = []
        self._gpu = threading.Lock()

    @classmethod
    def load(cls, weights: Path | str | None = None, device: str = "auto") -> Enhancer:
        """Load weights.

        Args:
            weights: File; None takes those that ``enhance apply`` would take.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

        Raises:
            EnhanceError: Weights or device cannot be had.
        """
        where = pick_device(device)
        path = find_weights(Path(weights) if weights is not None else None)
        return cls(load_weights(path, where), where)

    def enhance(
        self,
        photo: Picture,
        *,
        long_edge: int | None = LONG_EDGE,
        coarse_only: bool = False,
        strength: float = 1.0,
        srgb: bool = False,
    ) -> Picture:
        """Enhance a photo by the rules of ``enhance apply``, and give back what was given.

        Args:
            photo: A Pillow image, whose colour profile and orientation count and whose result has
                8 bits a channel; or an array, ``(H, W, 3)`` or ``(H, W)``, uint8, uint16 or floats
                in [0, 1], sRGB; or a tensor, ``(3, H, W)`` or ``(B, 3, H, W)``, floats in [0, 1],
                sRGB.
            long_edge: Longer edge of the result, in pixels; a smaller photo keeps its size, and
                None is the size of every photo.
            coarse_only: Leave PRNet out.
            strength: 0 gives the photo back, 1 the result; beyond 1 exaggerates it.
            srgb: Convert a photo of another colour space.

        Raises:
            TypeError: The photo is none of these.
            RetouchError: The networks' result is not finite.
        """

        def run(one: Photo) -> Photo:
            fitting = one.fitted(long_edge)
            return self.retouch(fitting, coarse_only=coarse_only, strength=strength, srgb=srgb)

        if isinstance(photo, PillowImage):
            return to_image(run(photo_of(photo, long_edge)))
        if isinstance(photo, np.ndarray):
            return _enhanced_array(photo, run)
        if isinstance(photo, Tensor):
            return _enhanced_tensor(photo, run)
        raise TypeError(f"{type(photo).__name__}: give a Pillow image, an array or a tensor")

    def retouch(
        self,
        photo: Photo,
        *,
        coarse_only: bool = False,
        strength: float = 1.0,
        srgb: bool = False,
    ) -> Photo:
        """Enhance a decoded photo at the size that it has.

        Raises:
            RetouchError: The networks' result is not finite, or there is no memory for it.
        """
        return self.retouch_and_tell(photo, coarse_only, strength, srgb, spend=False)[0]

    def retouch_and_tell(
        self, photo: Photo, coarse_only: bool, strength: float, srgb: bool, spend: bool
    ) -> tuple[Photo, Retouch | None]:
        """The same, with what was done to the photo; None where nothing was to be done.

        Where ``spend`` is set, the result may take the place of the photo's own pixels.
        """
        if strength == 0 and not srgb:
            return photo, None
        seen = self.look(photo, coarse_only)
        with _memory_told():
            return retouched(photo, seen, strength, srgb, spend), seen

    def look(self, photo: Photo, coarse_only: bool = False) -> Retouch:
        """Let the networks look at a decoded photo; several threads may ask at once.

        Raises:
            RetouchError: Their result is not finite, or there is no memory for it.
        """
        with _memory_told():
            if self.device.type == "cpu":
                return self._look(photo, coarse_only)
            with self._gpu:
                return self._look_on_gpu(photo, coarse_only)

    def _look_on_gpu(self, photo: Photo, coarse_only: bool) -> Retouch:
        for _ in range(2):
            try:
                return self._look(photo, coarse_only)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
        self._leave_gpu()
        return self._look(photo, coarse_only)

    def _look(self, photo: Photo, coarse_only: bool) -> Retouch:
        return look(self.weights.model, photo, self.device, coarse_only)

    def _leave_gpu(self) -> None:
        """Go on without the GPU, from this photo on."""
        if self.device.type == "cpu":
            raise MemoryError
        self.device = torch.device("cpu")
        self.weights.model.to(self.device)
        torch.cuda.empty_cache()
        self.notes.append("the GPU is out of memory; the run goes on without it, more slowly")


@contextlib.contextmanager
def _memory_told() -> Iterator[None]:
    """Turn the ways in which memory runs out into one line."""
    try:
        yield
    except MemoryError as problem:
        raise RetouchError("too large for this machine's memory") from problem
    except RuntimeError as problem:
        if "allocate" not in str(problem):
            raise
        raise RetouchError("too large for this machine's memory") from problem


def _enhanced_array(array: NDArray[Any], run: Callable[[Photo], Photo]) -> NDArray[Any]:
    if array.dtype not in _KINDS:
        raise TypeError(f"{array.dtype} pixels: give uint8, uint16 or float32")
    grey = array.ndim == 2
    pixels = np.repeat(array[..., None], 3, axis=2) if grey else array
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise TypeError(f"an array of shape {array.shape}: give (H, W, 3) or (H, W)")
    result = run(Photo(pixels, grey=grey or has_no_color(pixels))).pixels
    return result[..., 0] if grey else result


def _enhanced_tensor(tensor: Tensor, run: Callable[[Photo], Photo]) -> Tensor:
    if tensor.ndim == 4:
        return torch.stack([_enhanced_tensor(one, run) for one in tensor])
    if tensor.ndim != 3 or len(tensor) != 3 or not tensor.is_floating_point():
        raise TypeError(
            f"a tensor of shape {tuple(tensor.shape)}, {tensor.dtype}: give floats in [0, 1], "
            "(3, H, W) or (B, 3, H, W)"
        )
    pixels = tensor.detach().permute(1, 2, 0).float().clamp(0, 1).cpu().contiguous().numpy()
    result = run(Photo(pixels, grey=has_no_color(pixels))).pixels
    return torch.from_numpy(result).permute(2, 0, 1).to(tensor)


_KINDS = {np.dtype(kind) for kind in (np.uint8, np.uint16, np.float32)}

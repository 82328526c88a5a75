"""Weights on a device: predict a retouch for a photo, and apply it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from enhance_cli.config.apply import check_long_edge, check_strength
from enhance_cli.config.dials import NEUTRAL, Dials, check_dials
from enhance_cli.config.input_size import Shape, input_shape
from enhance_cli.config.model import ModelConfig
from enhance_cli.errors import PictureError, RetouchError, UsageError
from enhance_cli.freed_memory import return_holes
from enhance_cli.imaging.codecs.pillow_image import PillowImage
from enhance_cli.imaging.color_space import Floats
from enhance_cli.imaging.photo import Photo
from enhance_cli.imaging.resize import Resampling, Size, resize_unrounded
from enhance_cli.inference.device import choose_device
from enhance_cli.inference.memory_errors import memory_errors_reported
from enhance_cli.inference.networks.load import load_networks
from enhance_cli.inference.networks.networks import Networks
from enhance_cli.inference.picture import Picture, photo_of, through_photo
from enhance_cli.inference.retouch import Retouch, apply_retouch, unchanged
from enhance_cli.inference.weights_file import find_weights

if TYPE_CHECKING:
    from torch import Tensor


class Enhancer:
    """Networks that are ready for any number of photos; several threads may share it.

    Args:
        networks: The networks, on a device.
        weights_path: The file from which they were loaded, or None.

    Attributes:
        networks: The networks, on a device.
        weights_path: The file from which they were loaded, or None.
    """

    def __init__(self, networks: Networks, weights_path: Path | None = None) -> None:
        self.networks = networks
        self.weights_path = weights_path

    @classmethod
    def load(cls, weights: Path | str | None = None, device: str = "auto") -> Enhancer:
        """Load weights.

        A GPU that runs out of memory is given up for the CPU. On a CPU, ONNX Runtime runs the
        networks, if it has a graph for their architecture; otherwise PyTorch does.

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
        chosen = choose_device(device)
        path = find_weights(Path(weights) if weights is not None else None)
        networks = load_networks(path, chosen, cpu_fallback=True)
        return_holes()
        return cls(networks, path)

    @property
    def config(self) -> ModelConfig:
        """Architecture and input geometry of the model."""
        return self.networks.config

    @property
    def device(self) -> str:
        """The device that the networks run on now, such as ``cpu`` or ``cuda:0``."""
        return self.networks.device

    @property
    def warnings(self) -> list[str]:
        """What happened to the model, such as the fallback to the CPU.

        Each message is also in the retouch of the photo at which it happened.
        """
        return self.networks.warnings

    def __repr__(self) -> str:
        variant, weights = self.config.variant, self.weights_path
        return f"Enhancer({variant}, weights={str(weights)!r}, device={self.device!r})"

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
            view = _network_input(photo, self.config)
            predicted = self.networks.predict(view, shape, coarse_only)
        if not predicted.is_finite:
            raise RetouchError("the network's result is not finite")
        return Retouch(
            predicted.function,
            predicted.grid,
            self.config.has_cenet,
            photo.grey,
            predicted.warnings,
        )

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


def _network_input(photo: Photo, config: ModelConfig) -> Floats:
    """Downscale a photo for the networks: ``(h, w, 3)``, float32, sRGB in [0, 1]."""
    shape = input_shape(Shape(*photo.pixels.shape[:2]), config.input_edge)
    # The networks learned with the bilinear filter. A residual that is enlarged afterwards needs
    # the filter with which photos are downscaled.
    pixels = resize_unrounded(
        photo.pixels,
        Size(shape.width, shape.height),
        Resampling.BILINEAR if config.sees_thumbnail else Resampling.LANCZOS,
    )
    return replace(photo, pixels=pixels, alpha=None).as_srgb()

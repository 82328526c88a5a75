"""The kinds of pictures that Python programs have, and photos: one conversion for all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from enhance_cli.errors import PictureError, UsageError
from enhance_cli.imaging.codecs.pillow_image import (
    PillowImage,
    deep_image_from_photo,
    image_from_photo,
    is_deep,
    photo_from_deep_image,
    photo_from_image,
)
from enhance_cli.imaging.photo import Photo, has_no_color

if TYPE_CHECKING:
    from torch import Tensor

Picture = TypeVar("Picture", Photo, PillowImage, NDArray[Any], "Tensor")

KINDS = "give a Photo (open_photo reads one from a file), a Pillow image, an array or a tensor"

_OVERSHOOT = 0.5
"""By how much floats may be outside [0, 1]."""

_DTYPES = {np.dtype(dtype) for dtype in (np.uint8, np.uint16, np.float16, np.float32, np.float64)}


def through_photo(
    picture: Picture, change: Callable[[Photo], Photo], long_edge: int | None = None
) -> Picture:
    """Change a picture of any kind as a photo, and return one of the same kind.

    Args:
        picture: A :class:`Photo`; or a Pillow image, whose color profile and orientation are
            honoured; or an array, ``(H, W, 3)``, ``(H, W, 1)`` or ``(H, W)``; or a tensor,
            ``(3, H, W)``, ``(1, H, W)`` or a batch of these. Arrays and tensors are in sRGB, uint8,
            uint16, or floats in [0, 1].
        change: What is done with the photo, or with each of a batch.
        long_edge: Longer edge to which a Pillow image may be downscaled while it is converted.

    Returns:
        A picture of the type, dtype, device and number of channels of ``picture``, which never
        shares memory with it. A Pillow image has 8 bits per channel, or 16 if it is grey and has
        them (modes ``I;16`` and ``I``).

    Raises:
        PictureError: It is none of these.
        UsageError: It is empty, or its floats are not in [0, 1].
    """
    if isinstance(picture, Photo):
        return change(picture)
    if isinstance(picture, PillowImage):
        result = change(_photo_from_pillow(picture, long_edge))
        return (
            deep_image_from_photo(result, picture) if is_deep(picture) else image_from_photo(result)
        )
    if isinstance(picture, np.ndarray):
        result = change(_photo_from_array(picture)).pixels
        result = result if picture.ndim == 3 and picture.shape[2] == 3 else result[..., :1]
        result = result[..., 0] if picture.ndim == 2 else result
        result = result.astype(picture.dtype, copy=False)
        return result.copy() if np.may_share_memory(result, picture) else result
    if (tensor := _tensor(picture)) is not None:
        return _tensor_through_photo(tensor, change)  # type: ignore[return-value]
    raise PictureError(f"{type(picture).__name__}: {KINDS}")


def photo_of(picture: Photo | PillowImage | NDArray[Any] | Tensor) -> Photo:
    """Convert one picture of any kind to a photo, as :func:`through_photo` does.

    Raises:
        PictureError: It is of another kind, or a batch.
        UsageError: It is empty, or its floats are not in [0, 1].
    """
    if isinstance(picture, Photo):
        return picture
    if isinstance(picture, PillowImage):
        return _photo_from_pillow(picture, None)
    if isinstance(picture, np.ndarray):
        return _photo_from_array(picture)
    if (tensor := _tensor(picture)) is not None:
        return _photo_from_tensor(tensor)
    raise PictureError(f"{type(picture).__name__}: {KINDS}")


def _photo_from_pillow(image: PillowImage, long_edge: int | None) -> Photo:
    if image.mode == "F":
        raise PictureError("a Pillow image of mode F: give another mode, or a float32 array")
    _refuse_empty(image.size)
    return photo_from_deep_image(image) if is_deep(image) else photo_from_image(image, long_edge)


def _photo_from_array(array: NDArray[Any]) -> Photo:
    if array.dtype not in _DTYPES:
        raise PictureError(f"{array.dtype} pixels: give uint8, uint16 or floats in [0, 1]")
    pixels = array[..., None] if array.ndim == 2 else array
    if pixels.ndim != 3 or pixels.shape[2] not in {1, 3}:
        raise PictureError(f"an array of shape {array.shape}: give (H, W, 3), (H, W, 1) or (H, W)")
    _refuse_empty(pixels.shape[:2])
    _refuse_other_range(pixels)
    if not np.issubdtype(pixels.dtype, np.integer):
        pixels = pixels.astype(np.float32, copy=False)
    if pixels.shape[2] == 1:
        return Photo(np.repeat(pixels, 3, axis=2), grey=True)
    return Photo(pixels, grey=has_no_color(pixels))


def _tensor(picture: object) -> Tensor | None:
    """The picture, if it is a tensor; whoever has one has imported PyTorch."""
    if "torch" not in sys.modules:
        return None
    from torch import Tensor

    return picture if isinstance(picture, Tensor) else None


def _tensor_through_photo(tensor: Tensor, change: Callable[[Photo], Photo]) -> Tensor:
    import torch

    if tensor.ndim == 4:
        _refuse_empty(tensor.shape)
        return torch.stack([_tensor_through_photo(one, change) for one in tensor])
    result = change(_photo_from_tensor(tensor)).pixels
    channels_first = torch.from_numpy(result[..., : len(tensor)]).permute(2, 0, 1)
    same = np.may_share_memory(result, _memory(tensor))
    return (channels_first.clone() if same else channels_first).to(tensor)


def _photo_from_tensor(tensor: Tensor) -> Photo:
    import torch

    floats, dtypes = tensor.is_floating_point(), (torch.uint8, torch.uint16)
    fits = tensor.ndim == 3 and len(tensor) in {1, 3} and (floats or tensor.dtype in dtypes)
    if not fits:
        raise PictureError(
            f"a tensor of shape {tuple(tensor.shape)}, {tensor.dtype}: give uint8, uint16 or "
            "floats in [0, 1], (3, H, W) or (1, H, W), or a batch of these to enhance()"
        )
    _refuse_empty(tensor.shape)
    values = tensor.detach().permute(1, 2, 0)
    photo = _photo_from_array((values.float() if floats else values).cpu().contiguous().numpy())
    return Photo(photo.pixels.clip(0, 1), grey=photo.grey) if floats else photo


def _memory(tensor: Tensor) -> NDArray[Any]:
    """The tensor's values; without copying them if they are on the CPU."""
    import torch

    values = tensor.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()


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

"""Camera RAW, developed by LibRaw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rawpy
from numpy.typing import NDArray

from enhance_cli.imaging.photo import Photo, refuse_too_many
from enhance_cli.imaging.resizing import fitted, resize_pixels

SRGB_GAMMA = (2.4, 12.92)
"""Power and toe slope of sRGB; LibRaw's own default is the curve of BT.709."""

_QUARTER_TURNS = {3: 2, 5: 1, 6: 3}
"""LibRaw's flip, as quarter turns against the clock."""


def decode_raw(
    path: Path, long_edge: int | None, max_pixels: int, admit: Callable[[int], None]
) -> Photo:
    """Develop with the camera's white balance and without automatic brightening, to 16-bit sRGB."""
    with rawpy.imread(str(path)) as raw:
        sizes = raw.sizes  # developing changes them
        refuse_too_many(path, (sizes.width, sizes.height), max_pixels)
        longest = max(sizes.width, sizes.height)
        half = long_edge is not None and longest >= 2 * long_edge
        admit(sizes.raw_width * sizes.raw_height)
        developed = raw.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            gamma=SRGB_GAMMA,
            output_bps=16,
            half_size=half,
        )
        developed = _without_border(developed, sizes, 2 if half else 1)
    height, width = developed.shape[:2]
    return Photo(resize_pixels(developed, fitted((width, height), long_edge)))


def _without_border(developed: NDArray[Any], sizes: Any, scale: int) -> NDArray[Any]:
    """Leave out the border that the camera's maker leaves out (DNG's DefaultCrop).

    Args:
        developed: ``(H, W, 3)``, upright.
        sizes: LibRaw's, of the sensor as it lies in the camera.
        scale: What its width was divided by.
    """
    left = sizes.crop_left_margin - sizes.left_margin
    top = sizes.crop_top_margin - sizes.top_margin
    right, bottom = left + sizes.crop_width, top + sizes.crop_height
    turns = _QUARTER_TURNS.get(sizes.flip, 0)
    lying = np.rot90(developed, -turns)
    if not (0 <= left < right <= sizes.width and 0 <= top < bottom <= sizes.height):
        return developed
    if lying.shape[:2] != (-(-sizes.height // scale), -(-sizes.width // scale)):
        return developed  # not square pixels
    inner = lying[top // scale : bottom // scale, left // scale : right // scale]
    return np.ascontiguousarray(np.rot90(inner, turns))

"""The pixels of a TIFF page as levels of grey, RGB or CMYK, and opacity."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC, SAMPLEFORMAT

from enhance_cli.imaging.codecs.levels import Levels, divided, full_range
from enhance_cli.imaging.codecs.stored_image import StoredImage
from enhance_cli.imaging.codecs.tiff.pages import RAW_DATA
from enhance_cli.imaging.color_space import lab_to_srgb
from enhance_cli.imaging.photo import STRIP, quantize
from enhance_cli.imaging.resize import max_value

_INK_SET, _CMYK_INKS = 332, 1

LAB = frozenset({PHOTOMETRIC.CIELAB, PHOTOMETRIC.ICCLAB})
"""The kinds of pixels that are CIELab, of white point D50."""

_N_COLORS: dict[int, int] = {
    PHOTOMETRIC.MINISWHITE: 1,
    PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.PALETTE: 1,
    PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.YCBCR: 3,
    PHOTOMETRIC.CIELAB: 3,
    PHOTOMETRIC.ICCLAB: 3,
    PHOTOMETRIC.SEPARATED: 4,
}
"""The kinds of pixels that are read, and how many channels make a color."""

_MODELS: dict[int, Literal["grey", "rgb", "cmyk"]] = {1: "grey", 3: "rgb", 4: "cmyk"}

_UNSPECIFIED, _ASSOCIATED, _UNASSOCIATED = 0, 1, 2
_OPACITIES = {_ASSOCIATED, _UNASSOCIATED}
"""The ExtraSamples that are opacity: by which the colors are multiplied, and by which not."""

_IS_RAW = "it holds raw data of a camera; give it the suffix .dng, or the camera's own"

_NUMBERS = {SAMPLEFORMAT.UINT, SAMPLEFORMAT.VOID, SAMPLEFORMAT.IEEEFP}
"""The sample formats that are read."""


def problem_of(page: tifffile.TiffPage) -> str | None:
    """Why the pixels of a page cannot be read, if its tags tell."""
    kind, n_colors = page.photometric, _N_COLORS.get(page.photometric)
    if n_colors is None:
        return (
            _IS_RAW if kind in RAW_DATA else f"{getattr(kind, 'name', kind)} pixels; save it as RGB"
        )
    if page.imagedepth != 1 or page.samplesperpixel < n_colors:
        return f"damaged ({page.samplesperpixel} channels, {page.imagedepth} deep)"
    if page.dtype is None:
        return f"it has {page.bitspersample} bits per channel; save it with 16"
    if page.sampleformat not in _NUMBERS:
        return "its pixels are signed or complex numbers; save it with 16 bits per channel"
    if kind == PHOTOMETRIC.SEPARATED and page.tags.valueof(_INK_SET, _CMYK_INKS) != _CMYK_INKS:
        return "its inks are not those of CMYK; save it as RGB"
    return None


def read_samples(page: tifffile.TiffPage) -> NDArray[Any]:
    """Read all channels of a page with all their bits, ``(H, W, C)``.

    Raises:
        ValueError: Parts of the pixels are missing.
    """
    if page.compression == COMPRESSION.NONE:
        size = page.parent.filehandle.size
        parts = zip(page.dataoffsets, page.databytecounts, strict=False)
        present = sum(max(0, min(length, size - offset)) for offset, length in parts if offset)
        row = math.ceil(page.imagewidth * page.samplesperpixel * _bits_of(page) / 8)
        if present < row * page.imagelength:
            raise ValueError("the file is cut short")
    elif not all(page.dataoffsets) or not all(page.databytecounts):
        raise ValueError("parts of the picture are missing")
    # Separate planes, depth, height, width, and channels that lie together.
    planes = page.asarray(squeeze=False)[:, 0]
    samples = np.moveaxis(planes, 0, 2).reshape(*planes.shape[1:3], -1)
    return samples.astype(samples.dtype.newbyteorder("="), copy=False)


def stored_image(
    page: tifffile.TiffPage, samples: NDArray[Any], warnings: list[str]
) -> StoredImage:
    """Tell colors from opacity, and convert both to the full range of 8 or 16 bits.

    Args:
        page: A page of which :func:`problem_of` knows no problem.
        samples: Its channels, from :func:`read_samples`.
        warnings: Gets a line if there are channels that are neither.
    """
    kind, n_colors = page.photometric, _N_COLORS[page.photometric]
    extra = _extra_samples(page, n_colors)
    opacity = next((at for at, one in enumerate(extra) if one in _OPACITIES), None)
    if len(extra) > (opacity is not None):
        warnings.append("its channels beside colour and transparency were left out")
    colors = samples[..., 0] if n_colors == 1 else samples[..., :n_colors]
    alpha = None
    if opacity is not None:
        alpha = full_range(samples[..., n_colors + opacity], _bits_of(page))
    if kind == PHOTOMETRIC.PALETTE:
        return StoredImage(_palette(page)[colors.astype(np.intp)])  # those of 1 bit are booleans
    if kind in LAB:
        return StoredImage(_lab_to_rgb(colors, kind), "rgb", alpha)
    levels = full_range(colors, _bits_of(page))
    if kind == PHOTOMETRIC.MINISWHITE:
        levels = ~levels
    if alpha is not None and extra[opacity or 0] == _ASSOCIATED:
        levels = divided(levels, alpha)
    return StoredImage(np.ascontiguousarray(levels), _MODELS[n_colors], alpha)


def _bits_of(page: tifffile.TiffPage) -> int:
    bits = page.bitspersample
    return max(bits) if isinstance(bits, tuple) else bits


def _extra_samples(page: tifffile.TiffPage, n_colors: int) -> tuple[int, ...]:
    """What the channels behind the colors are; the fourth one of a scan may be infrared."""
    n_extra = page.samplesperpixel - n_colors
    if n_extra == 1 and not page.extrasamples:
        return (_UNASSOCIATED,)  # as other programs read files whose tags do not tell
    return (*page.extrasamples, *[_UNSPECIFIED] * n_extra)[:n_extra]


def _palette(page: tifffile.TiffPage) -> NDArray[np.uint8]:
    """The colors of a palette, ``(N, 3)``; some programs write them with 8 instead of 16 bits."""
    colors = np.asarray(page.colormap, np.uint16).T
    if colors.max() > 255:
        colors = (colors.astype(np.uint32) + 128) // 257
    return colors.astype(np.uint8)


def _lab_to_rgb(lab: NDArray[Any], kind: int) -> Levels:
    """Convert CIELab, as TIFF 6.0 (section 23) or ICC store it, to sRGB of the same depth."""
    dtype = np.dtype(np.uint8 if lab.dtype == np.uint8 else np.uint16)
    result = np.empty(lab.shape, dtype)
    rows = max(1, STRIP // lab.shape[1])
    for top in range(0, len(lab), rows):
        strip = np.s_[top : top + rows]
        result[strip] = quantize(lab_to_srgb(_lab_of(lab[strip], kind)), dtype)
    return result


def _lab_of(stored: NDArray[Any], kind: int) -> NDArray[np.float32]:
    """The numbers of CIELab that are stored: L from 0 to 100, a and b around 0."""
    if np.issubdtype(stored.dtype, np.floating):
        return stored.astype(np.float32)
    step = 1 if stored.dtype == np.uint8 else 256
    signed = np.dtype(np.int8 if step == 1 else np.int16)
    lab = np.empty(stored.shape, np.float32)
    if kind == PHOTOMETRIC.ICCLAB:
        lab[..., 0] = stored[..., 0] * (100 / (255 * step))
        lab[..., 1:] = stored[..., 1:].astype(np.float32) / step - 128
    else:
        lab[..., 0] = stored[..., 0] * (100 / max_value(stored.dtype))
        lab[..., 1:] = stored[..., 1:].view(signed).astype(np.float32) / step
    return lab

"""From a file to upright sRGB pixels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import rawpy
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from enhance_cli.errors import PhotoError
from enhance_cli.imaging.formats import is_raw

MAX_PIXELS = 500_000_000
"""A photo with more is refused: a few kilobytes can claim to be gigapixels."""

SRGB_GAMMA = (2.4, 12.92)
"""Power and toe slope of sRGB; LibRaw's own default is the curve of BT.709."""

NO_COLOR = 3 / 255
"""Largest distance between the channels of a photo without colour; JPEG leaves as much."""

DEEP_WHITE = 65535
"""White in 16 bits."""

USELESS_PROFILE = "its colour profile cannot be used, taken as sRGB"

_QUARTER_TURNS = {3: 2, 5: 1, 6: 3}
"""LibRaw's flip, as quarter turns against the clock."""

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L"})

# Pillow's own limit stops at 179 megapixels, which panoramas pass; _decode_bitmap checks ours.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Photo:
    """A decoded photo, upright, at the size asked for.

    Attributes:
        pixels: ``(H, W, 3)`` float32, sRGB in [0, 1].
        alpha: ``(H, W)`` float32 in [0, 1], or None.
        grey: The photo has no colour, even where it is stored as RGB.
        exif: The file's EXIF block as it stands in the file, or None.
        warnings: What was lost on the way, each in one line.
    """

    pixels: NDArray[np.float32]
    alpha: NDArray[np.float32] | None = None
    grey: bool = False
    exif: bytes | None = None
    warnings: tuple[str, ...] = ()


def decode(path: Path, long_edge: int | None = None) -> Photo:
    """Read a photo: a camera RAW, or any bitmap that Pillow reads.

    EXIF orientation is applied and an embedded colour profile converted to sRGB. RAW files are
    developed with the camera's white balance and without automatic brightening.

    Args:
        path: The file.
        long_edge: Longer edge of the result, in pixels; a smaller photo keeps its size.

    Raises:
        PhotoError: The file cannot be read as a photo.
    """
    try:
        return _decode_raw(path, long_edge) if is_raw(path) else _decode_bitmap(path, long_edge)
    except PhotoError:
        raise
    except MemoryError as problem:
        raise PhotoError(f"{path}: too large for this machine's memory") from problem
    # A damaged file makes the codecs raise whatever they please, from SyntaxError to struct.error.
    except Exception as problem:
        raise PhotoError(f"{path}: {_reason(path, problem)}") from problem


def _reason(path: Path, problem: Exception) -> str:
    if isinstance(problem, FileNotFoundError):
        return "the file is not there"
    if isinstance(problem, PermissionError):
        return "reading it is not permitted"
    if path.stat().st_size == 0:
        return "the file is empty"
    if isinstance(problem, Image.UnidentifiedImageError | rawpy.LibRawFileUnsupportedError):
        return "not a photo, or of a kind that cannot be read"
    return f"damaged or not a photo ({str(problem).strip() or type(problem).__name__})"


def _decode_raw(path: Path, long_edge: int | None) -> Photo:
    with rawpy.imread(str(path)) as raw:
        sizes = raw.sizes  # developing changes them
        longest = max(sizes.width, sizes.height)
        half = long_edge is not None and longest >= 2 * long_edge
        developed = raw.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            gamma=SRGB_GAMMA,
            output_bps=16,
            half_size=half,
        )
        developed = _without_border(developed, sizes, 2 if half else 1)
    return Photo(resize_pixels(developed, _fitted(developed.shape[1::-1], long_edge), DEEP_WHITE))


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
    return np.rot90(inner, turns)


def _decode_bitmap(path: Path, long_edge: int | None) -> Photo:
    with warnings.catch_warnings(), Image.open(path) as image:
        warnings.simplefilter("ignore")
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise PhotoError(f"{path}: {width} x {height} pixels, the limit is {MAX_PIXELS:,}")
        notes: list[str] = []
        if getattr(image, "n_frames", 1) > 1:
            notes.append("holds several pictures, only the first was read")
        if _is_deep_color(image):
            return _decode_deep_tiff(path, image, long_edge, notes)
        if long_edge:
            # JPEG alone: decode at a fraction of the size, twice what is needed at least.
            image.draft(None, _fitted(image.size, 2 * long_edge))
        exif, profile = image.info.get("exif"), image.info.get("icc_profile")
        grey = image.mode in GREY_MODES
        upright = ImageOps.exif_transpose(_to_eight_bits(image))
        size = _fitted(upright.size, long_edge)
        alpha = None
        if upright.has_transparency_data:
            upright = upright.convert("RGBA")
            alpha = _as_float(_resize(upright.getchannel("A"), size))
        elif upright.mode == "P":
            upright = upright.convert("RGB")
        color = _to_srgb(_resize(upright, size), profile, notes)
        pixels = _as_float(color)
    return Photo(pixels, alpha, grey or _has_no_color(pixels), exif, tuple(notes))


def _is_deep_color(image: Image.Image) -> bool:
    """Whether this is a TIFF of 16-bit RGB, of which Pillow would drop the lower half."""
    if image.format != "TIFF":
        return False
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits, photometric, formats = (tags.get(number) for number in (258, 262, 339))
    whole = formats is None or set(formats) == {1}
    return photometric == 2 and bits is not None and set(bits) == {16} and len(bits) > 2 and whole


def _decode_deep_tiff(
    path: Path, image: Image.Image, long_edge: int | None, notes: list[str]
) -> Photo:
    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages[0]
        deep = page.asarray()
        orientation = page.tags["Orientation"].value if "Orientation" in page.tags else 1
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
            deep = np.moveaxis(deep, 0, -1)
    upright = _UPRIGHT.get(orientation, _as_it_is)(deep)
    pixels = resize_pixels(upright, _fitted(upright.shape[1::-1], long_edge), DEEP_WHITE)
    color = _deep_to_srgb(
        np.ascontiguousarray(pixels[..., :3]), image.info.get("icc_profile"), notes
    )
    alpha = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] > 3 else None
    return Photo(color, alpha, _has_no_color(color), image.info.get("exif"), tuple(notes))


def _deep_to_srgb(
    pixels: NDArray[np.float32], profile: bytes | None, notes: list[str]
) -> NDArray[np.float32]:
    if not profile:
        return pixels
    try:
        converted = imagecodecs.cms_transform(
            pixels,
            profile,
            imagecodecs.cms_profile("srgb"),
            colorspace="rgb",
            outcolorspace="rgb",
            outdtype="float32",
            intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
            flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
        )
    except (imagecodecs.CmsError, ValueError):
        notes.append(USELESS_PROFILE)
        return pixels
    return np.asarray(converted, np.float32).clip(0, 1)


def _as_it_is(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels


_UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}
"""What each value of TIFF's Orientation asks for."""


def _to_eight_bits(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("floating-point pixels")
    if image.mode.startswith("I"):  # Pillow's own conversion clips at 255
        deep = np.asarray(image, np.float32).clip(0, 65535)
        converted = Image.fromarray((deep / 257).round().astype(np.uint8))
        converted.info = image.info
        converted._exif = image.getexif()  # type: ignore[attr-defined]
        return converted
    return image.convert("L") if image.mode == "1" else image


def _has_no_color(pixels: NDArray[np.float32]) -> bool:
    return bool((pixels.max(axis=2) - pixels.min(axis=2)).max() <= NO_COLOR)


def _to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    if profile:
        if image.mode in {"RGBA", "LA", "La", "RGBa"}:
            image = image.convert(image.mode.upper()[:-1])
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            notes.append(USELESS_PROFILE)
        else:
            assert converted is not None
            return converted
    return image.convert("RGB")


def _fitted(size: tuple[int, ...], long_edge: int | None) -> tuple[int, int]:
    width, height = size
    longest = max(width, height)
    if long_edge is None or longest <= long_edge:
        return width, height
    scale = long_edge / longest
    return max(1, round(width * scale)), max(1, round(height * scale))


def _as_float(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image, np.float32) / np.float32(255)


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def resize_pixels(
    pixels: NDArray[Any], size: tuple[int, int], white: int = 1
) -> NDArray[np.float32]:
    """Resize ``(H, W, C)`` pixels to ``(width, height)`` and [0, 1], in full precision.

    Args:
        pixels: In [0, ``white``].
        size: Width and height.
        white: 65535 for 16-bit pixels.
    """
    # Channel by channel: a 45-megapixel photo as floats would take half a gigabyte.
    channels = [_resize_channel(channel, size) for channel in np.moveaxis(pixels, 2, 0)]
    return (np.stack(channels, axis=2) / np.float32(white)).clip(0, 1)


def _resize_channel(channel: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    values = np.ascontiguousarray(channel, np.float32)
    if values.shape[::-1] == size:
        return values
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.LANCZOS))

"""What the networks predict for a photo, and its application to every pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from enhance_cli.config.apply import CUBE_SIZE, HALD_SIZE, LutFormat, check_strength
from enhance_cli.config.dials import NEUTRAL, Dials, check_dials
from enhance_cli.errors import UsageError
from enhance_cli.imaging.affine_grid import AffineGrid, affine_grid_delta, apply_affine_grid
from enhance_cli.imaging.codecs.encode import write_errors_reported
from enhance_cli.imaging.color_loop import (
    ColorCoefficients,
    apply_color_function,
    color_function_delta,
)
from enhance_cli.imaging.color_space import SRGB, ColorSpace, Floats
from enhance_cli.imaging.gain_maps.gain_map import GainMap
from enhance_cli.imaging.lut import write_lut
from enhance_cli.imaging.photo import Photo, equal_in_content, quantize
from enhance_cli.inference.dials import turn_dials, turn_dials_within
from enhance_cli.inference.hdr_retouch import retouched_gain_map
from enhance_cli.inference.memory_errors import memory_errors_reported
from enhance_cli.inference.picture import Picture, through_photo

_MAX_CUBE = 256
"""Largest size of a ``.cube`` file (Adobe Cube LUT specification 1.0)."""

STRIP = 2**20
"""Number of pixels whose color space is converted at a time: about 100 MB, whatever the photo."""


@dataclass(frozen=True, eq=False, repr=False)
class Retouch:
    """The networks' prediction for one photo.

    Attributes:
        function: The whole change as a function of color, which is valid for the photo at any size.
            If PRNet's residual differs from place to place, it is CENet's linear map alone.
        grid: The whole change as an affine color map at each point of a grid over the photo,
            float32, ``(h, w, 3, 4)``, if PRNet's residual differs from place to place; else None.
        has_cenet: Whether ``function`` begins with a map that CENet has predicted.
        grey: Whether the photo has no color, so that only its luma changes.
        warnings: A line for everything that had to be given up while the networks ran.
        strength: Factor on the change, as :meth:`blend` sets it.
    """

    function: ColorCoefficients
    grid: AffineGrid | None = None
    has_cenet: bool = True
    grey: bool = False
    warnings: tuple[str, ...] = ()
    strength: float = 1.0

    def __eq__(self, other: object) -> bool:
        return equal_in_content(self, other)

    def __hash__(self) -> int:
        return hash((self.grid is None, self.has_cenet, self.grey))

    def __repr__(self) -> str:
        kind = "linear map" if self.function.polynomial is None else "polynomial of color"
        if self.grid is not None:
            height, width = self.grid.shape[:2]
            kind = f"{width} x {height} maps of color"
        grey = ", grey" if self.grey else ""
        warned = f", {len(self.warnings)} warnings" if self.warnings else ""
        return f"Retouch({kind}, strength {self.strength:g}{grey}{warned})"

    def apply(self, picture: Picture, *, srgb: bool = False, dials: Dials = NEUTRAL) -> Picture:
        """Apply the retouch to a picture, at its full size.

        Args:
            picture: The photo for which it was predicted, at any size, or another one: a picture as
                :meth:`Enhancer.enhance` takes it.
            srgb: Convert a photo in another color space to sRGB.
            dials: Corrections after the retouch, whatever its strength.

        Returns:
            A picture of the type, dtype, device and number of channels of ``picture``.

        Raises:
            PictureError: The picture is of another type.
            UsageError: The picture is empty, its floats are not in [0, 1], or ``dials`` are none.
            RetouchError: Memory runs out.
        """
        check_dials(dials)
        with memory_errors_reported():
            return through_photo(
                picture, lambda photo: apply_retouch(photo, self, srgb=srgb, dials=dials)
            )

    def blend(self, strength: float) -> Retouch:
        """Return the retouch with another strength: a blend of the photo and its result.

        Args:
            strength: Factor on the change of this retouch, from 0 (the photo) over 1 (as it is) to
                1.5 (exaggerated); factors of several blends are multiplied.

        Raises:
            UsageError: The strength, or the product, is out of range.
        """
        check_strength(strength)
        product = self.strength * strength
        check_strength(product)
        return replace(self, strength=product)

    def to_cube(self, path: Path | str, size: int = CUBE_SIZE) -> None:
        """Write the retouch as a ``.cube`` look-up table, for colors in sRGB.

        Args:
            path: The file, which is replaced if it exists; missing folders are created.
            size: Grid points along each axis, 2 to 256.

        Raises:
            UsageError: The size is out of range, or the retouch is no function of color.
            PhotoError: The file cannot be written.
            OutputError: The disk is full or read-only.
        """
        if type(size) is not int or not 2 <= size <= _MAX_CUBE:
            raise UsageError(f"size = {size!r}: must be a whole number from 2 to {_MAX_CUBE}")
        self._write(Path(path), "cube", size)

    def to_hald(self, path: Path | str, size: int = HALD_SIZE) -> None:
        """Write the retouch as a HaldCLUT, a PNG of 16 bits, for colors in sRGB.

        Args:
            path: The file, which is replaced if it exists; missing folders are created.
            size: Grid points along each axis: 4, 9, 16, 25, 36, 49, 64, ..., 144.

        Raises:
            UsageError: The size is none of these, or the retouch is no function of color.
            PhotoError: The file cannot be written.
            OutputError: The disk is full or read-only.
        """
        if size not in {level**2 for level in range(2, 13)}:
            raise UsageError(f"size = {size!r}: must be a square number from 4 to 144")
        self._write(Path(path), "hald", size)

    def _write(self, path: Path, kind: LutFormat, size: int) -> None:
        if self.grid is not None:
            raise UsageError(
                f"{path}: this retouch depends on the place in the photo, which a table cannot "
                "hold; predict with coarse_only=True, or use weights with a global PRNet"
            )
        with write_errors_reported(path):
            write_lut(self.colors, path, path.stem, kind, size)

    def colors(self, colors: Floats, strength: float = 1.0, dials: Dials = NEUTRAL) -> Floats:
        """Take colors through ``function`` and the dials, as the pixels of the photo.

        Args:
            colors: ``(..., 3)``, float32, sRGB in [0, 1].
            strength: As in :func:`apply_retouch`.
            dials: As in :func:`apply_retouch`.

        Returns:
            ``(..., 3)``, as in the result of :func:`apply_retouch`, but not clamped.
        """
        factor = strength * self.strength
        retouched = colors + color_function_delta(colors, self.function, factor, self.grey)
        if dials.are_neutral:
            return retouched
        return turn_dials(retouched.clip(0, 1), dials, self.grey)


def unchanged(photo: Photo) -> Retouch:
    """A retouch that leaves a photo as it is, for dials alone."""
    return Retouch(ColorCoefficients(np.eye(3, 4, dtype=np.float32)), None, False, photo.grey)


def apply_retouch(
    photo: Photo,
    retouch: Retouch,
    strength: float = 1.0,
    srgb: bool = False,
    in_place: bool = False,
    dials: Dials = NEUTRAL,
) -> Photo:
    """Apply a retouch and then the dials to every pixel of a photo.

    The networks see sRGB only. Colors outside its gamut change by as much as the same colors
    clipped to the gamut.

    Args:
        photo: The photo, of any size and in any color space.
        retouch: The prediction for this photo.
        strength: Factor on the change: 0 returns the photo unchanged, 1 the networks' result;
            values above 1 exaggerate it.
        srgb: Convert the result to sRGB; otherwise it keeps the photo's color space.
        in_place: Whether the result may overwrite the photo's pixels.
        dials: Corrections after the retouch, whatever its strength.

    Returns:
        The result, with the photo's shape and dtype, and with the same look in its gain map. The
        result of a grey photo is in sRGB.
    """
    gain_map = _gain_map_of_result(photo, retouch, strength, srgb, dials)
    photo = replace(photo, gain_map=gain_map)
    strength *= retouch.strength
    target = _target(photo, srgb)
    source = np.ascontiguousarray(photo.pixels)
    pixels = source if in_place and source.flags.writeable else np.empty_like(source)
    if photo.color_space.is_srgb and dials.are_neutral:
        if retouch.grid is None:
            apply_color_function(
                source, retouch.function, strength, photo.grey, photo.max_value, pixels
            )
        else:
            apply_affine_grid(source, retouch.grid, strength, photo.grey, photo.max_value, pixels)
        return replace(photo, pixels=pixels, color_space=target)
    height, width = pixels.shape[:2]
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        before = photo.as_floats(top, top + rows)
        after = _retouch_rows(photo, retouch, strength, dials, before, top, target)
        pixels[top : top + rows] = quantize(after, pixels.dtype)
    return replace(photo, pixels=pixels, color_space=target)


def _target(photo: Photo, srgb: bool) -> ColorSpace:
    """The color space of a photo's result."""
    return SRGB if srgb or photo.grey else photo.color_space


def _gain_map_of_result(
    photo: Photo, retouch: Retouch, strength: float, srgb: bool, dials: Dials
) -> GainMap | None:
    """The gain map of the result of :func:`apply_retouch`; None if the photo has none."""
    gain_map, target = photo.gain_map, _target(photo, srgb)
    factor = strength * retouch.strength
    leaves_all = factor == 0 and dials.are_neutral
    if gain_map is None or (leaves_all and target == photo.color_space):
        return gain_map

    def look(small: Photo, turned: Dials, before: Floats, top: int, space: ColorSpace) -> Floats:
        return _retouch_rows(small, retouch, factor, turned, before, top, space)

    return retouched_gain_map(photo, gain_map, target, dials, look)


def _retouch_rows(
    photo: Photo,
    retouch: Retouch,
    strength: float,
    dials: Dials,
    before: Floats,
    top: int,
    target: ColorSpace,
) -> Floats:
    """Retouch the rows ``before`` of a photo, which are overwritten, beginning at row ``top``."""
    if photo.color_space.is_srgb:
        before += _delta(photo, retouch, strength, before, top)
        return turn_dials_within(before, dials, photo.grey)
    original = photo.color_space.to_srgb(before)
    within = np.ascontiguousarray(original.clip(0, 1))
    retouched = original + _delta(photo, retouch, strength, within, top)
    enhanced = turn_dials(retouched, dials, photo.grey)
    if target.is_srgb:
        return enhanced
    # Differences, so that rounding in the two conversions does not change what the networks leave.
    return before + target.from_srgb(enhanced) - target.from_srgb(original)


def _delta(photo: Photo, retouch: Retouch, strength: float, colors: Floats, top: int) -> Floats:
    """By how much the retouch changes rows of sRGB in [0, 1], beginning at row ``top``."""
    if retouch.grid is None:
        return color_function_delta(colors, retouch.function, strength, photo.grey)
    height = photo.size.height
    return affine_grid_delta(colors, retouch.grid, top, height, strength, photo.grey)

"""A batch of photos: which ones, how they are retouched, and how results are written."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, get_args

from enhance_cli.config.dials import NEUTRAL, Dials
from enhance_cli.config.look_files import Look
from enhance_cli.config.model import LONG_EDGE
from enhance_cli.errors import UsageError

Format = Literal["keep", "jpg", "png", "tiff", "webp", "avif", "heic", "jxl"]
Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
KeepMetadata = Literal["all", "no-gps", "none"]
RawPairs = Literal["raw", "jpeg", "both"]
OnConflict = Literal["skip", "overwrite", "rename", "error"]
LutFormat = Literal["cube", "hald"]

MAX_PIXELS = 500_000_000
"""Larger photos are refused: a few kilobytes can claim to be gigapixels."""


MAX_JOBS = 64
"""Most photos that are processed side by side."""

MAX_STRENGTH = 1.5
"""Largest strength of a retouch; beyond it, photos come apart."""

LUT_SUFFIXES: dict[LutFormat, str] = {"cube": ".cube", "hald": ".hald.png"}
"""Suffixes of look-up tables."""

CUBE_SIZE, HALD_SIZE = 33, 64
"""Usual grid points along each axis of a ``.cube`` file and of a HaldCLUT."""


@dataclass(frozen=True)
class Encoding:
    """How results are encoded.

    Attributes:
        quality: Quality of lossy files, from 1 to 100.
        subsampling: Chroma subsampling of JPEG, AVIF and HEIC files.
        bits: Bits per channel of PNG, TIFF and JPEG XL files, 8 or 16; HEIC has 10 of the 16. None
            keeps the photo's own.
    """

    quality: int = 95
    subsampling: Subsampling = "4:4:4"
    bits: int | None = None

    def __post_init__(self) -> None:
        _refuse_unless(_is_whole(self.quality, 1, 100), "quality", self.quality, "from 1 to 100")
        _refuse_unless(self.bits in {None, 8, 16}, "bits", self.bits, "8, 16 or None")
        known = self.subsampling in get_args(Subsampling)
        _refuse_unless(known, "subsampling", self.subsampling, ", ".join(get_args(Subsampling)))


@dataclass(frozen=True)
class ApplyConfig:
    """One run of ``enhance apply``.

    Attributes:
        inputs: Photos and folders to retouch.
        out: Folder for the results; None puts each beside its photo.
        name: Name of the result in that folder, if there is a single photo; None keeps the names.
        suffix: Added to the names of the results, in front of their file suffix.
        coarse_only: Use CENet's global map alone, without PRNet.
        weights: Weights file; None looks one up.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        long_edge: Longer edge of the results in pixels. Smaller photos keep their size; None keeps
            the size of every photo.
        on_conflict: What to do if a file that is not an up-to-date result is in the way.
        strength: 0 leaves the photos unchanged, 1 is the networks' result, up to 1.5 exaggerates.
        format: File format of the results. ``"keep"`` is the photo's own, and JPEG for
            RAW, HEIC and JPEG 2000.
        encoding: How results are encoded.
        srgb: Convert photos in other color spaces to sRGB.
        keep_metadata: Whether to keep all metadata, all but the location, or the color profile
            alone.
        keep_times: Whether results take the times of their photos.
        pairs: Which one to retouch if a RAW file has the camera's JPEG beside it.
        exclude: Patterns for names, or for paths below an input folder, to leave out.
        max_pixels: Largest photo to read, in pixels.
        lut: Folder for each photo's retouch as a look-up table (LUT).
        lut_format: File format of the tables.
        lut_size: Grid points along each axis of a table.
        pictures: Whether to write results. If not, the tables are all that is written, and ``out``
            is their folder.
        compare: Folder for a before-and-after picture of each photo.
        gallery: HTML file that shows all photos before and after.
        dials: Corrections of all photos after the networks.
        look_files: Whether each ``enhance.toml`` in the photos' folders, and above them, changes
            strength and dials.
        given: Names of those settings which no ``enhance.toml`` changes.
        series: ``"auto"`` gives photos of one scene one look, ``"off"`` each its own; a path is
            that of a text file with a line of photos for each series.
        series_gap: Longest time between two photos of a series, in seconds.
        sync_from: Photo whose look all photos get; None gives each its own.
        jobs: Photos processed side by side; None is one for each core, and one more.

    Raises:
        UsageError: A number is out of range, or two settings exclude each other.
    """

    inputs: tuple[Path, ...]
    out: Path | None
    coarse_only: bool = False
    weights: Path | None = None
    device: str = "auto"
    long_edge: int | None = LONG_EDGE
    on_conflict: OnConflict = "skip"
    strength: float = 1.0
    format: Format = "keep"
    encoding: Encoding = field(default_factory=Encoding)
    srgb: bool = False
    keep_metadata: KeepMetadata = "all"
    keep_times: bool = True
    pairs: RawPairs = "both"
    exclude: tuple[str, ...] = ()
    max_pixels: int = MAX_PIXELS
    lut: Path | None = None
    lut_format: LutFormat = "cube"
    lut_size: int = CUBE_SIZE
    pictures: bool = True
    compare: Path | None = None
    gallery: Path | None = None
    dials: Dials = NEUTRAL
    look_files: bool = False
    given: tuple[str, ...] = ()
    series: str | Path = "off"
    series_gap: float = 60.0
    sync_from: Path | None = None
    jobs: int | None = None
    name: str | None = None
    suffix: str = ""

    def __post_init__(self) -> None:
        check_suffix(self.suffix)
        if self.out is None and not self.suffix:
            raise UsageError("--out DIR is missing: the folder for the results; or give --suffix")
        check_strength(self.strength)
        check_long_edge(self.long_edge)
        fits = self.jobs is None or _is_whole(self.jobs, 1, MAX_JOBS)
        _refuse_unless(fits, "jobs", self.jobs, f"a whole number from 1 to {MAX_JOBS}, or None")
        _refuse_unless(
            _is_whole(self.max_pixels, 1), "max_pixels", self.max_pixels, "a whole number above 0"
        )
        gap = self.series_gap
        fits = type(gap) is not bool and isinstance(gap, Real) and 0 <= float(gap) < math.inf
        _refuse_unless(fits, "series_gap", gap, "a number of seconds, 0 or more")
        if self.sync_from is not None and self.series != "off":
            raise UsageError("--series and --sync-from: give one of the two")

    @property
    def look(self) -> Look:
        """The look of the run, which files in the photos' folders may change."""
        return Look(**asdict(self.dials), strength=float(self.strength))


def check_suffix(suffix: str) -> None:
    """Raise a UsageError for an addition to the names of results that cannot be part of a name."""
    if any(sign in suffix for sign in "/\\") or not suffix.isprintable():
        raise UsageError(f"--suffix {suffix}: must be part of a file name; folders belong to --out")


def check_strength(strength: Any) -> None:
    """Raise a UsageError for a strength that is no number from 0 to ``MAX_STRENGTH``."""
    fits = type(strength) is not bool and isinstance(strength, Real)
    fits = fits and 0 <= float(strength) <= MAX_STRENGTH
    _refuse_unless(fits, "strength", strength, f"a number from 0 to {MAX_STRENGTH}")


def check_long_edge(long_edge: Any) -> None:
    """Raise a UsageError for a longer edge that is neither a whole number above 0 nor None."""
    fits = long_edge is None or _is_whole(long_edge, 1)
    _refuse_unless(fits, "long_edge", long_edge, "a whole number of pixels above 0, or None")


def _is_whole(value: Any, low: int, high: float = math.inf) -> bool:
    is_whole = type(value) is not bool and isinstance(value, Integral)
    return is_whole and low <= int(value) <= high


def _refuse_unless(fits: bool, name: str, value: object, expected: str) -> None:
    if not fits:
        raise UsageError(f"{name} = {value!r}: must be {expected}")

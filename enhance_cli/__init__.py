"""Learned color enhancement of photographs, coarse to fine.

>>> from enhance_cli import Enhancer, open_photo
>>> enhancer = Enhancer.load()
>>> result = enhancer.enhance(photo)  # a Photo, a Pillow image, an array or a tensor
>>> enhancer.predict(open_photo("a.jpg")).to_cube("a.cube")
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enhance_cli.errors import (
    DeviceError,
    EnhanceError,
    NoPairsError,
    NoPhotosError,
    NoWeightsError,
    OutputError,
    PairsError,
    PhotoError,
    PictureError,
    PlaceTakenError,
    RetouchError,
    TrainingError,
    UsageError,
    WeightsError,
)

if TYPE_CHECKING:
    from enhance_cli.imaging.photo import Photo
    from enhance_cli.inference.enhancer import Enhancer
    from enhance_cli.inference.retouch import Retouch

__all__ = [
    "DeviceError",
    "EnhanceError",
    "Enhancer",
    "NoPairsError",
    "NoPhotosError",
    "NoWeightsError",
    "OutputError",
    "PairsError",
    "Photo",
    "PhotoError",
    "PictureError",
    "PlaceTakenError",
    "Retouch",
    "RetouchError",
    "TrainingError",
    "UsageError",
    "WeightsError",
    "__version__",
    "open_photo",
]
__version__ = "0.1.0"


_LATE = {
    "Enhancer": "enhance_cli.inference.enhancer",
    "Photo": "enhance_cli.imaging.photo",
    "Retouch": "enhance_cli.inference.retouch",
}
"""Where to find what is imported late, so that the command's --help is fast."""


def open_photo(path: Path | str, long_edge: int | None = None) -> "Photo":
    """Read what ``enhance apply`` reads: JPEG, PNG, TIFF, WebP, AVIF, HEIC, JPEG XL/2000, RAW.

    Args:
        path: The file.
        long_edge: Longer edge of the photo, in pixels, to which larger ones are downscaled; None
            keeps the size of the file.

    Returns:
        The photo, upright, in its own color space, with its metadata: ``pixels`` is ``(H, W, 3)``,
        uint8, or uint16 if the file has more than 8 bits per channel.

    Raises:
        PhotoError: The file cannot be read, or is a folder.
        UsageError: ``path`` is no path, or ``long_edge`` is not a whole number above 0.
    """
    from enhance_cli.config.apply import check_long_edge
    from enhance_cli.imaging.codecs.decode import decode

    check_long_edge(long_edge)
    if not isinstance(path, str | Path):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise UsageError(f"path = {path!r}: must be the path of a photo")
    if Path(path).is_dir():
        raise PhotoError(f"{path}: is a folder; give the path of a photo")
    return decode(Path(path), long_edge)


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

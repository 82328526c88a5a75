"""Series of photos that the tests write themselves."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import piexif
import pytest
from pictures import srgb_to_linear
from PIL import Image
from skimage import data


def exposed(pixels, stops):
    """The pixels of the same scene, exposed by a number of stops more."""
    linear = srgb_to_linear(pixels / 255) * 2.0**stops
    encoded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (encoded.clip(0, 1) * 255).round().astype(np.uint8)


@pytest.fixture
def shoot() -> Callable[..., Path]:
    """Write a photo that was taken ``second`` seconds after noon, with ``stops`` more exposure."""

    def write(
        path: Path, pixels=None, second: float | None = 0, stops: float = 0, told=True, camera=b"X"
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        tags = {} if second is None else {36867: b"2026:01:01 12:%02d:%02d" % divmod(second, 60)}
        if told:
            tags |= {33434: (round(10_000 * 2**stops), 1_000_000), 33437: (8, 1), 34855: 100}
        exif = piexif.dump({"0th": {272: camera}, "Exif": tags})
        picture = data.coffee() if pixels is None else pixels
        picture = exposed(picture, stops) if stops else picture
        Image.fromarray(picture).save(path, exif=exif)
        return path

    return write

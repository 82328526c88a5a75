"""Photos, pairs and weights that the tests write themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from pictures import smooth, srgb_to_linear, srgb_to_prophoto
from PIL import Image
from skimage import data
from small_backbone import SmallBackbone

from enhance_cli.config.model import ModelConfig
from enhance_cli.inference.weights import save_weights
from enhance_cli.inference.weights_file import Provenance
from enhance_cli.models.cascade import Cascade

torch.set_num_threads(1)  # the networks of tests are small, and tests run side by side


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path_factory, monkeypatch):
    """Use empty data and cache folders, so that tests ignore the weights and caches of the user."""
    monkeypatch.delenv("ENHANCE_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache-home")))


@pytest.fixture(scope="session")
def coffee() -> NDArray[np.uint8]:
    """A real photo, 600 x 400."""
    return data.coffee()


@pytest.fixture(scope="session")
def identity_weights(tmp_path_factory) -> Path:
    """Weights of an untrained model, which returns its input."""
    path = tmp_path_factory.mktemp("weights") / "identity.safetensors"
    save_weights(path, Cascade(ModelConfig(input_side=64, fit="squash")), Provenance())
    return path


@pytest.fixture(scope="session")
def brightening_weights(tmp_path_factory) -> Path:
    """Weights that add 0.1 to every channel of any photo."""
    path = tmp_path_factory.mktemp("weights") / "brightening.safetensors"
    model = Cascade(ModelConfig("ce", input_side=64, fit="squash"))
    assert model.cenet is not None
    with torch.no_grad():
        model.cenet.head[-1].bias[9:] = 0.1
    save_weights(path, model, Provenance(trained_on=("a0001", "mine/a")))
    return path


@pytest.fixture
def small_backbone(monkeypatch):
    """Replace ResNet50 by a small network, for tests of the training loop."""
    monkeypatch.setattr("enhance_cli.models.cenet.ResNet", SmallBackbone)


@pytest.fixture
def write_photo() -> Callable[..., Path]:
    """Write the given pixels, or a smooth colored picture, as a photo."""

    def write(path: Path, pixels: NDArray | None = None, size=(60, 40), **options) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = smooth(*size) if pixels is None else pixels
        Image.fromarray(picture).save(path, **({"quality": 95} | options))
        return path

    return write


@pytest.fixture
def write_pairs(tmp_path, write_photo) -> Callable[..., Path]:
    """Write a folder of pairs; the experts are brighter by 25 levels of 255."""

    def write(
        names=("a0001-x", "a0002-y", "a0003-z", "a0004-w"), size=(48, 32), root="fivek"
    ) -> Path:
        folder = tmp_path / root
        for number, name in enumerate(names):
            original = np.roll(smooth(*size), 5 * number, axis=1) // 2 + 20
            write_photo(folder / "input" / f"{name}.png", original)
            write_photo(folder / "expertC" / f"{name}.png", original + 25)
        return folder

    return write


PROPHOTO_PRIMARIES = (0.7347, 0.2653, 1.0, 0.1596, 0.8404, 1.0, 0.0366, 0.0001, 1.0)
"""x, y and Y of ROMM RGB's red, green and blue (ISO 22028-2)."""


@pytest.fixture(scope="session")
def prophoto_profile() -> bytes:
    """The profile of ProPhoto RGB (ROMM) as Lightroom embeds it: gamma 1.8, D50."""
    return imagecodecs.cms_profile(
        "rgb", whitepoint=[0.3457, 0.3585, 1.0], primaries=PROPHOTO_PRIMARIES, gamma=1.8
    )


@pytest.fixture(scope="session")
def write_prophoto(prophoto_profile) -> Callable[..., Path]:
    """Write 8-bit sRGB pixels as a 16-bit ProPhoto TIFF, as in FiveK's expert versions."""

    def write(path: Path, pixels: NDArray[np.uint8], **options) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        converted = srgb_to_prophoto(pixels / 255)
        tifffile.imwrite(path, converted, photometric="rgb", iccprofile=prophoto_profile, **options)
        return path

    return write


@pytest.fixture(scope="session")
def write_dng() -> Callable[..., Path]:
    """Write 8-bit sRGB pixels as the Bayer mosaic of a camera whose primaries are sRGB's."""

    def write(path: Path, pixels: NDArray[np.uint8], crop=None, orientation=1) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        height, width = pixels.shape[:2]
        linear = srgb_to_linear(pixels / 255)
        channel = np.array([[0, 1], [1, 2]])[np.arange(height)[:, None] % 2, np.arange(width) % 2]
        mosaic = np.take_along_axis(linear, channel[..., None], axis=2)[..., 0]
        xyz_to_srgb = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)
        tags = [
            (274, "H", 1, orientation, True),
            (33421, "H", 2, (2, 2), True),  # CFARepeatPatternDim
            (33422, "B", 4, bytes([0, 1, 1, 2]), True),  # CFAPattern
            (50706, "B", 4, bytes([1, 4, 0, 0]), True),  # DNGVersion
            (50708, "s", 0, "Test Camera", True),  # UniqueCameraModel
            (50714, "I", 1, 0, True),  # BlackLevel
            (50717, "I", 1, 65535, True),  # WhiteLevel
            (50721, "2i", 9, [n for v in xyz_to_srgb for n in (round(v * 10000), 10000)], True),
            (50728, "2I", 3, (1, 1) * 3, True),  # AsShotNeutral
            (50778, "H", 1, 21, True),  # CalibrationIlluminant1: D65
        ]
        if crop:
            left, top, wide, tall = crop
            tags += [(50719, "I", 2, (left, top), True), (50720, "I", 2, (wide, tall), True)]
        raw = (mosaic * 65535).round().astype(np.uint16)
        tifffile.imwrite(path, raw, photometric="cfa", extratags=tags, metadata=None)
        return path

    return write

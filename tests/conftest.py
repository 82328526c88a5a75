"""Photos, pairs and weights that the tests write themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from enhance_cli.config import ModelConfig
from enhance_cli.engine.weights import Provenance, save_weights
from enhance_cli.models.cascade import Cascade

torch.set_num_threads(2)


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path_factory, monkeypatch):
    """Weights of whoever runs the tests are not looked up."""
    monkeypatch.delenv("ENHANCE_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))


@pytest.fixture(scope="session")
def coffee() -> NDArray[np.uint8]:
    """A real photo, 600 x 400."""
    return data.coffee()


@pytest.fixture(scope="session")
def identity_weights(tmp_path_factory) -> Path:
    """Weights of an untrained model: what comes out is what went in."""
    path = tmp_path_factory.mktemp("weights") / "identity.safetensors"
    save_weights(path, Cascade(ModelConfig(canvas=64, fit="squash")), Provenance())
    return path


@pytest.fixture(scope="session")
def brightening_weights(tmp_path_factory) -> Path:
    """Weights that add 0.1 to every channel of any photo."""
    path = tmp_path_factory.mktemp("weights") / "brightening.safetensors"
    model = Cascade(ModelConfig("ce", canvas=64, fit="squash"))
    assert model.cenet is not None
    with torch.no_grad():
        model.cenet.head[-1].bias[9:] = 0.1
    save_weights(path, model, Provenance(trained_on=("a0001", "mine/a")))
    return path


@pytest.fixture
def write_photo() -> Callable[..., Path]:
    """Write a smooth coloured picture, or the pixels given."""

    def write(path: Path, pixels: NDArray | None = None, size=(60, 40), **options) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = smooth(*size) if pixels is None else pixels
        Image.fromarray(picture).save(path, **({"quality": 95} | options))
        return path

    return write


@pytest.fixture
def write_pairs(tmp_path, write_photo) -> Callable[..., Path]:
    """Write a folder of pairs whose experts are brighter by a tenth."""

    def write(names=("a0001-x", "a0002-y", "a0003-z", "b"), size=(48, 32), root="fivek") -> Path:
        folder = tmp_path / root
        for number, name in enumerate(names):
            original = np.roll(smooth(*size), 5 * number, axis=1) // 2 + 20
            write_photo(folder / "input" / f"{name}.png", original)
            write_photo(folder / "expertC" / f"{name}.png", original + 25)
        return folder

    return write


def smooth(width: int, height: int) -> NDArray[np.uint8]:
    """Red rises to the right, green downwards, blue falls along the diagonal."""
    y, x = np.mgrid[0:height, 0:width]
    across, down = x / max(width - 1, 1), y / max(height - 1, 1)
    channels = np.stack([across, down, 1 - (across + down) / 2], axis=-1)
    return (30 + channels * 190).round().astype(np.uint8)

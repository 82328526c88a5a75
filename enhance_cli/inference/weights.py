"""Weights files that describe themselves.

One ``.safetensors`` file holds the tensors and, in its metadata, a format version, the
:class:`ModelConfig` and how it was trained. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from platformdirs import user_data_path
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

import enhance_cli
from enhance_cli.atomic_write import atomic_write
from enhance_cli.config.model import ModelConfig
from enhance_cli.config.settings import updated
from enhance_cli.errors import UsageError, WeightsError
from enhance_cli.models.cascade import Cascade

FORMAT_VERSION = 2
"""Version of the files that are written; older ones are read as well."""

FILE_NAME = "enhance.safetensors"
ENVIRONMENT = "ENHANCE_WEIGHTS"


@dataclass(frozen=True)
class Provenance:
    """How weights were made.

    Attributes:
        trained_on: Keys of the pairs that the networks were trained on.
        recipe: Settings of the training run, as JSON values.
        figures: Scores at the end of training, by name.
    """

    trained_on: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Weights:
    """A model and its origin.

    Attributes:
        model: The cascade, in eval mode.
        provenance: How the weights were made.
        path: The file from which the weights were loaded.
    """

    model: Cascade
    provenance: Provenance
    path: Path


def find_weights(chosen: Path | None) -> Path:
    """Find the weights file: ``chosen``, or else the first one of these that is there.

    The file that ``ENHANCE_WEIGHTS`` names, the one in the user's data folder, and the one that
    comes with the package. If ``chosen`` or ``ENHANCE_WEIGHTS`` is given, no other file is used.

    Args:
        chosen: The file that the user asked for, or None.

    Raises:
        WeightsError: There is no such file.
    """
    if chosen is not None:
        return _existing(chosen, "--weights")
    if os.environ.get(ENVIRONMENT):
        return _existing(Path(os.environ[ENVIRONMENT]), ENVIRONMENT)
    own = user_data_path("enhance", appauthor=False) / FILE_NAME
    package = Path(str(files("enhance_cli")))
    shipped = (package / "weights" / FILE_NAME, package.parent / "weights" / FILE_NAME)
    for path in (own, *shipped):
        if path.is_file():
            return path
    raise WeightsError(
        f"no weights: {own} does not exist and the package has none; give --weights FILE"
    )


def save_weights(path: Path, model: Cascade, provenance: Provenance) -> None:
    """Write a weights file; it appears under its name only when it is complete.

    Matrices and kernels are stored in half precision, which changes no channel of a photo by as
    much as 1/255; biases and batch norm statistics stay in single precision.

    Args:
        path: The file; missing folders are created.
        model: The cascade, on any device.
        provenance: How the weights were made.

    Raises:
        WeightsError: The file cannot be written.
    """
    tensors = {
        name: (tensor.half() if tensor.ndim >= 2 else tensor).contiguous().cpu()
        for name, tensor in model.state_dict().items()
    }
    metadata = {
        "format": "enhance",
        "format_version": str(FORMAT_VERSION),
        "enhance_version": enhance_cli.__version__,
        "model": json.dumps(asdict(model.config)),
        "provenance": json.dumps(asdict(provenance), default=str),
    }
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(save(tensors, metadata))
    except (OSError, SafetensorError) as problem:
        raise WeightsError(f"{path}: cannot be written ({problem})") from problem


def load_weights(path: Path, device: torch.device | None = None) -> Weights:
    """Read a weights file of format version 1 or 2 into a model in eval mode.

    Args:
        path: The file.
        device: The device to load the model onto; None is the CPU.

    Raises:
        WeightsError: The file is missing, damaged, no weights file, or of another version, or its
            settings are unknown, of the wrong type or out of range.
    """
    metadata, tensors = _read(path)
    if metadata.get("format") != "enhance":
        raise WeightsError(f"{path}: not a weights file of enhance")
    version = metadata.get("format_version")
    if version not in {"1", str(FORMAT_VERSION)}:
        raise WeightsError(
            f"{path}: format version {version}, this enhance reads 1 to {FORMAT_VERSION}; update "
            "enhance or train anew"
        )
    try:
        settings = json.loads(metadata["model"])
        if not isinstance(settings, dict):
            raise TypeError("the model's settings are not an object")
        settings = _settings_of_version_1(settings) if version == "1" else settings
        config = updated(ModelConfig(), settings, str(path), "")
        described = json.loads(metadata["provenance"])
        provenance = Provenance(
            tuple(described["trained_on"]), described["recipe"], described["figures"]
        )
        model = Cascade(config)
        model.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError, UsageError) as problem:
        raise WeightsError(f"{path}: its description does not fit its contents") from problem
    return Weights(model.to(device or "cpu").eval(), provenance, path)


def _settings_of_version_1(old: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the model's settings of format version 1 into those of version 2."""
    settings = {_RENAMED.get(name, name): value for name, value in old.items()}
    edge = settings.pop("by_colour", 0)
    if edge:
        settings |= {"prnet": "global", "prnet_input_edge": edge}
    return settings


_RENAMED = {
    "canvas": "input_side",
    "sight": "max_input_edge",
    "pooling": "nonlocal_pool",
    "hold_white": "protect_highlights",
}
"""Settings by their names in format version 1, and their names in version 2."""


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt") as opened:
            return opened.metadata() or {}, {
                name: opened.get_tensor(name)
                for name in opened.keys()  # noqa: SIM118, no mapping
            }
    except (SafetensorError, OSError) as problem:
        raise WeightsError(
            f"{path}: not a whole .safetensors file; pickled weights (.pt, .pth) are never read"
        ) from problem


def _existing(path: Path, source: str) -> Path:
    if not path.is_file():
        raise WeightsError(f"{source} {path}: no such weights file")
    return path

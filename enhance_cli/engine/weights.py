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
from enhance_cli.config import VARIANTS, ModelConfig
from enhance_cli.errors import WeightsError
from enhance_cli.files import written_whole
from enhance_cli.models.cascade import Cascade

FORMAT_VERSION = 1
FILE_NAME = "enhance.safetensors"
ENVIRONMENT = "ENHANCE_WEIGHTS"


@dataclass(frozen=True)
class Provenance:
    """How weights came to be.

    Attributes:
        trained_on: Keys of the pairs that the networks learned from.
        recipe: The training config, as plain values.
        figures: What was measured at the end.
    """

    trained_on: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Weights:
    """A model ready for use, and where it comes from."""

    model: Cascade
    provenance: Provenance
    path: Path


def find_weights(chosen: Path | None) -> Path:
    """Look weights up: chosen, ``ENHANCE_WEIGHTS``, the user's data folder, the package.

    Raises:
        WeightsError: None of these is a file.
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
        f"no weights: {own} is not there and the package came without; give --weights FILE"
    )


def save_weights(path: Path, model: Cascade, provenance: Provenance) -> None:
    """Write a weights file, whole or not at all.

    Matrices and kernels are stored in half precision, which moves no channel of a photo by 1/255;
    biases and batch norm statistics keep single precision.

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
        with written_whole(path) as unfinished:
            unfinished.write_bytes(save(tensors, metadata))
    except (OSError, SafetensorError) as problem:
        raise WeightsError(f"{path}: cannot be written ({problem})") from problem


def load_weights(path: Path, device: torch.device | None = None) -> Weights:
    """Read a weights file into a model in eval mode.

    Raises:
        WeightsError: It is missing, damaged, not a weights file, or of another version.
    """
    metadata, tensors = _read(path)
    if metadata.get("format") != "enhance":
        raise WeightsError(f"{path}: not a weights file of enhance")
    if metadata.get("format_version") != str(FORMAT_VERSION):
        raise WeightsError(
            f"{path}: format version {metadata.get('format_version')}, this enhance reads "
            f"{FORMAT_VERSION}; update enhance or train anew"
        )
    try:
        config = ModelConfig(**json.loads(metadata["model"]))
        if config.variant not in VARIANTS:
            raise ValueError(f"unknown variant {config.variant}")
        described = json.loads(metadata["provenance"])
        provenance = Provenance(
            tuple(described["trained_on"]), described["recipe"], described["figures"]
        )
        model = Cascade(config)
        model.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as problem:
        raise WeightsError(f"{path}: its description does not fit its contents") from problem
    return Weights(model.to(device or "cpu").eval(), provenance, path)


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

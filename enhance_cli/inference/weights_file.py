"""Finding a weights file, and reading what it says about itself.

Nothing here needs PyTorch, which takes more than a second to import: a run that has nothing to do,
or whose weights cannot be used, is over by then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from platformdirs import user_data_path

from enhance_cli.atomic_write import why_missing
from enhance_cli.config.model import ModelConfig
from enhance_cli.config.settings import updated
from enhance_cli.errors import NoWeightsError, UsageError, WeightsError

FORMAT_VERSION = 3
"""Version of the files that are written; older ones are read as well."""

FILE_NAME = "enhance.safetensors"
ENVIRONMENT = "ENHANCE_WEIGHTS"

SHIPPED = "shipped"
"""By this name, options of ``train`` and ``eval`` take the weights that come with the package."""

_MAX_HEADER = 100_000_000
"""Longest header, in bytes, that the safetensors library accepts."""


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
class WeightsFile:
    """What a weights file says about itself.

    Attributes:
        path: The file.
        config: Architecture and input geometry of its model.
        provenance: How the weights were made.
    """

    path: Path
    config: ModelConfig
    provenance: Provenance


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
    for path in (own, *_shipped()):
        if path.is_file():
            return path
    raise WeightsError(
        f"no weights: {own} does not exist and the package has none; give --weights FILE"
    )


def named_weights(path: Path) -> Path:
    """The file that an option names; ``shipped`` is that of the package, if no file has this name.

    Raises:
        WeightsError: The package has no weights.
    """
    plain = len(path.parts) == 1 and not os.path.isfile(path)  # noqa: PTH113
    return shipped_weights() if plain and path.name.lower() == SHIPPED else path


def shipped_weights() -> Path:
    """Find the weights that come with the package.

    Raises:
        WeightsError: The package has none.
    """
    for path in _shipped():
        if path.is_file():
            return path
    raise WeightsError("the package has no weights; give a weights file")


def _shipped() -> tuple[Path, ...]:
    package = Path(str(files("enhance_cli")))
    return package / "weights" / FILE_NAME, package.parent / "weights" / FILE_NAME


def describe_weights(path: Path) -> WeightsFile:
    """Read the description of a weights file of format version 1 to 3, without its tensors.

    Args:
        path: The file.

    Raises:
        WeightsError: The file is missing, not whole, no weights file, or of another version, or its
            settings are unknown, of the wrong type or out of range.
    """
    metadata = read_header(path).metadata
    if metadata.get("format") != "enhance":
        raise WeightsError(f"{path}: not a weights file of enhance")
    version = metadata.get("format_version")
    if version not in {"1", "2", str(FORMAT_VERSION)}:
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
        _refuse_what_cannot_be_meant(config)
        provenance = _provenance(json.loads(metadata["provenance"]))
    except (KeyError, TypeError, ValueError, UsageError, RecursionError) as problem:
        raise mismatch_error(path) from problem
    return WeightsFile(path, config, provenance)


def damaged_error(path: Path) -> WeightsError:
    """The error for a file that is damaged, or of another format."""
    return WeightsError(
        f"{path}: damaged, or not a .safetensors file; pickled weights (.pt, .pth) are never read"
    )


def mismatch_error(path: Path) -> WeightsError:
    """The error for a file whose description is wrong."""
    return WeightsError(f"{path}: its description does not fit its contents")


def memory_error(path: Path) -> WeightsError:
    """The error for a file that memory does not suffice to load."""
    return WeightsError(f"{path}: too little memory is free to load it; close other programs")


class Header(NamedTuple):
    """What a file in the safetensors format begins with.

    Attributes:
        metadata: Texts by name.
        tensors: For each tensor its ``dtype``, its ``shape``, and its ``data_offsets``: where it
            begins and ends, counted from ``start``.
        start: Position of the first tensor in the file.
    """

    metadata: Mapping[str, str]
    tensors: Mapping[str, Mapping[str, Any]]
    start: int


def read_header(path: Path) -> Header:
    """Read the header, and check by it that the file is complete.

    A file in the safetensors format begins with the length of its header, 8 bytes; the header is a
    JSON object, which gives the position of each tensor after it.

    Raises:
        WeightsError: The file is missing, not whole, or of another format.
    """
    if not os.path.isfile(path):  # noqa: PTH113
        raise NoWeightsError(f"{path}: {why_missing(path, 'no such weights file')}")
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            tensors: Any = json.loads(file.read(length)) if length <= _MAX_HEADER else None
        metadata = tensors.pop("__metadata__", None) or {}
        end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        whole = path.stat().st_size == 8 + length + end
    except (OSError, ValueError, AttributeError, KeyError, TypeError, IndexError) as problem:
        raise damaged_error(path) from problem
    if not whole or not isinstance(metadata, dict):
        raise damaged_error(path)
    return Header(metadata, tensors, 8 + length)


_LARGEST = {
    "input_side": 4096,
    "max_input_edge": 65_536,
    "nonlocal_pool": 256,
    "prnet_input_edge": 4096,
}
"""Largest values of settings that a model can have been trained with, in pixels or positions."""


def _refuse_what_cannot_be_meant(config: ModelConfig) -> None:
    """Raise a ValueError for settings that no training run can have had."""
    for name, largest in _LARGEST.items():
        if getattr(config, name) > largest:
            raise ValueError(f"{name} is larger than {largest}")
    if config.style and not config.is_color_function:
        raise ValueError("a style corrects functions of color only")


def _provenance(described: Any) -> Provenance:
    """Check the types of a JSON object, and make a provenance of it."""
    trained_on, recipe, figures = (described[name] for name in ("trained_on", "recipe", "figures"))
    if not isinstance(trained_on, list) or not all(isinstance(key, str) for key in trained_on):
        raise TypeError("trained_on is not a list of names")
    if not isinstance(recipe, dict) or not isinstance(figures, dict):
        raise TypeError("recipe or figures are not objects")
    return Provenance(tuple(trained_on), recipe, figures)


def _settings_of_version_1(old: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the model's settings of format version 1 into those of today."""
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
"""Settings by their names in format version 1, and their names of today."""


def _existing(path: Path, source: str) -> Path:
    if not os.path.isfile(path):  # noqa: PTH113, no error if it cannot be reached
        raise NoWeightsError(f"{source} {path}: {why_missing(path, 'no such weights file')}")
    return path

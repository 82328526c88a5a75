"""Checkpoints, from which an interrupted run continues."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from enhance_cli.atomic_write import atomic_write
from enhance_cli.config.training import TrainConfig
from enhance_cli.errors import TrainingError, UsageError

IGNORED_FIELDS = ("resume", "device", "workers", "out", "log_dir")
"""Settings that do not affect the weights."""


def checkpoint_path(config: TrainConfig) -> Path:
    """Beside the weights file."""
    return config.out.with_suffix(".ckpt")


def read_checkpoint(config: TrainConfig) -> dict[str, Any]:
    """Read the checkpoint of a run.

    Raises:
        UsageError: There is none, or it belongs to a run with other settings.
        TrainingError: It is damaged.
    """
    path = checkpoint_path(config)
    if not path.is_file():
        raise UsageError(f"--resume: there is no checkpoint {path}; train without --resume")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        settings = state["config"]
    except Exception as problem:
        raise TrainingError(f"{path}: not a whole checkpoint; train without --resume") from problem
    if settings != fingerprint(config):
        raise UsageError(f"--resume: {path} was made with other settings; use those")
    return state


def write_checkpoint(config: TrainConfig, state: dict[str, Any]) -> None:
    """Write the checkpoint of a run, whole or not at all.

    Raises:
        TrainingError: It cannot be written.
    """
    path = checkpoint_path(config)
    buffer = io.BytesIO()  # torch.save to a file does not tell a full disk from other failures
    torch.save({"config": fingerprint(config), **state}, buffer)
    try:
        with atomic_write(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())
    except OSError as problem:
        raise TrainingError(
            f"{path}: cannot be written ({problem.strerror or problem}); make room there; if an "
            "epoch was done before, the same command with --resume goes on from it"
        ) from problem


def fingerprint(config: TrainConfig) -> str:
    """The settings that affect the weights, as JSON; paths by name, since weights are shared."""
    plain = asdict(config)
    for name in IGNORED_FIELDS:
        del plain[name]
    data = plain["data"]
    del data["cache_dir"]
    for source in data["sources"]:
        source["path"] = Path(source["path"]).resolve().name
    data["split"] = data["split"] and Path(data["split"]).name
    plain["init"] = config.init and config.init.name
    return json.dumps(plain, default=str)

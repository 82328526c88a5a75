"""A training run on disk, to go on from."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from enhance_cli.config import TrainConfig
from enhance_cli.errors import TrainingError, UsageError
from enhance_cli.files import written_whole

WITHOUT_EFFECT = ("resume", "device", "workers", "out", "log_dir")
"""Settings that decide nothing about the outcome."""


def checkpoint_path(config: TrainConfig) -> Path:
    """Beside the weights file."""
    return config.out.with_suffix(".ckpt")


def read_checkpoint(config: TrainConfig) -> dict[str, Any]:
    """Read the checkpoint of a run.

    Raises:
        UsageError: There is none, or it is of a run with other settings.
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
        raise UsageError(f"--resume: {path} was made with other settings; repeat those")
    return state


def write_checkpoint(config: TrainConfig, state: dict[str, Any]) -> None:
    """Write the checkpoint of a run, whole or not at all.

    Raises:
        TrainingError: It cannot be written.
    """
    path = checkpoint_path(config)
    whole = io.BytesIO()  # PyTorch's own writing does not tell a full disk from other failures
    torch.save({"config": fingerprint(config), **state}, whole)
    try:
        with written_whole(path) as unfinished:
            unfinished.write_bytes(whole.getbuffer())
    except OSError as problem:
        raise TrainingError(
            f"{path}: cannot be written ({problem.strerror or problem}); make room there; if an "
            "epoch was done before, the same command with --resume goes on from it"
        ) from problem


def fingerprint(config: TrainConfig) -> str:
    """What decides the outcome of a run, as JSON; files by name, since it goes into weights."""
    plain = asdict(config)
    for name in WITHOUT_EFFECT:
        del plain[name]
    data = plain["data"]
    del data["cache_dir"]
    for source in data["sources"]:
        source["path"] = Path(source["path"]).resolve().name
    data["split"] = data["split"] and Path(data["split"]).name
    plain["init"] = config.init and config.init.name
    return json.dumps(plain, default=str)

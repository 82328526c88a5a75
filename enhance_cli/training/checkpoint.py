"""Checkpoints, from which an interrupted run continues."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from enhance_cli.atomic_write import FileSignature, KeepOthers, atomic_write
from enhance_cli.config.training import TrainConfig
from enhance_cli.errors import TrainingError, UsageError

IGNORED_FIELDS = ("resume", "device", "workers", "out", "log_dir", "on_conflict")
"""Settings that do not affect the weights, so that a resumed run may change them."""


def checkpoint_path(config: TrainConfig) -> Path:
    """Return the path of a run's checkpoint, which is beside the weights file."""
    return config.out.with_suffix(".ckpt")


def existing_checkpoint(config: TrainConfig) -> Path:
    """Return the path of a run's checkpoint.

    Raises:
        UsageError: There is none.
    """
    path = checkpoint_path(config)
    if not path.is_file():
        raise UsageError(f"--resume: there is no checkpoint {path}; train without --resume")
    return path


def read_checkpoint(config: TrainConfig) -> dict[str, Any]:
    """Read the checkpoint of a run.

    Raises:
        UsageError: There is no checkpoint, or it belongs to a run with other settings.
        TrainingError: The checkpoint is damaged.
    """
    path = existing_checkpoint(config)
    import torch  # late: see enhance_cli.training.preparation

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        settings = state["config"]
    except Exception as problem:
        raise TrainingError(f"{path}: damaged checkpoint; train without --resume") from problem
    if settings != fingerprint(config):
        raise UsageError(f"--resume: {path} was made with other settings; repeat those")
    return state


def write_checkpoint(
    config: TrainConfig, state: dict[str, Any], expected: FileSignature | None
) -> FileSignature | None:
    """Write the checkpoint of a run atomically.

    Args:
        config: The run's settings.
        state: What to write.
        expected: Signature of the checkpoint that may be replaced; None if there is none.

    Returns:
        The signature of the new checkpoint.

    Raises:
        TrainingError: The checkpoint cannot be written, or another file is in its place.
    """
    path = checkpoint_path(config)
    import torch

    buffer = io.BytesIO()  # torch.save to a file does not tell a full disk from other failures
    torch.save({"config": fingerprint(config), **state}, buffer)
    try:
        with atomic_write(path, KeepOthers(expected)) as temporary:
            temporary.write_bytes(buffer.getbuffer())
    except FileExistsError as problem:
        raise TrainingError(
            f"{path}: another file has come there while the run went on; it was left as it is. "
            "Move it away, and train again"
        ) from problem
    except OSError as problem:
        raise TrainingError(
            f"{path}: cannot be written ({problem.strerror or problem}); free some disk space; if "
            "an earlier epoch was finished, the same command with --resume continues from it"
        ) from problem
    return FileSignature.of(path)


def fingerprint(config: TrainConfig) -> str:
    """Return the settings that affect the weights, as JSON.

    Of paths, only the last part is included: the text is also written to weights files, which
    people share.
    """
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

"""Checkpoints, from which an interrupted run continues."""

from __future__ import annotations

import io
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from enhance_cli.atomic_write import FileSignature, KeepOthers, atomic_write, remedy
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
    if not os.path.isfile(path):  # noqa: PTH113
        raise UsageError(f"--resume: there is no checkpoint {path}; train without --resume")
    return path


def read_checkpoint(config: TrainConfig) -> dict[str, Any]:
    """Read the checkpoint of a run.

    Raises:
        UsageError: There is no checkpoint, or it belongs to a run with other settings, which the
            message names.
        TrainingError: The checkpoint is damaged.
    """
    path = existing_checkpoint(config)
    import torch  # late: see enhance_cli.training.preparation

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        settings = state["config"]
    except Exception as problem:
        raise TrainingError(f"{path}: damaged checkpoint; train without --resume") from problem
    different = _differences(settings, fingerprint(config))
    if different:
        raise UsageError(
            f"--resume: {path} was made with other settings; repeat those: {different}"
        )
    return state


MAX_DIFFERENT = 5
"""Largest number of different settings that a message names."""


def _differences(before: str, now: str) -> str:
    """Say which settings differ, in one line; empty if none does.

    Settings that did not exist yet when the checkpoint was written do not count.
    """
    then, today = (_flat(json.loads(settings)) for settings in (before, now))
    changed = [
        f"{key} was {_shown(then[key])}, is {_shown(today.get(key))}"
        for key in then
        if then[key] != today.get(key)
    ]
    groups = {_group(key) for key in then}
    added = [f"{key} is new" for key in today if key not in then and _group(key) not in groups]
    different = changed + added
    more = len(different) - MAX_DIFFERENT
    return "; ".join(different[:MAX_DIFFERENT] + [f"and {more} more"] * (more > 0))


def _group(key: str) -> str:
    return key.rpartition(".")[0]


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Settings by keys such as ``stages.refine.epochs``."""
    if isinstance(settings, dict):
        items = list(cast("dict[str, Any]", settings).items())
    elif isinstance(settings, list) and settings:
        numbered = enumerate(cast("list[Any]", settings))
        items = [(_name_of(entry) or str(number), entry) for number, entry in numbered]
    else:
        return {prefix.removeprefix("recipe.").removesuffix("."): settings}
    flat: dict[str, Any] = {}
    for name, value in items:
        flat |= _flat(value, f"{prefix}{name}.")
    return flat


def _name_of(entry: Any) -> str | None:
    return cast("dict[str, Any]", entry).get("name") if isinstance(entry, dict) else None


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value)


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
            f"{path}: cannot be written ({problem.strerror or problem}); "
            f"{remedy(problem, 'let its folder be written to')}; if an earlier epoch was finished, "
            "the same command with --resume continues from it"
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

"""What a training run checks and collects before PyTorch is imported, which takes seconds."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import NamedTuple

from enhance_cli.atomic_write import make_folder, rehearse_new_file, remedy
from enhance_cli.config.effects import active_stages, without_effect
from enhance_cli.config.training import StageConfig, StyleConfig, TrainConfig
from enhance_cli.data.pair_collection import PairCollection
from enhance_cli.errors import OutputError, UsageError, WeightsError
from enhance_cli.inference.device import refuse_unusable_device
from enhance_cli.inference.weights_file import WeightsFile, describe_weights, find_weights
from enhance_cli.training.checkpoint import checkpoint_path, existing_checkpoint


def prepare(config: TrainConfig) -> PairCollection:
    """Refuse what is wrong with a run as far as this can be told without PyTorch.

    Returns:
        The pairs of the run.

    Raises:
        UsageError: Options contradict each other or have no effect, or there is nothing to resume.
        EnhanceError: Pairs, split, weights or device are not available.
    """
    check_options(config, stages_to_run(config))
    refuse_unusable_device(config.device)
    pairs = collect(config)
    create_output_folder(config.out)
    if config.resume:
        existing_checkpoint(config)
    refuse_existing(config)
    if config.init is not None:
        describe_weights(config.init)
    return pairs


class StyleSources(NamedTuple):
    """What a style is fitted to.

    Attributes:
        pairs: Photos before and after editing.
        weights: The weights whose networks the style corrects.
    """

    pairs: PairCollection
    weights: WeightsFile


def prepare_style(config: StyleConfig) -> StyleSources:
    """Refuse what is wrong with a run as far as this can be told without PyTorch.

    Raises:
        UsageError: The weights file is there already, or the networks cannot have a style.
        EnhanceError: Pairs, weights or device are not available.
    """
    refuse_unusable_device(config.device)
    weights = describe_weights(config.init or find_weights(None))
    if not weights.config.is_color_function:
        raise UsageError(
            f"{weights.path}: the result of these weights is not one function of color "
            '(model.prnet is "per-pixel"), so that no style fits on top; give others by --init'
        )
    create_output_folder(config.out)
    if config.on_conflict != "overwrite":
        refuse_existing_weights(config.out)
    edge = min(weights.config.long_edge, 2 * weights.config.input_edge)  # decodes faster
    return StyleSources(PairCollection(config.data, edge), weights)


def stages_to_run(config: TrainConfig) -> tuple[StageConfig, ...]:
    """Return the stages of a run, in order.

    Raises:
        UsageError: A requested stage is not in the recipe, or the model lacks its network; or no
            stages are left, or none for a network that the recipe trains.
    """
    stages = active_stages(config.recipe)
    names = [stage.name for stage in stages]
    if config.stages is None:
        _refuse_untrained(config, stages)
    else:
        unknown = [name for name in config.stages if name not in names]
        if unknown:
            raise UsageError(
                f"--stages {unknown[0]}: the recipe has no such stage for "
                f"{config.model.variant}; choose from {', '.join(names)}"
            )
        stages = tuple(stage for stage in stages if stage.name in config.stages)
    if not stages:
        raise UsageError(f"the recipe has no stage that trains {config.model.variant}")
    return stages


def _refuse_untrained(config: TrainConfig, stages: tuple[StageConfig, ...]) -> None:
    """Refuse a recipe if the model has a network none of whose stages runs."""
    trained = {stage.trains for stage in stages}
    present = {"cenet": config.model.has_cenet, "prnet": config.model.has_prnet}
    reasons = without_effect(config.recipe)
    for stage in config.recipe.stages:
        if present[stage.trains] and stage.trains not in trained:
            raise UsageError(
                f"stages.{stage.name} does not run, and no other stage trains its network: "
                f"{reasons[f'stages.{stage.name}']}; change one of the two"
            )


def check_options(config: TrainConfig, stages: tuple[StageConfig, ...]) -> None:
    """Refuse options that have no effect in a run of these stages.

    Raises:
        UsageError: There are such options.
    """
    trains_cenet = any(stage.trains == "cenet" for stage in stages)
    if config.pretrained and not config.model.has_cenet:
        raise UsageError(f"--pretrained: the variant {config.model.variant} has no ResNet50")
    if config.pretrained and not trains_cenet:
        raise UsageError("--pretrained: no stage of this run trains CENet")


def create_output_folder(out: Path) -> None:
    """Create the folder of a weights file.

    Raises:
        UsageError: The file has another suffix.
        OutputError: The folder cannot be created or written to.
    """
    if out.suffix != ".safetensors":
        raise UsageError(f"--out {out}: weights files end in .safetensors")
    try:
        make_folder(out.parent)
        rehearse_new_file(out)
    except OSError as problem:
        raise OutputError(
            f"--out {out}: {problem.strerror or problem}; "
            + remedy(problem, "choose another folder")
        ) from problem


def refuse_existing(config: TrainConfig) -> None:
    """Refuse to replace weights, or the checkpoint of an interrupted run, without being told to.

    Raises:
        UsageError: One of them is there.
    """
    if config.on_conflict == "overwrite":
        return
    checkpoint = checkpoint_path(config)
    if not config.resume and os.path.lexists(checkpoint):
        raise UsageError(
            f"{checkpoint}: already exists, perhaps from an interrupted run; continue that with "
            "--resume, choose another --out, or replace it with --on-conflict overwrite"
        )
    if not (config.resume and _is_interrupted(config.out)):
        refuse_existing_weights(config.out)


def refuse_existing_weights(out: Path) -> None:
    """Refuse to replace a weights file.

    Raises:
        UsageError: It is there.
    """
    if os.path.lexists(out):
        raise UsageError(
            f"--out {out}: already exists; choose another file, or replace it with "
            "--on-conflict overwrite"
        )


def _is_interrupted(path: Path) -> bool:
    """Whether a file holds what an interrupted run had learnt so far."""
    try:
        return bool(describe_weights(path).provenance.figures.get("interrupted"))
    except WeightsError:
        return False


def collect(config: TrainConfig) -> PairCollection:
    """Collect the pairs of a run.

    Raises:
        EnhanceError: Sources or split are not available.
    """
    alone = config.workers == 0 or workers_share_memory(config)
    readers = (1 if alone else config.workers) * local_world_size()
    part = local_rank(), local_world_size()
    return PairCollection(config.data, config.model.long_edge, readers=readers, part=part)


def workers_share_memory(config: TrainConfig) -> bool:
    """Whether the processes that prepare samples see what this process has in memory."""
    return config.workers > 0 and multiprocessing.get_start_method() == "fork"


def is_main_process() -> bool:
    """Return whether this process is the one that reports and writes files."""
    return os.environ.get("RANK", "0") == "0"


def local_rank() -> int:
    """Return the number of this process among the run's processes on this machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def local_world_size() -> int:
    """Return the number of this run's processes on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))

"""What a training run will do: its stages, their epochs and steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from enhance_cli.config.training import StageConfig, TrainConfig
from enhance_cli.data.sampler import BatchSampler
from enhance_cli.training.preparation import stages_to_run


class StagePlan(NamedTuple):
    """One stage of a run.

    Attributes:
        variant: Variant that is trained.
        stage: Settings of the stage.
        steps: Number of steps in an epoch.
        done: Number of epochs that were finished before, if the run is resumed.
    """

    variant: str
    stage: StageConfig
    steps: int
    done: int = 0

    @property
    def steps_left(self) -> int:
        """Number of steps that the run will take."""
        return (self.stage.epochs - self.done) * self.steps


def plan_stages(
    config: TrainConfig, repeats: Sequence[float], stage: str = "", epoch: int = 0
) -> list[StagePlan]:
    """List the stages of a run, in order.

    Args:
        config: The run's settings.
        repeats: For each training pair, how often it comes up in an epoch.
        stage: Name of the stage that a resumed run continues; empty if it begins.
        epoch: Number of epochs of this stage that are finished.
    """
    stages = stages_to_run(config)
    names = [one.name for one in stages]
    current = names.index(stage) if stage in names else 0
    done = [one.epochs for one in stages[:current]] + [epoch] + [0] * len(stages[current + 1 :])
    return [
        StagePlan(
            config.model.variant,
            one,
            len(BatchSampler(list(repeats), one.batch_size, "", 0, 1)),
            finished,
        )
        for one, finished in zip(stages, done, strict=True)
    ]

"""Trains the five methods of section 3.3, for table 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from enhance_cli.config.model import VARIANTS, Variant
from enhance_cli.config.training import TrainConfig
from enhance_cli.data.pair_cache import RenderProgress
from enhance_cli.errors import UsageError
from enhance_cli.inference.device import refuse_unusable_device
from enhance_cli.training.checkpoint import checkpoint_path
from enhance_cli.training.preparation import collect, refuse_existing, stages_to_run

if TYPE_CHECKING:
    from enhance_cli.training.plan import StagePlan
    from enhance_cli.training.trainer import EpochReport, StepReport


class Ablation:
    """Five training runs with one recipe. Iterate over it as over a :class:`Trainer`.

    CENet is trained once. The cascades start from the weights of ``ce``, so that they differ in
    PRNet alone. With ``resume``, finished runs are kept and the interrupted run continues.

    Args:
        config: Settings of all runs; ``out`` is a folder for ``ce.safetensors`` and so on.
        on_step: Called after every step.

    Raises:
        UsageError: ``init`` or ``stages`` is given, ``out`` is not a folder, or the recipe has no
            stage for one of the methods.
        EnhanceError: Pairs or split are not available.
    """

    def __init__(
        self, config: TrainConfig, on_step: Callable[[StepReport], None] = lambda _: None
    ) -> None:
        if config.init is not None or config.stages is not None:
            raise UsageError(
                "--variant all trains every network from the start; leave out --init and --stages"
            )
        if config.out.suffix:
            raise UsageError(f"--out {config.out}: with --variant all give a folder")
        refuse_unusable_device(config.device)
        self.config = config
        self._on_step = on_step
        for variant in VARIANTS:
            one = self._config_of(variant)
            stages_to_run(one)  # refuses now what would fail hours later
            if not (config.resume and _is_done(one)):
                refuse_existing(one)
        self.pairs = collect(config)

    def render_missing(self) -> Iterator[RenderProgress]:
        """Render missing pairs, as :meth:`Trainer.render_missing` does."""
        return self.pairs.render_missing()

    def plan(self) -> list[StagePlan]:
        """List the stages of the runs that are not finished."""
        from enhance_cli.training.plan import plan_stages

        configs = [self._config_of(variant) for variant in VARIANTS]
        due = [one for one in configs if not (self.config.resume and _is_done(one))]
        return [stage for one in due for stage in plan_stages(one, self.pairs.repeats)]

    def __iter__(self) -> Iterator[EpochReport]:
        """Train one method after the other.

        Raises:
            EnhanceError: As raised by :class:`Trainer`.
        """
        from enhance_cli.training.trainer import Trainer  # late: see training.preparation

        for variant in VARIANTS:
            config = self._config_of(variant)
            if not (self.config.resume and _is_done(config)):
                yield from Trainer(config, self.pairs, self._on_step)

    def _config_of(self, variant: Variant) -> TrainConfig:
        recipe = self.config.recipe
        recipe = replace(recipe, model=replace(recipe.model, variant=variant))
        log_dir = self.config.log_dir and self.config.log_dir / variant
        config = replace(self.config, recipe=recipe, out=self._out(variant), log_dir=log_dir)
        if config.model.has_cenet and config.model.has_prnet:
            refining = (stage.name for stage in stages_to_run(config) if stage.trains == "prnet")
            config = replace(config, init=self._out("ce"), stages=tuple(refining))
        if not config.model.has_cenet or config.init:
            config = replace(config, pretrained=False)
        resume = self.config.resume and checkpoint_path(config).is_file()
        return replace(config, resume=resume)

    def _out(self, variant: Variant) -> Path:
        return self.config.out / f"{variant}.safetensors"


def _is_done(config: TrainConfig) -> bool:
    return config.out.is_file() and not checkpoint_path(config).is_file()

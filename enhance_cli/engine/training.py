"""Learn CENet on eq. 4, then PRNet on what CENet leaves (section 3.2)."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from enhance_cli.config import TrainConfig
from enhance_cli.data.dataset import Sample
from enhance_cli.data.prepared import Progress
from enhance_cli.engine.batches import Batches, make_loader
from enhance_cli.engine.checkpoint import (
    checkpoint_path,
    fingerprint,
    read_checkpoint,
    write_checkpoint,
)
from enhance_cli.engine.collection import Collection
from enhance_cli.engine.diary import Diary
from enhance_cli.engine.distributed import make_fabric, processes_here, with_global_batch_norm
from enhance_cli.engine.evaluation import comparison, score_pairs
from enhance_cli.engine.optimization import Learner
from enhance_cli.engine.stages import Stage, StageName, make_stage, stages_of
from enhance_cli.engine.weights import Provenance, load_weights, save_weights
from enhance_cli.errors import TrainingError, UsageError
from enhance_cli.imaging.metrics import Score
from enhance_cli.models.cascade import Cascade

SHOWN = 4
"""Photos whose state goes into the log."""


@dataclass(frozen=True)
class EpochReport:
    """What one epoch came to.

    Attributes:
        stage: ``"coarse"`` (CENet), ``"refine"`` or ``"finish"`` (PRNet), or ``"joint"``.
        epoch: From 1.
        epochs: Of this stage.
        loss: Mean over the steps.
        learning_rate: At the last step.
        photos_per_second: Samples learned from, a second, by all processes.
        score: On the held-out pairs, where this epoch was validated.
        best: Whether no epoch of the stage scored better so far.
        variant: What is being trained.
    """

    stage: StageName
    epoch: int
    epochs: int
    loss: float
    learning_rate: float
    photos_per_second: float
    score: Score | None = None
    best: bool = False
    variant: str = ""


@dataclass(frozen=True)
class StepReport:
    """Where a run is within an epoch.

    Attributes:
        stage: As in :class:`EpochReport`, like ``epoch``, ``epochs`` and ``variant``.
        step: Of the epoch, from 1.
        steps: In an epoch.
        loss: Of this step.
    """

    stage: StageName
    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    variant: str = ""


class Training:
    """One training run; iterate over it, an :class:`EpochReport` an epoch.

    After every epoch a checkpoint stands beside the weights file. Ctrl-C writes the weights as
    they are and leaves the checkpoint, from which ``resume`` goes on. Under torchrun every process
    iterates, and the first one writes.

    Args:
        config: The run.
        collection: Its pairs; None finds those of ``config``.
        watch: Told of every step.

    Raises:
        EnhanceError: Pairs, split or device cannot be had, or there is nothing to resume.
    """

    def __init__(
        self,
        config: TrainConfig,
        collection: Collection | None = None,
        watch: Callable[[StepReport], None] = lambda _: None,
    ) -> None:
        self.config = config
        self._stages = stages_of(config)
        self.watch = watch
        self.pairs = collection or collect(config)
        self._check_output()
        self._check_stages()
        self._state = read_checkpoint(config) if config.resume else {}
        self.fabric = make_fabric(config.device, config.precision)
        self.device = self.fabric.device
        torch.manual_seed(config.seed)
        self.model = Cascade(config.model)
        if config.pretrained:
            self._take_pretrained()
        self._ancestors = self._start_from(config.init) if config.init else ()
        if self.fabric.world_size > 1:
            with_global_batch_norm(self.model)
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        main = self.fabric.is_global_zero
        self.diary = Diary(config.log_dir if main else None, self._epochs_behind())

    def prepare(self) -> Iterator[Progress]:
        """Render the photos that have not been rendered yet; else training begins with that.

        Raises:
            EnhanceError: Pairs do not belong together, or the disk has no room.
        """
        return self.pairs.prepare()

    def __iter__(self) -> Iterator[EpochReport]:
        """Train.

        Raises:
            EnhanceError: Photos cannot be prepared.
            TrainingError: A loss is not finite, or a file cannot be written.
            KeyboardInterrupt: After the weights have been written as they are.
        """
        for _ in self.prepare():
            pass
        try:
            if self._state:
                self.model.load_state_dict(self._state["model"])
            for name in self._stages:
                yield from self._run(make_stage(name, self.config, self.model, self.fabric))
        except KeyboardInterrupt:
            self._write(figures={"interrupted": True})
            raise
        finally:
            self.diary.close()
        final = self._score() if self.pairs.held_out else None
        figures = {"photos": len(self.pairs.held_out), **asdict(final)} if final else {}
        self._write(figures)
        if self.fabric.is_global_zero:
            checkpoint_path(self.config).unlink(missing_ok=True)

    def _take_pretrained(self) -> None:
        if self.model.cenet is None:
            raise UsageError(f"--pretrained: {self.config.model.variant} has no ResNet50")
        try:
            self.model.cenet.load_pretrained()
        except OSError as problem:
            raise TrainingError(
                f"--pretrained: torchvision's weights cannot be had ({problem}); download them "
                "elsewhere into ~/.cache/torch/hub/checkpoints, or leave --pretrained out"
            ) from problem

    def _start_from(self, path: Path) -> tuple[str, ...]:
        """Take over the networks that a weights file holds; return what they were trained on."""
        weights = load_weights(path)
        source, target = weights.model.config, self.config.model
        if (source.canvas, source.fit) != (target.canvas, target.fit):
            raise UsageError(
                f"--init {path}: its networks see photos as --canvas {source.canvas} "
                f"--fit {source.fit}; give the same"
            )
        try:
            for mine, theirs in (
                (self.model.cenet, weights.model.cenet),
                (self.model.prnet, weights.model.prnet),
            ):
                if mine is not None and theirs is not None:
                    mine.load_state_dict(theirs.state_dict())
        except RuntimeError as problem:
            raise UsageError(
                f"--init {path}: its {source.variant} does not fit into {target.variant}"
            ) from problem
        return weights.provenance.trained_on

    def _run(self, stage: Stage) -> Iterator[EpochReport]:
        done, state = self._progress(stage)
        if done >= stage.config.epochs:
            return
        learner = Learner(stage.net, stage.config, self.config.average, self.fabric)
        if state:
            learner.load_state_dict(state)
        batches = Batches(self.pairs.weights, stage, self.config.seed, self.fabric)
        loader = make_loader(self.pairs, stage, batches, self.config)
        loader = self.fabric.setup_dataloaders(loader, use_distributed_sampler=False)
        for batches.epoch in range(done, stage.config.epochs):
            try:
                report = self._epoch(stage, batches, loader, learner)
            except KeyboardInterrupt:
                learner.settle()
                raise
            yield self._close_epoch(report, learner)

    def _epoch(self, stage: Stage, batches: Batches, loader: Any, learner: Learner) -> EpochReport:
        learner.module.train()
        epoch, epochs, steps = batches.epoch, stage.config.epochs, len(batches)
        variant = self.config.model.variant
        losses: list[float] = []
        rate, photos, started = 0.0, 0, time.perf_counter()
        for number, batch in enumerate(loader, start=1):
            step = epoch * steps + number - 1
            rate = learner.set_rate(step, steps * epochs)
            each = stage.losses(learner.module, batch)
            losses.append(self._finite_mean(each, step, batch))
            self.fabric.backward(each.mean())
            learner.advance()
            photos += len(batch.original) * self.fabric.world_size
            self.watch(
                StepReport(stage.name, epoch + 1, epochs, number, steps, losses[-1], variant)
            )
        seconds = time.perf_counter() - started
        mean_loss = sum(losses) / len(losses)
        speed = photos / seconds
        return EpochReport(stage.name, epoch + 1, epochs, mean_loss, rate, speed, variant=variant)

    def _close_epoch(self, report: EpochReport, learner: Learner) -> EpochReport:
        """Score the averaged weights where it is time to, and leave a checkpoint."""
        last = report.epoch == report.epochs
        if last or report.epoch % self.config.validate_every == 0:
            with learner.averaged():
                if self.pairs.held_out:
                    result = self._score()
                    best = self.config.keep == "best" and learner.remember(result.psnr)
                    report = replace(report, score=result, best=best)
                self._show(report)
        self._log(report)
        if last:
            learner.settle()
        if self.fabric.is_global_zero:
            state = {
                "stage": report.stage,
                "epoch": report.epoch,
                "model": self.model.state_dict(),
                **learner.state_dict(),
            }
            write_checkpoint(self.config, state)
        return report

    def _score(self) -> Score:
        """Score on the held-out pairs, in the first process for all."""
        result = None
        if self.fabric.is_global_zero:
            result = score_pairs(self.model, self.pairs.held_out, self.pairs.store, self.device)
        return self.fabric.broadcast(result)  # type: ignore[return-value]

    def _finite_mean(self, losses: Tensor, step: int, batch: Sample) -> float:
        """Mean of the whole batch, that of the other processes included."""
        mean: Tensor = self.fabric.all_reduce(losses.detach().mean(), reduce_op="mean")  # type: ignore[assignment]
        if not mean.isfinite():
            self._stop_at(losses.detach(), step, batch)
        return mean.item()

    def _stop_at(self, losses: Tensor, step: int, batch: Sample) -> NoReturn:
        everywhere, numbers = (
            self.fabric.all_gather(values).flatten()  # type: ignore[union-attr]
            for values in (losses, batch.number)
        )
        keys = [self.pairs.learnt[number].key for number in numbers[~everywhere.isfinite()]]
        raise TrainingError(
            f"the loss is not finite at step {step} on {', '.join(keys)}; the last good state is "
            f"in {checkpoint_path(self.config)} if an epoch was done; try a lower --learning-rate"
        )

    def _log(self, report: EpochReport) -> None:
        figures = asdict(report.score) if report.score else {}
        values = {
            "loss": report.loss,
            "learning_rate": report.learning_rate,
            "photos_per_second": report.photos_per_second,
            **figures,
        }
        named = {f"{report.stage}/{name}": value for name, value in values.items()}
        self.diary.scalars(named, self._epochs_before(report.stage) + report.epoch)

    def _show(self, report: EpochReport) -> None:
        if self.config.log_dir is None or not self.fabric.is_global_zero:
            return
        pairs = [pair for pair in (self.pairs.held_out or self.pairs.learnt) if pair.original]
        for pair in pairs[:SHOWN]:
            picture = comparison(pair, self.pairs.store, {"enhanced": self.model}, self.device)
            epoch = self._epochs_before(report.stage) + report.epoch
            self.diary.picture(f"{report.stage}/{pair.key}", picture, epoch)

    def _epochs_before(self, stage: StageName) -> int:
        earlier = itertools.takewhile(lambda name: name != stage, self._stages)
        return sum(self._stages[name].epochs for name in earlier)

    def _epochs_behind(self) -> int:
        if not self._state:
            return 0
        return self._epochs_before(self._state["stage"]) + self._state["epoch"]

    def _progress(self, stage: Stage) -> tuple[int, dict[str, Any]]:
        """Epochs of this stage that the checkpoint holds, and its state where it goes on here."""
        if not self._state:
            return 0, {}
        if self._state["stage"] == stage.name:
            state, self._state = self._state, {}
            return state["epoch"], {} if state["epoch"] >= stage.config.epochs else state
        return stage.config.epochs, {}  # the checkpoint is of a later stage

    def _check_stages(self) -> None:
        if self._stages:
            return
        variant, learn = self.config.model.variant, self.config.learn
        if learn == "finish" and self.config.model.has_prnet:
            raise UsageError("--learn finish: is by colour; give --by-colour 128, say, too")
        raise UsageError(f"--learn {learn}: {variant} has one network only")

    def _check_output(self) -> None:
        if self.config.out.suffix != ".safetensors":
            raise UsageError(f"--out {self.config.out}: weights files end in .safetensors")
        try:
            self.config.out.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise UsageError(f"--out {self.config.out}: {problem}") from problem

    def _write(self, figures: dict[str, Any]) -> None:
        if not self.fabric.is_global_zero:
            return
        keys = tuple(sorted({*self._ancestors, *(pair.key for pair in self.pairs.learnt)}))
        recipe = json.loads(fingerprint(self.config))
        save_weights(self.config.out, self.model, Provenance(keys, recipe, figures))


def collect(config: TrainConfig) -> Collection:
    """Find the pairs of a run.

    Raises:
        EnhanceError: Sources or split cannot be had.
    """
    readers = max(1, config.workers) * processes_here()
    return Collection(config.data, config.model.long_edge, readers=readers)

"""Runs the stages of a recipe: CENet first, then PRNet on its output (section 3.2)."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from enhance_cli.atomic_write import FileSignature, KeepOthers
from enhance_cli.config.training import StageConfig, TrainConfig
from enhance_cli.data.dataset import PairDataset, Sample
from enhance_cli.data.pair_cache import RenderProgress
from enhance_cli.data.pair_collection import PairCollection
from enhance_cli.data.sampler import BatchSampler, make_loader
from enhance_cli.errors import PlaceTakenError, TrainingError, UsageError
from enhance_cli.evaluation.scoring import comparison, score_pairs
from enhance_cli.imaging.metrics import Score
from enhance_cli.inference.enhancer import Enhancer
from enhance_cli.inference.networks.torch_networks import TorchNetworks
from enhance_cli.inference.weights import load_weights, save_weights
from enhance_cli.inference.weights_file import Provenance
from enhance_cli.models.cascade import Cascade
from enhance_cli.training.checkpoint import (
    checkpoint_path,
    fingerprint,
    read_checkpoint,
    write_checkpoint,
)
from enhance_cli.training.distributed import (
    make_fabric,
    with_global_batch_norm,
)
from enhance_cli.training.optimizer import StageState
from enhance_cli.training.plan import StagePlan, plan_stages
from enhance_cli.training.preparation import (
    check_options,
    collect,
    create_output_folder,
    stages_to_run,
    workers_share_memory,
)
from enhance_cli.training.stages import Stage, make_stage
from enhance_cli.training.tensorboard_log import TensorBoardLog

LOGGED_PHOTOS = 4
"""Number of photos whose results are logged as images."""


@dataclass(frozen=True)
class EpochReport:
    """The result of one epoch.

    Attributes:
        stage: Name of the stage.
        epoch: The epoch, from 1.
        epochs: Number of epochs of the stage.
        loss: Mean loss over the steps.
        learning_rate: Learning rate of the last step.
        photos_per_second: Samples per second, over all processes.
        score: Scores on the held-out pairs; None if this epoch was not validated.
        best: Whether the epoch's PSNR is the best of the stage so far, if best weights are kept.
        variant: Variant that is being trained.
        loss_name: Name of the loss.
    """

    stage: str
    epoch: int
    epochs: int
    loss: float
    learning_rate: float
    photos_per_second: float
    score: Score | None = None
    best: bool = False
    variant: str = ""
    loss_name: str = ""


@dataclass(frozen=True)
class StepReport:
    """Progress within an epoch.

    Attributes:
        stage: Name of the stage.
        epoch: The epoch, from 1.
        epochs: Number of epochs of the stage.
        step: The step within the epoch, from 1.
        steps: Number of steps in an epoch.
        loss: Mean loss of the batch.
        variant: Variant that is being trained.
        loss_name: Name of the loss.
    """

    stage: str
    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    variant: str = ""
    loss_name: str = ""


class Trainer:
    """One training run. Iterating over it yields an :class:`EpochReport` for each epoch.

    After every epoch, a checkpoint is written beside the weights file. If the run is interrupted,
    the best weights so far, or the averaged ones, are written, and ``resume`` continues from the
    checkpoint, which is kept.
    Under torchrun, every process iterates and the first one writes.

    Args:
        config: Settings of the run.
        pairs: Pairs of the run; None collects those of ``config``.
        on_step: Called after every step.

    Attributes:
        config: Settings of the run.
        stages: The stages to run, in order.
        pairs: Pairs of the run.
        fabric: Fabric that runs the model.
        device: Device of the model.
        model: The model that is trained.
        log: Log of curves and images.

    Raises:
        UsageError: Options contradict each other or have no effect, or there is nothing to resume.
        EnhanceError: Pairs, split, weights or device are not available.
    """

    def __init__(
        self,
        config: TrainConfig,
        pairs: PairCollection | None = None,
        on_step: Callable[[StepReport], None] = lambda _: None,
    ) -> None:
        self.config = config
        self.stages = stages_to_run(config)
        self._on_step = on_step
        check_options(config, self.stages)
        self.pairs = pairs or collect(config)
        create_output_folder(config.out)
        self._state = read_checkpoint(config) if config.resume else {}
        self.fabric = make_fabric(config.device, config.recipe.precision)
        self.device = self.fabric.device
        torch.manual_seed(config.recipe.seed)
        self.model = Cascade(config.model)
        self._inherited_training_ids = self._initialise_from(config.init) if config.init else ()
        if config.pretrained:
            self._load_pretrained()
        if self.fabric.world_size > 1:
            with_global_batch_norm(self.model)
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        main = self.fabric.is_global_zero
        self._weights_there = FileSignature.of(config.out)
        self._checkpoint_there = FileSignature.of(checkpoint_path(config))
        self._checkpoint_is_ours = config.resume
        self.log = TensorBoardLog(config.log_dir if main else None, self._epochs_done())

    def render_missing(self) -> Iterator[RenderProgress]:
        """Render the pairs that have not been rendered yet; iterating does so first.

        Raises:
            EnhanceError: Pairs do not match, or the disk is full.
        """
        return self.pairs.render_missing()

    def plan(self) -> list[StagePlan]:
        """List the stages of the run, and what a resumed run has finished of them."""
        done = (self._state["stage"], self._state["epoch"]) if self._state else ("", 0)
        return plan_stages(self.config, self.pairs.repeats, *done)

    def __iter__(self) -> Iterator[EpochReport]:
        """Run all stages, and write the weights.

        Raises:
            EnhanceError: Pairs cannot be rendered.
            TrainingError: A loss is not finite, or a file cannot be written.
            KeyboardInterrupt: The run was interrupted; the current weights have been written.
        """
        for _ in self.render_missing():
            pass
        if workers_share_memory(self.config):
            self.pairs.cache.share(self.pairs.train, self.config.workers)
        try:
            if "model" in self._state:
                self.model.load_state_dict(self._state["model"])
            for stage in self.stages:
                recipe = self.config.recipe
                yield from self._run(make_stage(stage, recipe, self.model, self.fabric))
        except KeyboardInterrupt:
            self._write(figures={"interrupted": True})
            if not self._checkpoint_is_ours:  # the first epoch begins again
                self._save_checkpoint({"stage": self.stages[0].name, "epoch": 0})
            raise
        finally:
            self.log.close()
        final = self._score() if self.pairs.held_out else None
        figures = {"photos": len(self.pairs.held_out), **asdict(final)} if final else {}
        self._write(figures)
        self._remove_checkpoint()

    def _save_checkpoint(self, state: dict[str, Any]) -> None:
        if self.fabric.is_global_zero:
            self._checkpoint_there = write_checkpoint(self.config, state, self._checkpoint_there)
            self._checkpoint_is_ours = True

    def _remove_checkpoint(self) -> None:
        """Remove the run's own checkpoint at its end."""
        path = checkpoint_path(self.config)
        unchanged = FileSignature.of(path) == self._checkpoint_there
        if self.fabric.is_global_zero and self._checkpoint_is_ours and unchanged:
            path.unlink(missing_ok=True)

    def _load_pretrained(self) -> None:
        assert self.model.cenet is not None
        try:
            self.model.cenet.load_pretrained()
        except OSError as problem:
            raise TrainingError(
                f"--pretrained: torchvision's weights cannot be downloaded ({problem}); put them "
                "into ~/.cache/torch/hub/checkpoints, or leave out --pretrained"
            ) from problem

    def _initialise_from(self, path: Path) -> tuple[str, ...]:
        """Load the networks of a weights file; return the keys of their training pairs."""
        weights = load_weights(path)
        source, target = weights.model.config, self.config.model
        if (source.input_side, source.fit) != (target.input_side, target.fit):
            raise UsageError(
                f"--init {path}: its networks were trained with model.input_side="
                f"{source.input_side} and model.fit={source.fit}; set the same, or take the "
                "--recipe with which they were trained"
            )
        if source.style:
            raise UsageError(
                f"--init {path}: its networks have a style on top, which training would lose; give "
                "weights without one"
            )
        if self.config.pretrained and weights.model.cenet is not None:
            raise UsageError(
                f"--pretrained has no effect: --init {path} has a CENet; leave out one of them"
            )
        networks = [
            (own, loaded)
            for own, loaded in (
                (self.model.cenet, weights.model.cenet),
                (self.model.prnet, weights.model.prnet),
            )
            if own is not None and loaded is not None
        ]
        if not networks:
            raise UsageError(
                f"--init {path} has no effect: its {source.variant} has no network of "
                f"{target.variant}; leave it out"
            )
        try:
            for own, loaded in networks:
                own.load_state_dict(loaded.state_dict())
        except RuntimeError as problem:
            raise UsageError(
                f"--init {path}: its {source.variant} does not fit into {target.variant}, or its "
                f"model.photo_statistics is {str(source.photo_statistics).lower()}; set the same"
            ) from problem
        return weights.provenance.trained_on

    def _run(self, stage: Stage) -> Iterator[EpochReport]:
        done, saved = self._progress(stage.config)
        if done >= stage.config.epochs:
            return
        recipe, fabric = self.config.recipe, self.fabric
        state = StageState(stage.net, stage.config, recipe.ema_decay, fabric)
        if saved:
            state.load_state_dict(saved)
        batches = BatchSampler(
            self.pairs.repeats,
            stage.config.batch_size,
            f"{recipe.seed}/{stage.config.name}",
            fabric.global_rank,
            fabric.world_size,
        )
        samples = PairDataset(
            self.pairs.train, self.pairs.cache, stage.crop, stage.config, recipe.seed
        )
        on_gpu = self.device.type == "cuda"
        loader = make_loader(samples, batches, self.config.workers, pin_memory=on_gpu)
        loader = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
        for batches.epoch in range(done, stage.config.epochs):
            try:
                report = self._epoch(stage, batches, loader, state)
            except KeyboardInterrupt:
                state.load_best_or_ema()
                raise
            yield self._close_epoch(report, state)

    def _epoch(
        self, stage: Stage, batches: BatchSampler, loader: Any, state: StageState
    ) -> EpochReport:
        state.module.train()
        name, labels = stage.config.name, (self.config.model.variant, stage.config.loss)
        epoch, epochs, steps = batches.epoch, stage.config.epochs, len(batches)
        losses: list[float] = []
        rate, photos, started = 0.0, 0, time.perf_counter()
        for number, batch in enumerate(loader, start=1):
            step = epoch * steps + number - 1
            rate = state.set_learning_rate(step, steps * epochs)
            each = stage.losses(state.module, batch)
            losses.append(self._finite_mean(each, step, batch))
            self.fabric.backward(each.mean())
            state.step()
            photos += len(batch.original) * self.fabric.world_size
            self._on_step(StepReport(name, epoch + 1, epochs, number, steps, losses[-1], *labels))
        mean_loss = sum(losses) / len(losses)
        speed = photos / (time.perf_counter() - started)
        report = EpochReport(name, epoch + 1, epochs, mean_loss, rate, speed)
        return replace(report, variant=labels[0], loss_name=labels[1])

    def _close_epoch(self, report: EpochReport, state: StageState) -> EpochReport:
        """Score the averaged weights if the epoch is due, log, and write a checkpoint."""
        recipe = self.config.recipe
        last = report.epoch == report.epochs
        if last or report.epoch % recipe.validate_every == 0:
            with state.with_ema():
                if self.pairs.held_out:
                    result = self._score()
                    best = recipe.checkpoint == "best" and state.track_best(result.psnr)
                    report = replace(report, score=result, best=best)
                self._log_images(report)
        self._log_scalars(report)
        if last:
            state.load_best_or_ema()
        if self.fabric.is_global_zero:
            saved = {
                "stage": report.stage,
                "epoch": report.epoch,
                "model": self.model.state_dict(),
                **state.state_dict(),
            }
            self._save_checkpoint(saved)
        return report

    def _score(self) -> Score:
        """Score on the held-out pairs. The first process does so for all."""
        result = None
        if self.fabric.is_global_zero:
            result = score_pairs(self._enhancer(), self.pairs.held_out, self.pairs.cache)
        return self.fabric.broadcast(result)  # type: ignore[return-value]

    def _enhancer(self) -> Enhancer:
        return Enhancer(TorchNetworks(self.model.eval(), self.device))

    def _finite_mean(self, losses: Tensor, step: int, batch: Sample) -> float:
        """Average the losses over the batch, all processes included, and stop unless finite."""
        mean: Tensor = self.fabric.all_reduce(losses.detach().mean(), reduce_op="mean")  # type: ignore[assignment]
        if not mean.isfinite():
            self._stop_at(losses.detach(), step, batch)
        return mean.item()

    def _stop_at(self, losses: Tensor, step: int, batch: Sample) -> NoReturn:
        everywhere, indices = (
            self.fabric.all_gather(values).flatten()  # type: ignore[union-attr]
            for values in (losses, batch.pair_index)
        )
        keys = [self.pairs.train[index].key for index in indices[~everywhere.isfinite()]]
        raise TrainingError(
            f"the loss is not finite at step {step} on {', '.join(keys)}; the last good state is "
            f"in {checkpoint_path(self.config)} if an epoch was finished; try a lower "
            "--learning-rate"
        )

    def _log_scalars(self, report: EpochReport) -> None:
        scores = asdict(report.score) if report.score else {}
        values = {
            "loss": report.loss,
            "learning_rate": report.learning_rate,
            "photos_per_second": report.photos_per_second,
            **scores,
        }
        named = {f"{report.stage}/{name}": value for name, value in values.items()}
        self.log.scalars(named, self._epochs_before(report.stage) + report.epoch)

    def _log_images(self, report: EpochReport) -> None:
        if self.config.log_dir is None or not self.fabric.is_global_zero:
            return
        enhancers = {"enhanced": self._enhancer()}
        pairs = [pair for pair in (self.pairs.held_out or self.pairs.train) if pair.original]
        for pair in pairs[:LOGGED_PHOTOS]:
            image = comparison(pair, self.pairs.cache, enhancers)
            epoch = self._epochs_before(report.stage) + report.epoch
            self.log.image(f"{report.stage}/{pair.key}", image, epoch)

    def _epochs_before(self, name: str) -> int:
        earlier = itertools.takewhile(lambda stage: stage.name != name, self.stages)
        return sum(stage.epochs for stage in earlier)

    def _epochs_done(self) -> int:
        if not self._state:
            return 0
        return self._epochs_before(self._state["stage"]) + self._state["epoch"]

    def _progress(self, stage: StageConfig) -> tuple[int, dict[str, Any]]:
        """Return a stage's finished epochs, and its state if the checkpoint is from within it."""
        if not self._state:
            return 0, {}
        if self._state["stage"] == stage.name:
            state, self._state = self._state, {}
            within = 0 < state["epoch"] < stage.epochs
            return state["epoch"], state if within else {}
        return stage.epochs, {}  # the checkpoint belongs to a later stage

    def _write(self, figures: dict[str, Any]) -> None:
        if not self.fabric.is_global_zero:
            return
        own = (pair.key for pair in self.pairs.train)
        keys = tuple(sorted({*self._inherited_training_ids, *own}))
        recipe = json.loads(fingerprint(self.config))
        provenance = Provenance(keys, recipe, figures)
        path, publisher = self.config.out, KeepOthers(self._weights_there)
        try:
            save_weights(path, self.model, provenance, publisher)
        except PlaceTakenError as problem:
            path = path.with_stem(f"{path.stem}-{uuid.uuid4().hex[:6]}")  # not in vain
            save_weights(path, self.model, provenance, KeepOthers(None))
            raise TrainingError(f"{problem}; the weights are in {path}") from problem
        self._weights_there = FileSignature.of(path)

"""Learn CENet on eq. 4, then PRNet on what CENet leaves (section 3.2)."""

from __future__ import annotations

import copy
import json
import logging
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, default_collate

from enhance_cli.config import StageConfig, TrainConfig
from enhance_cli.data.dataset import Framing, PairCache, PairDataset, Sample
from enhance_cli.data.pairs import Pair, find_pairs
from enhance_cli.data.splits import divide, held_out_keys
from enhance_cli.engine.device import pick_device
from enhance_cli.engine.evaluation import score_pairs
from enhance_cli.engine.losses import masked_loss
from enhance_cli.engine.weights import Provenance, load_weights, save_weights
from enhance_cli.errors import PairsError, TrainingError, UsageError
from enhance_cli.files import written_whole
from enhance_cli.imaging.metrics import Score
from enhance_cli.models.cascade import Cascade
from enhance_cli.models.cenet import ColorMapping

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces its precision

WARM_UP = 0.05
"""Share of a cosine schedule in which the rate rises from zero."""


@dataclass(frozen=True)
class EpochReport:
    """What one epoch came to.

    Attributes:
        stage: ``"coarse"`` (CENet) or ``"refine"`` (PRNet).
        epoch: From 1.
        epochs: Of this stage.
        loss: Mean over the steps.
        learning_rate: At the last step.
        photos_per_second: Samples learned from, a second.
        score: On the held-out pairs, where this epoch was validated.
    """

    stage: str
    epoch: int
    epochs: int
    loss: float
    learning_rate: float
    photos_per_second: float
    score: Score | None = None


@dataclass
class _Stage:
    """One network, and how it turns a batch into a prediction."""

    name: str
    config: StageConfig
    net: nn.Module
    framing: Framing
    predict: Callable[[nn.Module, Sample], Tensor]


@dataclass
class _Learner:
    """A network at its task.

    Attributes:
        net: The network itself.
        module: The same as Fabric runs it.
        optimizer: What moves it.
        average: What is kept of it: the moving average of its weights, or with decay 0 the last.
    """

    net: nn.Module
    module: nn.Module
    optimizer: torch.optim.Optimizer
    average: AveragedModel

    def keep_average(self) -> None:
        self.net.load_state_dict(self.average.module.state_dict())

    def state_dict(self) -> dict[str, Any]:
        parts = {"net": self.net, "average": self.average, "optimizer": self.optimizer}
        return {name: part.state_dict() for name, part in parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, part in (("net", self.net), ("average", self.average)):
            part.load_state_dict(state[name])
        self.optimizer.load_state_dict(state["optimizer"])


class Training:
    """One training run; iterate over it, an :class:`EpochReport` an epoch.

    After every epoch a checkpoint stands beside the weights file. Ctrl-C writes the weights as
    they are and leaves the checkpoint, from which ``resume`` goes on.

    Args:
        config: The run.

    Raises:
        EnhanceError: Pairs, split or device cannot be had, or there is nothing to resume.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.device = pick_device(config.device)
        self.learnt, self.held_out = _divided_pairs(config)
        self.cache = PairCache(config.model.long_edge)
        self.checkpoint_path = config.out.with_suffix(".ckpt")
        self._check_output()
        self._state = self._read_checkpoint() if config.resume else {}
        self.fabric = Fabric(
            accelerator=self.device.type,
            devices=[self.device.index or 0] if self.device.type == "cuda" else 1,
            precision="bf16-mixed" if config.precision == "bf16" else "32-true",
        )
        torch.manual_seed(config.seed)
        self.model = Cascade(config.model)
        self._ancestors = self._start_from(config.init) if config.init else ()
        self.model.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __iter__(self) -> Iterator[EpochReport]:
        """Train.

        Raises:
            TrainingError: A loss is not finite, or a file cannot be written.
            KeyboardInterrupt: After the weights have been written as they are.
        """
        try:
            if self._state:
                self.model.load_state_dict(self._state["model"])
            for make_stage in self._stages():
                yield from self._run(make_stage())
        except KeyboardInterrupt:
            self._write(figures={"interrupted": True})
            raise
        final = score_pairs(self.model, self.held_out, self.device) if self.held_out else None
        self._write(figures={"photos": len(self.held_out), **asdict(final)} if final else {})
        self.checkpoint_path.unlink(missing_ok=True)

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

    def _stages(self) -> list[Callable[[], _Stage]]:
        # Made when their turn comes: PRNet's needs the CENet that has learned by then.
        found: list[Callable[[], _Stage]] = []
        if self.model.cenet is not None and self.config.learn != "refine":
            found.append(self._coarse_stage)
        if self.model.prnet is not None and self.config.learn != "coarse":
            found.append(self._refine_stage)
        return found

    def _coarse_stage(self) -> _Stage:
        config, model = self.config.coarse, self.config.model
        framing = Framing(model.canvas, flip=self.config.flip, jitter=config.jitter)
        if model.fit == "squash":
            framing = framing._replace(crop=True, zoom=config.zoom, keep_aspect=False)

        def predict(net: nn.Module, batch: Sample) -> Tensor:
            return batch.original + net(batch.original).residual(batch.original)

        assert self.model.cenet is not None
        return _Stage("coarse", config, self.model.cenet, framing, predict)

    def _refine_stage(self) -> _Stage:
        config, model = self.config.refine, self.config.model
        side = model.canvas if model.fit == "pad" else model.long_edge
        framing = Framing(side, flip=self.config.flip, jitter=config.jitter)
        if config.crop:
            framing = framing._replace(side=config.crop, crop=True, zoom=config.zoom)
        coarse_of = self._frozen_coarse()

        def predict(net: nn.Module, batch: Sample) -> Tensor:
            coarse = coarse_of(batch)
            return coarse + net(coarse)

        assert self.model.prnet is not None
        return _Stage("refine", config, self.model.prnet, framing, predict)

    @torch.no_grad()
    def _frozen_coarse(self) -> Callable[[Sample], Tensor]:
        """CENet is frozen now, so its map of each whole photo is computed once, not every step."""
        if self.model.cenet is None:
            return lambda batch: batch.original
        self.model.eval()
        finished_too = self.config.refine.finished_share > 0
        mappings: list[Tensor] = []
        for pair in self.learnt:
            photos = torch.stack(self.cache.load(pair)).to(self.device).float() / 255
            mapping = self.model(photos if finished_too else photos[:1], coarse_only=True).mapping
            matrix, offset = mapping.matrix, mapping.offset
            mappings.append(torch.cat([matrix, offset[..., None]], -1).expand(2, 3, 4))
        table = torch.stack(mappings)

        def coarse(batch: Sample) -> Tensor:
            chosen = table[batch.number, batch.finished.long()]
            mapping = ColorMapping(chosen[..., :3], chosen[..., 3])
            return batch.original + mapping.residual(batch.original)

        return coarse

    def _run(self, stage: _Stage) -> Iterator[EpochReport]:
        done, state = self._progress(stage)
        if done >= stage.config.epochs:
            return
        learner = self._learner(stage)
        if state:
            learner.load_state_dict(state)
        dataset = PairDataset(
            self.learnt,
            stage.framing,
            self.cache,
            stage.config.finished_share,
            self.config.seed,
        )
        for epoch in range(done, stage.config.epochs):
            try:
                report = self._epoch(stage, epoch, dataset, learner)
            except KeyboardInterrupt:
                learner.keep_average()
                raise
            yield self._close_epoch(report, learner)

    def _epoch(
        self,
        stage: _Stage,
        epoch: int,
        dataset: PairDataset,
        learner: _Learner,
    ) -> EpochReport:
        dataset.epoch = epoch
        loader = self._loader(dataset, stage, epoch)
        learner.module.train()
        steps = len(loader)
        losses: list[float] = []
        rate, photos, started = 0.0, 0, time.perf_counter()
        for step, batch in enumerate(loader, start=epoch * steps):
            rate = learning_rate(stage.config, step, steps * stage.config.epochs)
            for group in learner.optimizer.param_groups:
                group["lr"] = rate
            prediction = stage.predict(learner.module, batch)
            loss = masked_loss(stage.config.loss, prediction, batch.expert, batch.mask)
            losses.append(self._finite(loss, step, batch))
            learner.optimizer.zero_grad(set_to_none=True)
            self.fabric.backward(loss)
            learner.optimizer.step()
            learner.average.update_parameters(learner.net)
            photos += len(batch.original)
        seconds = time.perf_counter() - started
        mean_loss = sum(losses) / len(losses)
        return EpochReport(
            stage.name, epoch + 1, stage.config.epochs, mean_loss, rate, photos / seconds
        )

    def _learner(self, stage: _Stage) -> _Learner:
        average = AveragedModel(
            stage.net, multi_avg_fn=get_ema_multi_avg_fn(self.config.average), use_buffers=True
        )
        module, optimizer = self.fabric.setup(stage.net, _optimizer(stage.net, stage.config))
        return _Learner(stage.net, module, optimizer, average)

    def _close_epoch(self, report: EpochReport, learner: _Learner) -> EpochReport:
        """Checkpoint, and score the averaged weights where it is time to."""
        last = report.epoch == report.epochs
        if last:
            learner.keep_average()
        state = {
            "config": _fingerprint(self.config),
            "stage": report.stage,
            "epoch": report.epoch,
            "model": self.model.state_dict(),
            **learner.state_dict(),
        }
        self._write_checkpoint(state)
        if not self.held_out or not (last or report.epoch % self.config.validate_every == 0):
            return report
        learning = copy.deepcopy(learner.net.state_dict())
        learner.keep_average()
        result = score_pairs(self.model, self.held_out, self.device)
        learner.net.load_state_dict(learning)
        return replace(report, score=result)

    def _loader(self, dataset: PairDataset, stage: _Stage, epoch: int) -> DataLoader[Sample]:
        seed = random.Random(f"{self.config.seed}/{stage.name}/{epoch}").getrandbits(63)
        order = torch.Generator().manual_seed(seed)
        size = stage.config.batch_size
        loader = DataLoader(
            dataset,
            batch_size=size,
            shuffle=True,
            generator=order,
            # Batch norm cannot learn from the odd photo that may be left over.
            drop_last=len(dataset) > size,
            collate_fn=_collate,
        )
        return self.fabric.setup_dataloaders(loader)  # type: ignore[return-value]

    def _finite(self, loss: Tensor, step: int, batch: Sample) -> float:
        value = loss.item()
        if not math.isfinite(value):
            keys = [self.learnt[i].key for i in batch.number.tolist()]
            raise TrainingError(
                f"loss is {value} at step {step} on the pairs {', '.join(keys)}; "
                f"the last good state is {self.checkpoint_path}; try a lower --learning-rate"
            )
        return value

    def _progress(self, stage: _Stage) -> tuple[int, dict[str, Any]]:
        """Epochs of this stage that the checkpoint holds, and its state where it goes on here."""
        if not self._state:
            return 0, {}
        if self._state["stage"] == stage.name:
            state, self._state = self._state, {}
            return state["epoch"], {} if state["epoch"] >= stage.config.epochs else state
        return stage.config.epochs, {}  # the checkpoint is of a later stage

    def _check_output(self) -> None:
        if self.config.out.suffix != ".safetensors":
            raise UsageError(f"--out {self.config.out}: weights files end in .safetensors")
        try:
            self.config.out.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise UsageError(f"--out {self.config.out}: {problem}") from problem

    def _read_checkpoint(self) -> dict[str, Any]:
        path = self.checkpoint_path
        if not path.is_file():
            raise UsageError(f"--resume: there is no checkpoint {path}; train without --resume")
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as problem:
            raise TrainingError(
                f"{path}: not a whole checkpoint; train without --resume"
            ) from problem
        if state["config"] != _fingerprint(self.config):
            raise UsageError(f"--resume: {path} was made with other settings; repeat those")
        return state

    def _write_checkpoint(self, state: dict[str, Any]) -> None:
        try:
            with written_whole(self.checkpoint_path) as unfinished:
                self.fabric.save(unfinished, state)
        except (OSError, RuntimeError) as problem:
            raise TrainingError(
                f"{self.checkpoint_path}: cannot be written ({problem}); make room and --resume"
            ) from problem

    def _write(self, figures: dict[str, Any]) -> None:
        keys = tuple(sorted({*self._ancestors, *(pair.key for pair in self.learnt)}))
        recipe = json.loads(_fingerprint(self.config))
        save_weights(self.config.out, self.model, Provenance(keys, recipe, figures))


def learning_rate(config: StageConfig, step: int, total: int) -> float:
    """The rate at a step, from 0 to ``total`` - 1."""
    if config.schedule == "step":
        return config.learning_rate * config.decay ** (step // config.decay_steps)
    warm_up = max(1, round(WARM_UP * total))
    if step < warm_up:
        return config.learning_rate * (step + 1) / warm_up
    return (
        config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (total - warm_up)))
    )


def _divided_pairs(config: TrainConfig) -> tuple[list[Pair], list[Pair]]:
    roots = [config.fivek_root] if config.fivek_root else []
    pairs = [pair for root in (*roots, *config.pairs) for pair in find_pairs(Path(root))]
    if not pairs:
        raise UsageError("nothing to learn from: give --fivek-root DIR or --pairs DIR")
    learnt, held_out = divide(pairs, held_out_keys(config.split) if config.split else frozenset())
    if not learnt:
        raise PairsError(
            f"the split {config.split} holds out all of the {len(pairs)} pairs; "
            "choose another --split, or --split none"
        )
    return learnt, list(dict.fromkeys(held_out))  # a folder given twice weighs twice, once scored


def _optimizer(net: nn.Module, config: StageConfig) -> torch.optim.Optimizer:
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            net.parameters(),
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        )
    return torch.optim.AdamW(
        net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )


def _collate(samples: list[Sample]) -> Sample:
    batch = default_collate(samples)
    # Convolutions on the CPU are fastest with channels last; on CUDA in half precision too.
    return batch._replace(original=batch.original.contiguous(memory_format=torch.channels_last))


def _fingerprint(config: TrainConfig) -> str:
    """What decides the outcome of a run, as JSON; files by name, since it goes into weights."""
    plain = asdict(replace(config, resume=False))
    for name in ("resume", "device", "out"):
        del plain[name]
    plain["fivek_root"] = config.fivek_root and Path(config.fivek_root).resolve().name
    plain["split"] = config.split and Path(config.split).name
    plain["init"] = config.init and Path(config.init).name
    plain["pairs"] = [Path(root).resolve().name for root in config.pairs]
    return json.dumps(plain, default=str)

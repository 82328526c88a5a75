"""A training run: its recipe, its photos, and where its weights go."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from enhance_cli.config.data import DataConfig, NewOrOverwrite
from enhance_cli.config.model import ModelConfig
from enhance_cli.config.settings import setting

Trains = Literal["cenet", "prnet"]
Loss = Literal["mse", "l1", "lab"]
Precision = Literal["32", "bf16"]
OptimizerName = Literal["sgd", "adamw", "muon"]
Schedule = Literal["step", "cosine"]
Checkpoint = Literal["best", "last"]


@dataclass(frozen=True)
class StageConfig:
    """How one network is trained; the defaults are those of section 3.2.

    Attributes:
        name: Name of the stage, for ``--stages``, ``--set`` and the log.
        trains: The network that learns. PRNet learns on the output of the CENet of earlier stages,
            which is frozen.
        projected: Compute PRNet's loss after its residual has been projected onto polynomials of
            color, as a model with ``prnet = "global"`` does when it is used.
        epochs: Number of passes over the training pairs.
        batch_size: Number of samples in a step, over all processes.
        optimizer: ``"sgd"``, ``"adamw"`` or ``"muon"`` (Jordan et al. 2024), which makes the
            updates of kernels and matrices orthogonal and uses AdamW for the rest. PRNet learns
            several times faster with Muon; ResNet50's large matrices make it slow without a GPU.
        learning_rate: Learning rate at the start, or at the peak of a cosine schedule.
        momentum: Momentum of SGD.
        weight_decay: Weight decay of the optimizer.
        schedule: ``"step"`` multiplies the rate by ``decay`` every ``decay_steps`` steps.
            ``"cosine"`` warms up over the first twentieth of the stage and falls to zero.
        decay: Factor of the step schedule.
        decay_steps: Interval of the step schedule, in steps.
        loss: ``"mse"`` is eq. 4, ``"l1"`` the mean absolute difference, ``"lab"`` the mean CIELab
            distance divided by 100, plus ``"l1"``. ``"l1"`` and ``"lab"`` ignore values beyond
            white or black where the expert's version is clipped.
        crop: Side, in pixels, of the squares that PRNet is trained on; 0 pads whole photos, as the
            paper does. What CENet sees is set by the model.
        initial_crop: Side, in pixels, of the squares in the first epoch (progressive resizing);
            0 keeps the side constant.
        min_crop_scale: Smallest share of a photo that a crop covers: for CENet, of its width and
            of its height; for PRNet, whose crops are squares, of its shorter side. With 1, CENet
            sees whole photos, and PRNet the largest square that fits into a photo.
        version_mixup: Share of samples that are mixtures of two versions of one photo, as listed
            in a ``list.csv`` beside the pairs.
        identity_share: Share of samples that show the expert's version on both sides, so that the
            network learns to leave finished photos alone.
        synthetic_share: Share of samples that are plain or noisy frames to be left unchanged.
        tile_shuffle: Share of samples that are cut into tiles and reassembled in random order,
            which reduces overfitting to scene layout.
    """

    name: str = "coarse"
    trains: Trains = "cenet"
    projected: bool = False
    epochs: int = setting(200, low=1)
    batch_size: int = setting(16, low=1)
    optimizer: OptimizerName = "sgd"
    learning_rate: float = setting(0.01, low=0, above=True)
    momentum: float = setting(0.9, low=0, high=1)
    weight_decay: float = setting(0.0, low=0)
    schedule: Schedule = "step"
    decay: float = setting(0.1, low=0, high=1)
    decay_steps: int = setting(10_000, low=1)
    loss: Loss = "mse"
    crop: int = setting(0, low=0)
    initial_crop: int = setting(0, low=0)
    min_crop_scale: float = setting(1.0, low=0.1, high=1)
    version_mixup: float = setting(0.0, low=0, high=1)
    identity_share: float = setting(0.0, low=0, high=1)
    synthetic_share: float = setting(0.0, low=0, high=1)
    tile_shuffle: float = setting(0.0, low=0, high=1)


@dataclass(frozen=True)
class Recipe:
    """All settings that decide what a training run learns from given photos.

    Attributes:
        model: The model to train.
        stages: The training stages, in order.
        flip: Mirror samples left to right at random.
        rotate: Rotate samples by quarter turns at random.
        ema_decay: Decay of the moving average of the weights that is kept; 0 keeps the weights
            themselves.
        checkpoint: ``"best"`` keeps each network as it scored best on the held-out pairs,
            ``"last"`` as it was at the end.
        validate_every: Number of epochs between two evaluations on the held-out pairs.
        precision: ``"32"``, or ``"bf16"`` for autocast. On processors where bfloat16 is slower,
            ``"32"`` is used instead.
        seed: Seed of all random choices.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    stages: tuple[StageConfig, ...] = (
        StageConfig(),
        StageConfig(name="refine", trains="prnet"),
    )
    flip: bool = False
    rotate: bool = False
    ema_decay: float = setting(0.0, low=0, high=1)
    checkpoint: Checkpoint = "best"
    validate_every: int = setting(5, low=1)
    precision: Precision = "32"
    seed: int = setting(0)


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        recipe: What is trained, and how.
        data: Photos to train on, and which ones to hold out.
        out: Weights file to write.
        stages: Names of the stages to run; None runs all. Networks of the other stages stay as
            ``init`` gave them.
        init: Weights file to start from; networks that it lacks start untrained.
        pretrained: Initialise CENet's ResNet50 from torchvision's ImageNet weights.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        workers: Number of processes that prepare samples; 0 prepares them in the main process.
        resume: Continue from the checkpoint beside ``out``.
        on_conflict: Whether files in the place of weights or checkpoint are an error or replaced.
        log_dir: Folder for TensorBoard logs; None writes none.
    """

    recipe: Recipe = field(default_factory=Recipe)
    data: DataConfig = field(default_factory=DataConfig)
    out: Path = Path("enhance.safetensors")
    stages: tuple[str, ...] | None = None
    init: Path | None = None
    pretrained: bool = False
    device: str = "auto"
    workers: int = 0
    resume: bool = False
    on_conflict: NewOrOverwrite = "error"
    log_dir: Path | None = None

    @property
    def model(self) -> ModelConfig:
        """The model to train."""
        return self.recipe.model


@dataclass(frozen=True)
class StyleConfig:
    """The fit of a style to a few edited photos.

    Attributes:
        data: Folders of photos before and after editing.
        out: Weights file to write.
        init: Weights file whose networks the style corrects; None is the one that ``enhance apply``
            would use.
        even_without_gain: Write the file even if held-out edits show no gain.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        on_conflict: Whether a file in the place of the weights is an error or replaced.
    """

    data: DataConfig
    out: Path = TrainConfig.out
    init: Path | None = None
    even_without_gain: bool = False
    device: str = TrainConfig.device
    on_conflict: NewOrOverwrite = TrainConfig.on_conflict

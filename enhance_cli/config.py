"""What can be set: the model, a training run, and a batch of photos.

All values here are plain and immutable, so that a config can be written into a weights file
and read back as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

Variant = Literal["ce", "pr", "prnl", "ce+pr", "ce+prnl"]
Fit = Literal["pad", "squash"]
Loss = Literal["mse", "l1", "lab"]
Precision = Literal["32", "bf16"]
Optimizer = Literal["sgd", "adamw", "muon"]
Learn = Literal["both", "coarse", "refine", "finish", "joint"]
Expert = Literal["a", "b", "c", "d", "e"]
Keep = Literal["best", "last"]
KeepMetadata = Literal["all", "no-gps", "none"]
RawPairs = Literal["raw", "jpeg", "both"]
Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]
OnConflict = Literal["skip", "overwrite", "rename", "error"]
Format = Literal["keep", "jpg", "png", "tiff", "webp", "avif"]
SourceKind = Literal["fivek", "pairs", "photos"]

VARIANTS: tuple[Variant, ...] = ("ce", "pr", "prnl", "ce+pr", "ce+prnl")
"""The five methods of section 3.3."""

LONG_EDGE = 500
"""Longer edge, in pixels, at which the paper works (section 3.1)."""

MAX_PIXELS = 500_000_000
"""Photos with more are refused: a few kilobytes can claim to be gigapixels."""


@dataclass(frozen=True)
class ModelConfig:
    """Which of the paper's models, and the geometry in which it sees a photo.

    Attributes:
        variant: One of the five methods of section 3.3.
        canvas: Side of the square, in pixels, in which a photo is shown to the networks.
        fit: How a photo gets into the square. ``"pad"`` is the paper's way (section 3.2): both
            networks see the photo in the corner of a black ``canvas`` x ``canvas`` square.
            ``"squash"`` resizes it to fill the square, for CENet alone; PRNet then sees the
            photo as it is. A global colour map has no use for the aspect ratio, and no pixel
            of the square is wasted.
        sight: Longer edge, in pixels, at which the networks look at a photo at most. A larger one
            is shown to them small, and what they make of it is carried up along its edges. PRNet
            sees well what has the size at which it learned.
        pooling: Side of the squares over which the non-local block averages the positions that
            it attends to; 1 attends to each, as the paper does. 2 takes a quarter of the time.
        by_colour: Where not 0, PRNet's residual becomes the smooth function of the photo's colours
            that comes closest to it; not in the paper. What PRNet gets wrong in one place and not
            in the next averages out, and halos and blotches with it. The number is the longer edge,
            in pixels, at which PRNet looks at a photo that is not padded, since it need not see
            every pixel; it sees well what has the size at which it learned.
        hold_white: PRNet may not darken what is white in the photo, so that it comes out as white
            as CENet leaves it; not in the paper. The losses do not know of it.
    """

    variant: Variant = "ce+prnl"
    canvas: int = LONG_EDGE
    fit: Fit = "pad"
    sight: int = LONG_EDGE
    pooling: int = 1
    by_colour: int = 0
    hold_white: bool = False

    @property
    def long_edge(self) -> int:
        """Longer edge, in pixels, at which photos are learned from and scored."""
        return min(LONG_EDGE, self.canvas) if self.fit == "pad" else LONG_EDGE

    @property
    def seen_edge(self) -> int:
        """Longer edge, in pixels, at which the networks are shown a photo."""
        return min(self.sight, self.long_edge)

    @property
    def has_cenet(self) -> bool:
        """Whether channel-wise enhancement (section 2.1) is part of the model."""
        return self.variant.startswith("ce")

    @property
    def has_prnet(self) -> bool:
        """Whether pixel-wise refinement (section 2.2) is part of the model."""
        return self.variant != "ce"

    @property
    def non_local(self) -> bool:
        """Whether PRNet holds the non-local block."""
        return self.variant.endswith("prnl")

    @property
    def residual_blocks(self) -> int:
        """Residual blocks in PRNet: 18 for the paper's PR, 3 in all others."""
        return 18 if self.variant == "pr" else 3


@dataclass(frozen=True)
class StageConfig:
    """How one of the two networks learns; the defaults are section 3.2's.

    Attributes:
        epochs: Passes over the training pairs.
        batch_size: Pairs a step.
        optimizer: ``"sgd"``, ``"adamw"`` or ``"muon"``, which makes the steps of kernels and
            matrices orthogonal (Jordan et al. 2024) and moves the rest as AdamW does. PRNet learns
            several times faster with it; ResNet50's large matrices make it slow without a GPU.
        learning_rate: At the start.
        momentum: Of SGD.
        weight_decay: Of any optimiser.
        schedule: ``"step"`` multiplies the rate by ``decay`` every ``decay_steps`` steps;
            ``"cosine"`` warms up over the first twentieth and falls to zero over the run.
        decay: Factor of the step schedule.
        decay_steps: Interval of the step schedule, in steps.
        loss: ``"mse"`` is eq. 4; ``"l1"`` the mean absolute difference; ``"lab"`` the mean
            CIELab distance, in units of 100, beside ``"l1"``. The last two let values beyond
            white or black stand where the expert's are clipped.
        crop: Side, in pixels, of the squares that PRNet learns from; 0 pads whole photos, as
            the paper does. What CENet sees is the model's geometry.
        grow_from: Side of the squares in the first epoch, in pixels, where it is smaller than in
            the end: most is learned on small squares, many times faster. 0 keeps the side.
        zoom: Smallest share of a photo's width and height that a square may cover; 1 shows
            whole photos.
        jitter: Largest random change of the original's exposure, in powers of two of the exponent,
            with a third of it for each channel on its own; the expert's version follows.
        blend: Share of the samples that lie between two versions of their photo, of which a
            ``list.csv`` beside the pairs tells.
        finished_share: Share of the samples in which the expert's version stands on both sides,
            so that a finished photo is left alone; some lie on plain ground, which stays plain.
        plain_share: Share of the samples that show no photo, but a frame of one colour or of grain,
            which is to stay as it is.
        shuffle: Share of the samples that are cut into tiles and put together in another order,
            so that fewer photos are known by heart.
    """

    epochs: int = 200
    batch_size: int = 16
    optimizer: Optimizer = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Literal["step", "cosine"] = "step"
    decay: float = 0.1
    decay_steps: int = 10_000
    loss: Loss = "mse"
    crop: int = 0
    grow_from: int = 0
    zoom: float = 1.0
    jitter: float = 0.0
    blend: float = 0.0
    finished_share: float = 0.0
    plain_share: float = 0.0
    shuffle: float = 0.0


@dataclass(frozen=True)
class Source:
    """A folder to learn from.

    Attributes:
        kind: ``"fivek"``, a copy of MIT-Adobe FiveK; ``"pairs"``, photos before and after
            retouching; ``"photos"``, finished photos, to be distorted and recovered.
        path: The folder.
        weight: How often each of its photos comes up in an epoch, on average.
    """

    kind: SourceKind
    path: Path
    weight: float = 1.0


@dataclass(frozen=True)
class DataConfig:
    """Which pairs a run learns from or scores on.

    Attributes:
        sources: Where they are.
        split: Named split or file of ids to hold out; None holds out nothing.
        expert: Whose versions of MIT-Adobe FiveK are learned or scored on; the paper's is C.
        cache_dir: Where prepared pairs are kept; None is the user's cache folder.
        skip_bad_pairs: Go on without pairs that are incomplete or do not belong together.
    """

    sources: tuple[Source, ...] = ()
    split: str | None = None
    expert: Expert = "c"
    cache_dir: Path | None = None
    skip_bad_pairs: bool = False


@dataclass(frozen=True)
class TrainConfig:
    """A whole training run: CENet, then PRNet on what CENet leaves.

    Where the model makes PRNet's residual go by colour, PRNet learns pixel by pixel first, and
    then through that.

    Attributes:
        data: What is learned from, and what is held out.
        init: Weights to start from; a network that they do not hold starts fresh.
        pretrained: Let CENet's ResNet50 start from torchvision's ImageNet weights.
        learn: ``"both"``: CENet, then PRNet; ``"coarse"`` or ``"refine"``: that network, and the
            other stays as ``init`` gave it; ``"finish"``: PRNet, by colour at once; ``"joint"``:
            the two networks at once.
        out: Weights file to write.
        model: What is trained.
        coarse: How CENet learns.
        refine: How PRNet learns.
        finish: How it learns in the end where its residual goes by colour.
        joint: How the two learn at once.
        flip: Mirror pairs left to right at random.
        rotate: Turn pairs by quarter turns at random: what light and colours ask for hardly depends
            on which way is up, and a thousand photos go further.
        average: Decay of the moving average of the weights that is kept; 0 keeps the weights
            themselves.
        keep: ``"best"`` keeps each network as it scored best on the held-out pairs, ``"last"`` as
            it was in the end.
        precision: ``"32"`` or ``"bf16"`` (autocast), which becomes ``"32"`` on a processor where it
            is slower.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        workers: Processes that draw samples; 0 draws them in the run's own.
        seed: Of every random choice.
        resume: Go on from the checkpoint beside ``out``.
        validate_every: Epochs between two scores on the held-out pairs.
        log_dir: Folder for TensorBoard; None writes none.
    """

    data: DataConfig = field(default_factory=DataConfig)
    init: Path | None = None
    pretrained: bool = False
    learn: Learn = "both"
    out: Path = Path("enhance.safetensors")
    model: ModelConfig = field(default_factory=ModelConfig)
    coarse: StageConfig = field(default_factory=StageConfig)
    refine: StageConfig = field(default_factory=StageConfig)
    finish: StageConfig = field(default_factory=StageConfig)
    joint: StageConfig = field(default_factory=StageConfig)
    flip: bool = False
    rotate: bool = False
    average: float = 0.0
    keep: Keep = "best"
    precision: Precision = "32"
    device: str = "auto"
    workers: int = 0
    seed: int = 0
    resume: bool = False
    validate_every: int = 5
    log_dir: Path | None = None


@dataclass(frozen=True)
class EvalConfig:
    """What to score on which pairs.

    Attributes:
        data: The pairs; those that its split holds out are scored.
        weights: Weights files; none of these and no ``outputs`` looks one up.
        outputs: Folders of other systems' results, told apart by file name.
        panels: Folder for a comparison of each photo; None writes none.
        with_coarse: Also score what CENet makes of the photos without PRNet.
        do_no_harm: Also measure how far the weights change the expert's versions.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    """

    data: DataConfig
    weights: tuple[Path, ...] = ()
    outputs: tuple[Path, ...] = ()
    panels: Path | None = None
    with_coarse: bool = False
    do_no_harm: bool = False
    device: str = "auto"


@dataclass(frozen=True)
class Encoding:
    """How results are written.

    Attributes:
        quality: Of JPEG, WebP and AVIF, 1 to 100.
        subsampling: Of colour in JPEG and AVIF.
        bits: Per channel in PNG and TIFF, 8 or 16; None keeps what the photo has.
    """

    quality: int = 95
    subsampling: Subsampling = "4:4:4"
    bits: int | None = None


@dataclass(frozen=True)
class ApplyConfig:
    """Which photos to enhance, and how.

    Attributes:
        inputs: Photos and folders.
        out: Folder that takes the results.
        coarse_only: Leave PRNet out.
        weights: Weights file; None looks it up.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        long_edge: Longer edge of the results in pixels; a smaller photo keeps its size, and None
            is the size of every photo.
        on_conflict: What to do about files in the place of results.
        strength: 0 gives the photos back, 1 the networks' results; beyond 1 exaggerates them.
        format: Of the results; ``"keep"`` is that of the photo, and JPEG for RAW and HEIF.
        encoding: How they are written.
        srgb: Convert photos of other colour spaces.
        keep_metadata: All, all but the place where it was taken, or nothing but the colour profile.
        pairs: What is retouched of a RAW and the camera's JPEG beside it.
        exclude: Patterns of names, or of paths below an input folder, that are passed over.
        max_pixels: A photo with more is refused.
        lut: Folder for each photo's coarse map, as a ``.cube`` file.
        compare: Folder for a picture of each photo before and after.
        gallery: HTML file that shows all photos before and after.
    """

    inputs: tuple[Path, ...]
    out: Path
    coarse_only: bool = False
    weights: Path | None = None
    device: str = "auto"
    long_edge: int | None = LONG_EDGE
    on_conflict: OnConflict = "skip"
    strength: float = 1.0
    format: Format = "keep"
    encoding: Encoding = field(default_factory=Encoding)
    srgb: bool = False
    keep_metadata: KeepMetadata = "all"
    pairs: RawPairs = "both"
    exclude: tuple[str, ...] = ()
    max_pixels: int = MAX_PIXELS
    lut: Path | None = None
    compare: Path | None = None
    gallery: Path | None = None


PAPER = TrainConfig()
"""Section 3.2 to the letter."""

_SHIPPED_COARSE = StageConfig(
    epochs=20,
    batch_size=32,
    optimizer="adamw",
    learning_rate=1e-3,
    weight_decay=0.05,
    schedule="cosine",
    loss="lab",
    zoom=0.75,
    blend=0.5,
    finished_share=0.1,
    plain_share=0.08,
    shuffle=0.6,
)
_SHIPPED_REFINE = replace(
    _SHIPPED_COARSE,
    epochs=80,
    optimizer="muon",
    learning_rate=2e-3,
    finished_share=0.15,
    plain_share=0.0,
    shuffle=0.0,
    crop=112,
    grow_from=64,
)
_SHIPPED_FINISH = replace(
    _SHIPPED_REFINE, epochs=8, learning_rate=5e-4, plain_share=0.35, grow_from=0
)

SHIPPED = TrainConfig(
    model=ModelConfig(
        canvas=32, fit="squash", sight=256, pooling=4, by_colour=128, hold_white=True
    ),
    coarse=_SHIPPED_COARSE,
    refine=_SHIPPED_REFINE,
    finish=_SHIPPED_FINISH,
    joint=replace(_SHIPPED_REFINE, epochs=20, learning_rate=5e-4),
    flip=True,
    rotate=True,
    average=0.998,
    keep="last",
    precision="bf16",
)
"""For little data, a short time and two CPU cores: what the weights that come with the package were
made with (weights/README.md gives the data and the command)."""

RECIPES = {"paper": PAPER, "shipped": SHIPPED}


def with_stages(config: TrainConfig, **changes: object) -> TrainConfig:
    """Return ``config`` with the same changes made to all of its stages."""
    return replace(
        config,
        coarse=replace(config.coarse, **changes),  # type: ignore[arg-type]
        refine=replace(config.refine, **changes),  # type: ignore[arg-type]
        finish=replace(config.finish, **changes),  # type: ignore[arg-type]
        joint=replace(config.joint, **changes),  # type: ignore[arg-type]
    )

"""``enhance train``: learn from pairs and finished photos."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from enhance_cli.cli.console import ExitCode, error_boundary, messages, say, say_error
from enhance_cli.cli.gathering import read_source, show_preparation
from enhance_cli.config import (
    RECIPES,
    DataConfig,
    Expert,
    Fit,
    Keep,
    Learn,
    Loss,
    Optimizer,
    Precision,
    Source,
    SourceKind,
    TrainConfig,
    Variant,
    with_stages,
)

if TYPE_CHECKING:
    from enhance_cli.engine.training import EpochReport, StepReport


class Recipe(StrEnum):
    """Settings to start from."""

    PAPER = "paper"
    SHIPPED = "shipped"


Method = Literal[Variant, "all"]

_PHOTOS, _MODEL, _LEARNING, _RUN = (
    "Photos",
    "Model",
    "How it learns (both networks)",
    "The run",
)


def _share(of_samples: str) -> Any:
    """An option for a share of the samples: those ``of_samples``."""
    return typer.Option(
        min=0, max=1, help=f"Share of samples {of_samples}", rich_help_panel=_LEARNING
    )


@error_boundary
def train(
    fivek_root: Annotated[
        str | None,
        typer.Option(
            metavar="DIR[=WEIGHT]",
            help="A copy of MIT-Adobe FiveK, in any layout in which it is handed on.",
            rich_help_panel=_PHOTOS,
        ),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR[=WEIGHT]",
            help="A folder of pairs: before/ and after/. May be repeated.",
            rich_help_panel=_PHOTOS,
        ),
    ] = None,
    photos: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR[=WEIGHT]",
            help="A folder of finished photos, to be distorted and recovered. May be repeated.",
            rich_help_panel=_PHOTOS,
        ),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            help="Photos to hold out: random250, highvar50, validation50, a file of ids, or none.",
            rich_help_panel=_PHOTOS,
        ),
    ] = "random250",
    expert: Annotated[
        Expert,
        typer.Option(help="Whose versions of FiveK to learn from.", rich_help_panel=_PHOTOS),
    ] = DataConfig.expert,
    cache_dir: Annotated[
        Path | None,
        typer.Option(help="Where prepared photos are kept.", rich_help_panel=_PHOTOS),
    ] = None,
    skip_bad_pairs: Annotated[
        bool,
        typer.Option(
            "--skip-bad-pairs",
            help="Go on without pairs that do not fit.",
            rich_help_panel=_PHOTOS,
        ),
    ] = False,
    out: Annotated[Path, typer.Option(help="Weights file to write.")] = TrainConfig.out,
    init: Annotated[
        Path | None,
        typer.Option(help="Weights to start from; what they do not hold starts fresh."),
    ] = None,
    pretrained: Annotated[
        bool,
        typer.Option(
            "--pretrained", help="Let CENet's ResNet50 start from torchvision's ImageNet weights."
        ),
    ] = False,
    recipe: Annotated[
        Recipe, typer.Option(help="Settings to start from; the options below change them.")
    ] = Recipe.PAPER,
    variant: Annotated[
        Method | None,
        typer.Option(
            help="Which of the paper's methods, or all five into the folder --out.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    canvas: Annotated[
        int | None,
        typer.Option(
            help="Side of the square that the networks see, in pixels.",
            min=32,
            rich_help_panel=_MODEL,
        ),
    ] = None,
    fit: Annotated[
        Fit | None, typer.Option(help="How a photo gets into it.", rich_help_panel=_MODEL)
    ] = None,
    sight: Annotated[
        int | None,
        typer.Option(
            help="Longer edge at which they look at a photo, in pixels; 500 is the paper's.",
            min=32,
            rich_help_panel=_MODEL,
        ),
    ] = None,
    pooling: Annotated[
        int | None,
        typer.Option(
            help="Side of the squares that the non-local block attends to; 1 is the paper's.",
            min=1,
            rich_help_panel=_MODEL,
        ),
    ] = None,
    by_colour: Annotated[
        int | None,
        typer.Option(
            help="Make what PRNet does a smooth function of colour, seen at this longer edge, in "
            "pixels; 0: pixel by pixel, as in the paper.",
            min=0,
            rich_help_panel=_MODEL,
        ),
    ] = None,
    hold_white: Annotated[
        bool | None,
        typer.Option(
            help="Keep PRNet from darkening what is white in a photo; not in the paper.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, rich_help_panel=_LEARNING)] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, rich_help_panel=_LEARNING)] = None,
    optimizer: Annotated[Optimizer | None, typer.Option(rich_help_panel=_LEARNING)] = None,
    learning_rate: Annotated[float | None, typer.Option(min=0, rich_help_panel=_LEARNING)] = None,
    momentum: Annotated[float | None, typer.Option(min=0, max=1, rich_help_panel=_LEARNING)] = None,
    weight_decay: Annotated[float | None, typer.Option(min=0, rich_help_panel=_LEARNING)] = None,
    schedule: Annotated[
        Literal["step", "cosine"] | None, typer.Option(rich_help_panel=_LEARNING)
    ] = None,
    decay: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Factor of the step schedule.", rich_help_panel=_LEARNING),
    ] = None,
    decay_steps: Annotated[
        int | None,
        typer.Option(min=1, help="Steps between two decays.", rich_help_panel=_LEARNING),
    ] = None,
    loss: Annotated[Loss | None, typer.Option(rich_help_panel=_LEARNING)] = None,
    crop: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Side of the squares that PRNet learns from; 0: whole photos, padded.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    grow_from: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Side of the squares in the first epoch; it grows over the run. 0: it does not.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    zoom: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=1,
            help="Smallest share of a photo that a sample shows.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    jitter: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Random change of exposure and balance; the expert's version follows.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    blend: Annotated[
        float | None,
        _share("between two versions of a photo (list.csv beside --pairs)."),
    ] = None,
    flip: Annotated[
        bool | None, typer.Option(help="Mirror at random.", rich_help_panel=_LEARNING)
    ] = None,
    rotate: Annotated[
        bool | None,
        typer.Option(help="Turn by quarter turns at random.", rich_help_panel=_LEARNING),
    ] = None,
    finished_share: Annotated[
        float | None,
        _share("that show the expert's photo on both sides."),
    ] = None,
    plain_share: Annotated[
        float | None,
        _share("that are frames of one colour or of grain, to stay so."),
    ] = None,
    shuffle: Annotated[
        float | None,
        _share("cut into tiles that change places."),
    ] = None,
    average: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Decay of the weights' moving average; 0: none.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    precision: Annotated[Precision | None, typer.Option(rich_help_panel=_RUN)] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or cuda:N.", rich_help_panel=_RUN)
    ] = "auto",
    workers: Annotated[
        int,
        typer.Option(min=0, help="Processes that draw samples; 0: none.", rich_help_panel=_RUN),
    ] = TrainConfig.workers,
    seed: Annotated[int, typer.Option(rich_help_panel=_RUN)] = TrainConfig.seed,
    learn: Annotated[
        Learn,
        typer.Option(
            help="CENet then PRNet, one alone (the other stays as in --init), the end of PRNet's "
            "learning, which is by colour, or both at once.",
            rich_help_panel=_RUN,
        ),
    ] = "both",
    validate_every: Annotated[
        int, typer.Option(min=1, help="Epochs between two scores.", rich_help_panel=_RUN)
    ] = TrainConfig.validate_every,
    keep: Annotated[
        Keep | None,
        typer.Option(
            help="Each network as it scored best on the photos held out, or as it was last.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    log_dir: Annotated[
        Path | None,
        typer.Option(help="Write figures and pictures for TensorBoard.", rich_help_panel=_RUN),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on from the checkpoint beside --out.", rich_help_panel=_RUN
        ),
    ] = False,
) -> None:
    """Learn from photos before and after retouching, or from finished ones alone.

    CENet learns first, then PRNet. The defaults are the paper's (section 3.2). A weight after a
    folder says how often each of its photos comes up in an epoch: --pairs ./mine=3. For several
    GPUs or machines start it with torchrun.
    """
    base = RECIPES[recipe]
    chosen = None if variant == "all" else variant
    data = DataConfig(
        sources=_sources(fivek_root, pairs or [], photos or []),
        split=None if split == "none" else split,
        expert=expert,
        cache_dir=cache_dir,
        skip_bad_pairs=skip_bad_pairs,
    )
    config = replace(
        base,
        data=data,
        init=init,
        pretrained=pretrained,
        learn=learn,
        out=out,
        device=device,
        workers=workers,
        seed=seed,
        resume=resume,
        validate_every=validate_every,
        log_dir=log_dir,
        model=replace(
            base.model,
            **_given(
                variant=chosen,
                canvas=canvas,
                fit=fit,
                sight=sight,
                pooling=pooling,
                by_colour=by_colour,
                hold_white=hold_white,
            ),
        ),
        **_given(flip=flip, rotate=rotate, average=average, precision=precision, keep=keep),
    )
    stage_options = _given(
        epochs=epochs,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        momentum=momentum,
        weight_decay=weight_decay,
        schedule=schedule,
        decay=decay,
        decay_steps=decay_steps,
        loss=loss,
        crop=crop,
        grow_from=grow_from,
        zoom=zoom,
        jitter=jitter,
        blend=blend,
        finished_share=finished_share,
        plain_share=plain_share,
        shuffle=shuffle,
    )
    _run(with_stages(config, **stage_options), five=variant == "all")


def _sources(fivek_root: str | None, pairs: list[str], photos: list[str]) -> tuple[Source, ...]:
    given: dict[SourceKind, list[str]] = {
        "fivek": [fivek_root] if fivek_root else [],
        "pairs": pairs,
        "photos": photos,
    }
    return tuple(read_source(kind, text) for kind, texts in given.items() for text in texts)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _run(config: TrainConfig, five: bool) -> None:
    from enhance_cli.engine.ablation import Ablation
    from enhance_cli.engine.device import pick_device, quick_precision
    from enhance_cli.engine.distributed import is_main_process
    from enhance_cli.engine.training import Training

    messages.quiet = not is_main_process()
    bar = _Bar()
    training = Ablation(config, bar.update) if five else Training(config, watch=bar.update)
    show_preparation(training, training.pairs)
    say(
        f"learning {'all five methods' if five else config.model.variant} from "
        f"{len(training.pairs.learnt)} pairs, {len(training.pairs.held_out)} held out"
    )
    if quick_precision(config.precision, pick_device(config.device)) != config.precision:
        say("this processor is slow in bfloat16: learning in single precision")
    try:
        with bar.progress:
            for report in training:
                say(_line(report))
    except KeyboardInterrupt as interruption:
        say_error(
            f"interrupted: {config.out} holds what has been learned so far; "
            "the same command with --resume goes on"
        )
        raise typer.Exit(ExitCode.INTERRUPTED) from interruption
    say(f"wrote {config.out}")


class _Bar:
    """How far the epoch is."""

    def __init__(self) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
        self.progress = Progress(
            *columns, console=messages, transient=True, disable=not messages.is_terminal
        )
        self._task = self.progress.add_task("", visible=False)

    def update(self, report: StepReport) -> None:
        self.progress.update(
            self._task,
            description=(
                f"{report.variant} {report.stage} {report.epoch}/{report.epochs}  "
                f"loss {report.loss:.5f}"
            ),
            completed=report.step,
            total=report.steps,
            visible=True,
        )


def _line(report: EpochReport) -> str:
    line = (
        f"{report.variant} {report.stage} {report.epoch}/{report.epochs}  loss {report.loss:.5f}  "
        f"rate {report.learning_rate:.2e}  {report.photos_per_second:.1f} photos/s"
    )
    if report.score:
        one = report.score
        line += f"  PSNR {one.psnr:.2f} dB  L2 Lab {one.l2_lab:.2f}  SSIM {one.ssim:.3f}"
    return line + ("  best" if report.best else "")

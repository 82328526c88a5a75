"""``enhance train``: learn from pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from enhance_cli.cli.console import error_boundary, say, say_error
from enhance_cli.config import (
    RECIPES,
    Fit,
    Learn,
    Loss,
    Precision,
    TrainConfig,
    Variant,
    with_stages,
)

if TYPE_CHECKING:
    from enhance_cli.engine.training import EpochReport


class Recipe(StrEnum):
    """Settings to start from."""

    PAPER = "paper"
    SHIPPED = "shipped"


_MODEL, _LEARNING, _RUN = "Model", "How it learns (both networks)", "The run"


@error_boundary
def train(
    fivek_root: Annotated[
        Path | None, typer.Option(help="Folder that holds input/ and expertC/ with equal names.")
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(help="A further folder of pairs: before/ and after/. May be repeated."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Weights file to write.")] = TrainConfig.out,
    init: Annotated[
        Path | None,
        typer.Option(help="Weights to start from; what they do not hold starts fresh."),
    ] = None,
    split: Annotated[
        str,
        typer.Option(help="Photos to hold out: random250, validation50, a file of ids, or none."),
    ] = "random250",
    recipe: Annotated[
        Recipe, typer.Option(help="Settings to start from; the options below change them.")
    ] = Recipe.PAPER,
    variant: Annotated[Variant | None, typer.Option(rich_help_panel=_MODEL)] = None,
    canvas: Annotated[
        int | None,
        typer.Option(help="Side of the square that the networks see, in pixels.", min=32),
    ] = None,
    fit: Annotated[
        Fit | None, typer.Option(help="How a photo gets into it.", rich_help_panel=_MODEL)
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, rich_help_panel=_LEARNING)] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, rich_help_panel=_LEARNING)] = None,
    optimizer: Annotated[
        Literal["sgd", "adamw"] | None, typer.Option(rich_help_panel=_LEARNING)
    ] = None,
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
            help="Random change of the originals' brightness, in stops.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    flip: Annotated[
        bool | None, typer.Option(help="Mirror at random.", rich_help_panel=_LEARNING)
    ] = None,
    finished_share: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of samples that show the expert's photo on both sides.",
            rich_help_panel=_LEARNING,
        ),
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
    seed: Annotated[int, typer.Option(rich_help_panel=_RUN)] = 0,
    learn: Annotated[
        Learn,
        typer.Option(
            help="Which network learns; the other stays as --init gave it.", rich_help_panel=_RUN
        ),
    ] = "both",
    validate_every: Annotated[
        int, typer.Option(min=1, help="Epochs between two scores.", rich_help_panel=_RUN)
    ] = TrainConfig.validate_every,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on from the checkpoint beside --out.", rich_help_panel=_RUN
        ),
    ] = False,
) -> None:
    """Learn from pairs of originals and expert versions: CENet first, then PRNet.

    The defaults are the paper's (section 3.2).
    """
    base = RECIPES[recipe]
    config = replace(
        base,
        fivek_root=fivek_root,
        pairs=tuple(pairs or ()),
        init=init,
        learn=learn,
        split=None if split == "none" else split,
        out=out,
        device=device,
        seed=seed,
        resume=resume,
        validate_every=validate_every,
        model=replace(base.model, **_given(variant=variant, canvas=canvas, fit=fit)),
        **_given(flip=flip, average=average, precision=precision),
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
        zoom=zoom,
        jitter=jitter,
        finished_share=finished_share,
    )
    _run(with_stages(config, **stage_options))


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _run(config: TrainConfig) -> None:
    from enhance_cli.engine.training import Training

    training = Training(config)
    say(
        f"learning {config.model.variant} from {len(training.learnt)} pairs on {training.device}, "
        f"{len(training.held_out)} held out"
    )
    try:
        _show(training)
    except KeyboardInterrupt:
        say_error(
            f"interrupted: {config.out} holds what has been learned so far; "
            "the same command with --resume goes on"
        )
        raise
    say(f"wrote {config.out}")


def _show(reports: Iterable[EpochReport]) -> None:
    for report in reports:
        line = (
            f"{report.stage} {report.epoch}/{report.epochs}  loss {report.loss:.5f}  "
            f"rate {report.learning_rate:.2e}  {report.photos_per_second:.1f} photos/s"
        )
        if report.score:
            one = report.score
            line += f"  PSNR {one.psnr:.2f} dB  L2 Lab {one.l2_lab:.2f}  SSIM {one.ssim:.3f}"
        say(line)

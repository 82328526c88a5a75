"""``enhance train``: learn from photos before and after retouching."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from enhance_cli.cli.console import (
    ExitCode,
    counted,
    error_boundary,
    messages,
    result_errors_reported,
    say,
    say_error,
)
from enhance_cli.cli.options import (
    NO_SPLIT,
    PHOTOS,
    CacheOption,
    ExpertOption,
    SkipBadPairsOption,
    choice,
    device_option,
    number,
    split_option,
)
from enhance_cli.cli.pair_sources import read_source, render_pairs
from enhance_cli.cli.train.progress import TrainingBar, epoch_line, say_what_to_do_with
from enhance_cli.cli.train.style import (
    even_without_gain,
    fit_style,
    refuse_other_options,
)
from enhance_cli.config.data import DataConfig, NewOrOverwrite, Source, SourceKind
from enhance_cli.config.model import Variant
from enhance_cli.config.recipe_file import (
    STYLE,
    Change,
    format_recipe,
    load_recipe,
    with_changes,
)
from enhance_cli.config.training import StyleConfig, TrainConfig
from enhance_cli.errors import UsageError
from enhance_cli.inference.weights_file import named_weights

if TYPE_CHECKING:
    from enhance_cli.training.ablation import Ablation
    from enhance_cli.training.trainer import StepReport, Trainer

Method = Literal[Variant, "all"]

EXAMPLES = """Examples:

enhance train --style-from ./my-edits --out mine.safetensors

enhance train --pairs ./my-edits --split none --recipe small --out mine.safetensors
"""

_RECIPE, _WEIGHTS, _RUN = "Recipe", "Weights", "Run"
_RECIPES_OWN = "the recipe's"


@error_boundary
def train(
    context: typer.Context,
    fivek_root: Annotated[
        str | None,
        typer.Option(
            metavar="DIR[=REPEATS]",
            help="A copy of MIT-Adobe FiveK, in any layout in which it is distributed.",
            rich_help_panel=PHOTOS,
        ),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR[=REPEATS]",
            help="A folder of pairs, with before/ and after/. Can be repeated.",
            rich_help_panel=PHOTOS,
        ),
    ] = None,
    photos: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR[=REPEATS]",
            help="A folder of finished photos; the networks learn to restore distorted copies. "
            "Can be repeated.",
            rich_help_panel=PHOTOS,
        ),
    ] = None,
    split: Annotated[
        str,
        split_option(
            help="Photos to hold out: random250, highvar50, validation50, unseen28, a file of "
            "ids, several of these separated by commas, or none.",
            rich_help_panel=PHOTOS,
        ),
    ] = "random250",
    expert: ExpertOption = DataConfig.expert,
    cache_dir: CacheOption = None,
    skip_bad_pairs: SkipBadPairsOption = False,
    style_from: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DIR",
            help="Fit a style to a folder of 20 to 200 edits, with before/ and after/; short for "
            "--recipe style --pairs DIR. Can be repeated.",
            rich_help_panel=_RECIPE,
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            metavar="paper|small|large|style|FILE",
            help="What is trained, and how. paper: section 3.2. small: hundreds of photos, a CPU. "
            "large: thousands of photos, a GPU. style: a correction fitted to 20 to 200 edits in a "
            "minute or two. FILE: your own TOML.",
            rich_help_panel=_RECIPE,
        ),
    ] = "paper",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change one setting of the recipe, such as stages.refine.epochs=40. Can be "
            "repeated.",
            rich_help_panel=_RECIPE,
        ),
    ] = None,
    variant: Annotated[
        Method | None,
        choice(
            Method,
            help="One of the paper's methods, or all five into the folder --out.",
            show_default=_RECIPES_OWN,
            rich_help_panel=_RECIPE,
        ),
    ] = None,
    stages: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Run these stages of the recipe alone.",
            show_default="all",
            rich_help_panel=_RECIPE,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        number(
            int,
            "N",
            low=1,
            help="Epochs of every stage.",
            show_default=_RECIPES_OWN,
            rich_help_panel=_RECIPE,
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        number(
            int,
            "N",
            low=1,
            help="Samples in a step of every stage.",
            show_default=_RECIPES_OWN,
            rich_help_panel=_RECIPE,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        number(
            float,
            "X",
            low=0,
            help="Learning rate of every stage.",
            show_default=_RECIPES_OWN,
            rich_help_panel=_RECIPE,
        ),
    ] = None,
    print_recipe: Annotated[
        bool,
        typer.Option(
            "--print-recipe",
            help="Print the recipe with all changes as TOML, and exit.",
            rich_help_panel=_RECIPE,
        ),
    ] = False,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Weights file to write.", rich_help_panel=_WEIGHTS
        ),
    ] = TrainConfig.out,
    init: Annotated[
        Path | None,
        typer.Option(
            metavar="shipped|FILE",
            help="Initialise from these weights, or from those that come with enhance; networks "
            "they lack start untrained.",
            show_default="untrained",
            rich_help_panel=_WEIGHTS,
        ),
    ] = None,
    pretrained: Annotated[
        bool,
        typer.Option(
            "--pretrained",
            help="Initialise CENet's ResNet50 from torchvision's ImageNet weights.",
            rich_help_panel=_WEIGHTS,
        ),
    ] = False,
    device: Annotated[str, device_option(rich_help_panel=_RUN)] = TrainConfig.device,
    workers: Annotated[
        int,
        number(
            int,
            "N",
            low=0,
            help="Processes that prepare samples; 0 uses the main process.",
            rich_help_panel=_RUN,
        ),
    ] = TrainConfig.workers,
    seed: Annotated[
        int | None,
        number(
            int,
            "N",
            help="Seed of all random choices.",
            show_default=_RECIPES_OWN,
            rich_help_panel=_RUN,
        ),
    ] = None,
    log_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write curves and sample images for TensorBoard.",
            show_default="none",
            rich_help_panel=_RUN,
        ),
    ] = None,
    on_conflict: Annotated[
        NewOrOverwrite,
        choice(
            NewOrOverwrite,
            help="If the weights file or its checkpoint exists: stop, or replace it.",
            rich_help_panel=_WEIGHTS,
        ),
    ] = TrainConfig.on_conflict,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue from the checkpoint beside --out.",
            rich_help_panel=_RUN,
        ),
    ] = False,
) -> None:
    """Train the networks on photos before and after retouching, or on finished photos.

    REPEATS is how often each photo of a folder is used in an epoch, as in --pairs ./mine=3. To use
    several GPUs or machines, start the command with torchrun.
    """
    init = None if init is None else named_weights(init)
    if style_from or recipe.lower() == STYLE:
        refuse_other_options(context)
        edits = [*(style_from or []), *(pairs or [])]
        folders = tuple(Source("pairs", Path(text)) for text in edits)
        data = DataConfig(folders, cache_dir=cache_dir, skip_bad_pairs=True)
        even = even_without_gain(settings or [])
        fit_style(StyleConfig(data, out, init, even, device, on_conflict))
        return
    changes = _changes(variant, epochs, batch_size, learning_rate, seed, settings or [])
    run = tuple(name.strip() for name in stages.split(",")) if stages else None
    chosen = with_changes(load_recipe(recipe), changes, run)
    _refuse_without_held_out(changes, split)
    config = TrainConfig(
        recipe=chosen,
        data=DataConfig(
            sources=_sources(fivek_root, pairs or [], photos or []),
            split=None if split == NO_SPLIT else split,
            expert=expert,
            cache_dir=cache_dir,
            skip_bad_pairs=skip_bad_pairs,
        ),
        out=out,
        stages=run,
        init=init,
        pretrained=pretrained,
        device=device,
        workers=workers,
        resume=resume,
        on_conflict=on_conflict,
        log_dir=log_dir,
    )
    if print_recipe:
        with result_errors_reported():
            print(f"# {_command_for(config, variant)}")
            print(format_recipe(chosen), end="")
        return
    _run(config, all_variants=variant == "all")


def _changes(
    variant: Method | None,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    seed: int | None,
    settings: list[str],
) -> list[Change]:
    """Collect the changes of the recipe, from the general to the special.

    ``--variant all`` is checked as CE+PRNL, the method in which every setting has an effect.

    Raises:
        UsageError: ``--set`` sets the variant beside ``--variant all``.
    """
    changes = [
        Change(f"{key}={value}", option)
        for option, key, value in (
            ("--variant", "model.variant", "ce+prnl" if variant == "all" else variant),
            ("--epochs", "stages.*.epochs", epochs),
            ("--batch-size", "stages.*.batch_size", batch_size),
            ("--learning-rate", "stages.*.learning_rate", learning_rate),
            ("--seed", "seed", seed),
        )
        if value is not None
    ]
    set_ones = [Change(text) for text in settings]
    if variant == "all" and any(change.key == "model.variant" for change in set_ones):
        raise UsageError(
            "--set: model.variant has no effect: --variant all trains all five methods; "
            "leave it out"
        )
    return changes + set_ones


def _sources(fivek_root: str | None, pairs: list[str], photos: list[str]) -> tuple[Source, ...]:
    given: dict[SourceKind, list[str]] = {
        "fivek": [fivek_root] if fivek_root else [],
        "pairs": pairs,
        "photos": photos,
    }
    return tuple(read_source(kind, text) for kind, texts in given.items() for text in texts)


def _command_for(config: TrainConfig, variant: Method | None) -> str:
    """The command that trains a printed recipe, with what the recipe does not contain."""
    words = ["enhance", "train", "--recipe", "THIS_FILE"]
    option = {"fivek": "--fivek-root", "pairs": "--pairs", "photos": "--photos"}
    for source in config.data.sources:
        words += [option[source.kind], f"{source.path}={source.repeats:g}"]
    words += ["--split", config.data.split or NO_SPLIT]
    if config.data.expert != DataConfig.expert:
        words += ["--expert", config.data.expert]
    if variant == "all":
        words += ["--variant", variant]
    if config.stages:
        words += ["--stages", ",".join(config.stages)]
    if config.init:
        words += ["--init", str(config.init)]
    return shlex.join(words + ["--pretrained"] * config.pretrained)


def _refuse_without_held_out(changes: list[Change], split: str) -> None:
    """Refuse settings that need held-out photos if there are none."""
    if split != NO_SPLIT:
        return
    for change in changes:
        if change.key in {"checkpoint", "validate_every"}:
            raise UsageError(
                f"{change.option} {change.text} has no effect: --split none holds out no photos; "
                "leave it out"
            )


def _run(config: TrainConfig, all_variants: bool) -> None:
    from enhance_cli.inference.device import effective_precision, pick_device
    from enhance_cli.training.preparation import is_main_process

    messages.quiet = not is_main_process()
    bar = TrainingBar()
    run = _made(config, all_variants, bar.update)
    render_pairs(run, run.pairs)
    say(
        f"training {'all five methods' if all_variants else config.model.variant} on "
        f"{counted(len(run.pairs.train), 'pair')}, {len(run.pairs.held_out)} held out"
    )
    precision = config.recipe.precision
    if effective_precision(precision, pick_device(config.device)) != precision:
        say("this processor is slow in bfloat16: training in single precision")
    bar.announce(run.plan())
    try:
        with bar.progress:
            for report in run:
                say(epoch_line(report))
    except KeyboardInterrupt as interruption:
        say_error(f"interrupted: {_what_is_left(config, all_variants)}")
        raise typer.Exit(ExitCode.INTERRUPTED) from interruption
    say_what_to_do_with(config.out)


def _what_is_left(config: TrainConfig, all_variants: bool) -> str:
    from enhance_cli.training.checkpoint import checkpoint_path

    if all_variants:
        return f"the same command with --resume keeps what is finished in {config.out}"
    if not checkpoint_path(config).is_file():
        return "training had not begun"
    return f"{config.out} holds the weights so far; the same command with --resume continues"


def _made(
    config: TrainConfig, all_variants: bool, on_step: Callable[[StepReport], None]
) -> Ablation | Trainer:
    """Make the run; what is wrong with it is reported before the trainer imports PyTorch."""
    if all_variants:
        from enhance_cli.training.ablation import Ablation

        return Ablation(config, on_step)
    from enhance_cli.training.preparation import prepare

    pairs = prepare(config)
    from enhance_cli.training.trainer import Trainer

    return Trainer(config, pairs, on_step)

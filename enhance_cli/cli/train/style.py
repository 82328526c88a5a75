"""``enhance train --style-from``: fit a style to edited photos, and report what it gains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from typer.core import TyperOption

from enhance_cli.cli.console import counted, say, say_warning, tracked
from enhance_cli.cli.options import is_given
from enhance_cli.cli.pair_sources import render_pairs, warn_of_bad_pairs
from enhance_cli.cli.train.progress import say_what_to_do_with
from enhance_cli.config.training import StyleConfig
from enhance_cli.errors import UsageError

if TYPE_CHECKING:
    from enhance_cli.training.style_fit import Gain

FEW = 20
"""Number of edits below which a style is uncertain."""

_OPTIONS = frozenset(
    (
        *("style_from", "pairs", "recipe", "settings", "cache_dir", "out", "init", "device"),
        "on_conflict",
    )
)
"""The options of ``train`` that have an effect on a style, by their parameters' names."""


def refuse_other_options(context: typer.Context) -> None:
    """Refuse options of ``train`` that have no effect on a style.

    Raises:
        UsageError: One was given.
    """
    if is_given(context, "style_from") and is_given(context, "recipe"):
        raise UsageError("--style-from has the recipe style; leave out --recipe")
    for option in context.command.params:
        name = option.name or ""
        if is_given(context, name) and name not in _OPTIONS and isinstance(option, TyperOption):
            raise UsageError(
                f"{option.opts[0]} has no effect on a style, which trains no network; leave it out"
            )


def even_without_gain(settings: list[str]) -> bool:
    """Read the one setting of a style.

    Args:
        settings: ``KEY=VALUE`` of each ``--set``.

    Raises:
        UsageError: There is another setting, or it is neither true nor false.
    """
    chosen = False
    for text in settings:
        key, _, value = (part.strip().lower() for part in text.partition("="))
        if key != "even_without_gain" or value not in {"true", "false"}:
            raise UsageError(f"--set {text}: a style has the setting even_without_gain=true alone")
        chosen = value == "true"
    return chosen


def fit_style(config: StyleConfig) -> None:
    """Fit a style, report its gain on held-out edits, and write the weights.

    Raises:
        EnhanceError: Pairs, weights or device are not available, or the style gains nothing.
    """
    from enhance_cli.training.preparation import prepare_style

    sources = prepare_style(config)
    from enhance_cli.training.style_run import StyleRun

    run = StyleRun(config, sources)
    render_pairs(run, run.pairs)
    total = len(run.pairs.train)
    say(f"fitting a style to {counted(total, 'edit')}, on top of {sources.weights.path}")
    for _ in tracked(run, "looking", total):
        pass
    result = run.fit()
    warn_of_bad_pairs(result.left_out)
    if len(result.pairs) < FEW:
        say_warning(
            f"only {counted(len(result.pairs), 'edit')}: {FEW} to 200 give a style that can be "
            "relied on"
        )
    for line in _gain(result.gain):
        say(line)
    run.write(result)
    say_what_to_do_with(config.out)


def _gain(gain: Gain) -> list[str]:
    """Lines that report a gain."""
    without, styled = gain.without, gain.styled
    return [
        f"on edits held out in turn, without the style: {without.psnr:.2f} dB, "
        f"L2 Lab {without.l2_lab:.2f}",
        f"with it: {styled.psnr:.2f} dB, L2 Lab {styled.l2_lab:.2f}; "
        f"gain {gain.psnr:+.2f} dB, give or take {gain.error:.2f}",
    ]

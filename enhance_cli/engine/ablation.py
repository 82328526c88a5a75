"""Train the five methods of section 3.3 in a row, for table 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from enhance_cli.config import VARIANTS, TrainConfig, Variant
from enhance_cli.data.prepared import Progress
from enhance_cli.engine.checkpoint import checkpoint_path
from enhance_cli.engine.training import EpochReport, StepReport, Training, collect
from enhance_cli.errors import UsageError


class Ablation:
    """Five training runs with one recipe; iterate over it as over :class:`Training`.

    CENet learns once: the cascades start from the weights of ``ce``, and so differ by PRNet alone.
    With ``resume``, runs that are done are left as they are and the broken one goes on.

    Args:
        config: The recipe; its ``out`` is a folder that takes ``ce.safetensors`` and so on.
        watch: Told of every step.

    Raises:
        EnhanceError: Pairs or split cannot be had, or ``init`` or ``learn`` are set.
    """

    def __init__(
        self, config: TrainConfig, watch: Callable[[StepReport], None] = lambda _: None
    ) -> None:
        if config.init is not None or config.learn != "both":
            raise UsageError("--variant all trains every network anew; leave out --init, --learn")
        if config.out.suffix:
            raise UsageError(f"--out {config.out}: with --variant all give a folder")
        self.config = config
        self.watch = watch
        self.pairs = collect(config)

    def prepare(self) -> Iterator[Progress]:
        """As of :class:`Training`."""
        return self.pairs.prepare()

    def __iter__(self) -> Iterator[EpochReport]:
        """Train one method after the other.

        Raises:
            EnhanceError: As of :class:`Training`.
        """
        for variant in VARIANTS:
            config = self._config_of(variant)
            if not (self.config.resume and _is_done(config)):
                yield from Training(config, self.pairs, self.watch)

    def _config_of(self, variant: Variant) -> TrainConfig:
        config = replace(
            self.config,
            model=replace(self.config.model, variant=variant),
            out=self._out(variant),
            log_dir=self.config.log_dir and self.config.log_dir / variant,
        )
        if config.model.has_cenet and config.model.has_prnet:
            config = replace(config, init=self._out("ce"), learn="refine")
        resume = self.config.resume and checkpoint_path(config).is_file()
        return replace(config, resume=resume)

    def _out(self, variant: Variant) -> Path:
        return self.config.out / f"{variant}.safetensors"


def _is_done(config: TrainConfig) -> bool:
    return config.out.is_file() and not checkpoint_path(config).is_file()

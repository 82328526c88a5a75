"""A process of tests/training/test_distributed.py, which trains and writes losses and scores."""

import json
import sys
from functools import partial
from pathlib import Path

import torch
from small_backbone import SmallBackbone

from enhance_cli.config.data import DataConfig, Source
from enhance_cli.config.model import ModelConfig
from enhance_cli.config.training import Recipe, StageConfig, TrainConfig
from enhance_cli.models import cenet
from enhance_cli.training.preparation import is_main_process
from enhance_cli.training.trainer import Trainer


def main(root: Path, out: Path) -> None:
    torch.set_num_threads(1)
    cenet.ResNet = SmallBackbone
    stage = partial(StageConfig, epochs=3, batch_size=4, learning_rate=0.02, min_crop_scale=0.6)
    (root / "split.txt").write_text("a0006\n")
    recipe = Recipe(
        model=ModelConfig(
            input_side=64,
            fit="squash",
            prnet="global",
            prnet_input_edge=64,
            photo_statistics=True,
        ),
        stages=(
            stage(name="coarse", trains="cenet"),
            stage(name="refine", trains="prnet", crop=32),
            stage(name="refine_projected", trains="prnet", crop=32, projected=True),
        ),
        flip=True,
        ema_decay=0.9,
        validate_every=1,
    )
    data = DataConfig((Source("fivek", root),), str(root / "split.txt"))
    config = TrainConfig(recipe=recipe, data=data, out=out, device="cpu")
    reports = list(Trainer(config))
    if is_main_process():
        figures = [(report.loss, report.score and report.score.psnr) for report in reports]
        out.with_suffix(".json").write_text(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""One of the processes of tests/engine/test_distributed.py: trains, and writes its losses."""

import json
import sys
from functools import partial
from pathlib import Path

import torch

from enhance_cli.config import DataConfig, ModelConfig, Source, StageConfig, TrainConfig
from enhance_cli.training.distributed import is_main_process
from enhance_cli.training.trainer import Trainer
from enhance_cli.models import cenet
from enhance_cli.models.resnet import ResNet


def main(root: Path, out: Path) -> None:
    torch.set_num_threads(1)
    cenet.ResNet = lambda: ResNet((1, 1, 1, 1))
    stage = partial(StageConfig, epochs=3, batch_size=4, learning_rate=0.02, zoom=0.6)
    (root / "split.txt").write_text("a0006\n")
    config = TrainConfig(
        data=DataConfig((Source("fivek", root),), str(root / "split.txt")),
        model=ModelConfig(input_side=64, fit="squash", by_colour=64),
        coarse=stage(),
        refine=stage(crop=32),
        finish=stage(crop=32),
        flip=True,
        average=0.9,
        out=out,
        device="cpu",
        validate_every=1,
    )
    reports = list(Trainer(config))
    if is_main_process():
        figures = [(report.loss, report.score and report.score.psnr) for report in reports]
        out.with_suffix(".json").write_text(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

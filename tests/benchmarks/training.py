"""The training loop beside the bare forward and backward passes on the same tensors.

python tests/benchmarks/training.py [--side 64] [--epochs 4]
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from measuring import machine
from PIL import Image
from skimage import data

from enhance_cli.config.data import DataConfig, Source
from enhance_cli.config import SHIPPED, with_stages  # FIXME
from enhance_cli.training.losses import photo_losses
from enhance_cli.training.trainer import Trainer

PAIRS, SIDE = 256, 256


def make_pairs(folder: Path) -> None:
    """Photos of 256 px, and the same flattened."""
    scene = data.coffee()
    draw = np.random.default_rng(0)
    for part in ("before", "after"):
        (folder / part).mkdir(parents=True)
    for number in range(PAIRS):
        top, left = draw.integers(0, 400 - SIDE), draw.integers(0, 600 - SIDE)
        after = scene[top : top + SIDE, left : left + SIDE]
        Image.fromarray(after).save(folder / "after" / f"{number}.png")
        Image.fromarray(after // 2 + 40).save(folder / "before" / f"{number}.png")


def loop(config) -> float:
    """Photos a second of PRNet's epochs, but for the first, which fills the caches."""
    reports = [report for report in Trainer(config) if report.stage == "refine"]
    return statistics.median(report.photos_per_second for report in reports[1:])


def bare(config) -> float:
    """Photos a second of what the loop must do at least: forward, backward, step."""
    training = Trainer(config)
    cenet, prnet = training.model.cenet.eval(), training.model.prnet
    stage = config.refine
    from enhance_cli.training.optimizer import make_optimizer

    optimizer = make_optimizer(prnet, stage)
    shape = (stage.batch_size, 3, stage.crop, stage.crop)
    last = torch.channels_last
    original, expert = (torch.rand(shape).contiguous(memory_format=last) for _ in range(2))
    view = torch.rand(stage.batch_size, 3, 32, 32).contiguous(memory_format=last)
    mask = torch.ones(stage.batch_size, 1, stage.crop, stage.crop)
    seconds = []
    for _ in range(12):
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16"):
            with torch.no_grad():
                mapping = cenet(view)
            start = original + mapping.residual(original)
            residual = prnet(start)
        photo_losses(stage.loss, start + residual.float(), expert, mask).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - began)
    return stage.batch_size / statistics.median(seconds[2:])


def main() -> None:
    """Measure, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_pairs(folder / "pairs")
        sources = DataConfig((Source("pairs", folder / "pairs"),), cache_dir=folder / "cache")
        config = replace(
            SHIPPED,
            data=sources,
            out=folder / "a.safetensors",
            device="cpu",
            workers=given.workers,
            validate_every=1000,
        )
        config = with_stages(config, crop=given.side, initial_crop=0, epochs=given.epochs)
        config = replace(config, coarse=replace(config.coarse, epochs=1))
        # SampleRef about, so that what else the machine does meets both.
        rounds = [(loop(config), bare(config)) for _ in range(3)]
    ratios = [one / other for one, other in rounds]
    for (one, other), ratio in zip(rounds, ratios, strict=True):
        print(f"loop {one:.0f} photos/s, bare {other:.0f}: {ratio:.2f}")
    print(f"{machine()}, {given.side} px: median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()

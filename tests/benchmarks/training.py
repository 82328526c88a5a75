"""The training loop, compared with its forward and backward passes alone.

python tests/benchmarks/training.py [--side 64] [--epochs 4]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from measuring import machine
from PIL import Image
from skimage import data

from enhance_cli.config.data import DataConfig, Source
from enhance_cli.config.recipe_file import Change, load_recipe, with_changes
from enhance_cli.config.training import TrainConfig
from enhance_cli.training.losses import photo_losses
from enhance_cli.training.optimizer import make_optimizer
from enhance_cli.training.trainer import Trainer

SIDE = 256
"""Side of the photos in pixels."""


def make_pairs(folder: Path, count: int) -> None:
    """Write ``count`` square photos as experts, and the same with less contrast as originals."""
    scene = data.coffee()
    draw = np.random.default_rng(0)
    for part in ("before", "after"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        top, left = draw.integers(0, 400 - SIDE), draw.integers(0, 600 - SIDE)
        after = scene[top : top + SIDE, left : left + SIDE]
        Image.fromarray(after).save(folder / "after" / f"{number}.png")
        Image.fromarray(after // 2 + 40).save(folder / "before" / f"{number}.png")


def loop(config) -> float:
    """Photos per second in PRNet's epochs, without the first, which fills the cache."""
    reports = [report for report in Trainer(config) if report.stage == "refine"]
    return statistics.median(report.photos_per_second for report in reports[1:])


def passes_alone(config) -> float:
    """Photos per second of the passes alone: forward, backward, optimizer step."""
    model = Trainer(config).model
    cenet, prnet = model.cenet.eval(), model.prnet
    (stage,) = (stage for stage in config.recipe.stages if stage.name == "refine")
    optimizer = make_optimizer(prnet, stage)
    shape = (stage.batch_size, 3, stage.crop, stage.crop)
    last = torch.channels_last
    original, expert = (torch.rand(shape).contiguous(memory_format=last) for _ in range(2))
    view = torch.rand(stage.batch_size, 3, 32, 32).contiguous(memory_format=last)
    mask = torch.ones(stage.batch_size, 1, stage.crop, stage.crop)
    seconds = []
    for _ in range(12):
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=config.recipe.precision == "bf16"):
            with torch.no_grad():
                mapping = cenet(view)
            start = original + mapping.residual(original)
            residual = prnet(start, original)
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
    parser.add_argument("--pairs", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_pairs(folder / "pairs", given.pairs)
        sources = DataConfig((Source("pairs", folder / "pairs"),), cache_dir=folder / "cache")
        changes = {
            "validate_every": 1000,
            "stages.*.epochs": given.epochs,
            "stages.coarse.epochs": 1,
            "stages.refine.crop": given.side,
            "stages.refine.initial_crop": 0,
            "stages.refine_projected.crop": given.side,
        }
        texts = (f"{key}={value}" for key, value in changes.items())
        config = TrainConfig(
            recipe=with_changes(load_recipe("small"), map(Change, texts)),
            data=sources,
            out=folder / "a.safetensors",
            device="cpu",
            workers=given.workers,
        )
        # Alternating, so that other work on the machine affects both.
        rounds = [(loop(config), passes_alone(config)) for _ in range(given.rounds)]
    ratios = [with_loop / passes for with_loop, passes in rounds]
    for (with_loop, passes), ratio in zip(rounds, ratios, strict=True):
        print(f"loop {with_loop:.0f} photos/s, passes alone {passes:.0f}: {ratio:.2f}")
    print(f"{machine()}, {given.side} px: median {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()

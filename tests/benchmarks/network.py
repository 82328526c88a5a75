"""The networks in PyTorch: photos per second by batch size and precision, and memory on a GPU.

python tests/benchmarks/network.py [--device cuda] [--edge 256]
"""

import argparse
import statistics
import time

import torch
from measuring import machine

from enhance_cli.config.model import LONG_EDGE
from enhance_cli.inference.device import pick_device
from enhance_cli.inference.weights import load_weights
from enhance_cli.inference.weights_file import find_weights
from enhance_cli.models.fuse_batch_norm import fuse_batch_norm

ROUNDS = 20


def photos_per_second(model, batch, device, precision) -> float:
    """Median over the rounds, without the first quarter of them."""
    seconds = []
    half = precision != torch.float32
    with torch.inference_mode(), torch.autocast(device.type, precision, enabled=half):
        for _ in range(ROUNDS):
            began = time.perf_counter()
            model(batch)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - began)
    return len(batch) / statistics.median(seconds[ROUNDS // 4 :])


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 32])
    parser.add_argument("--edge", type=int, default=LONG_EDGE, help="longer edge, in pixels")
    given = parser.parse_args()
    device = pick_device(given.device)
    model = fuse_batch_norm(load_weights(find_weights(None), device).model)
    width, height = given.edge, given.edge * 2 // 3
    gpu = device.type == "cuda"
    print(f"{torch.cuda.get_device_name(device) if gpu else machine()}, {width} x {height} px\n")
    print("| precision | batch | photos/s | peak, MB |\n|---|---|---|---|")
    for name, precision, tf32 in (
        ("float32", torch.float32, False),
        *([("TF32", torch.float32, True)] if gpu else []),
        ("bfloat16", torch.bfloat16, False),
    ):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        for count in given.batches:
            if gpu:
                torch.cuda.reset_peak_memory_stats(device)
            batch = torch.rand(count, 3, height, width, device=device)
            speed = photos_per_second(model, batch, device, precision)
            peak = f"{torch.cuda.max_memory_allocated(device) / 2**20:.0f}" if gpu else ""
            print(f"| {name} | {count} | {speed:.1f} | {peak} |", flush=True)


if __name__ == "__main__":
    main()

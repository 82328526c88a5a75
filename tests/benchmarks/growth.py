"""How time and memory grow with the number of photos and with their size.

python tests/benchmarks/growth.py [--counts 10 100 1000 10000] [--json FILE]
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from measuring import Run, machine, timed
from photos import make_photos

COUNTS = (10, 100, 1000, 10_000)
MEGAPIXELS = (1, 6, 24, 100)
SMALL = 0.15
"""Megapixels of each photo, where their number grows."""


def enhance(folder: Path, out: Path, *options: str) -> Run:
    """Run ``enhance apply`` on a folder, in a separate process."""
    command = [sys.executable, "-m", "enhance_cli", "apply", folder, "--out", out]
    return timed([*command, "--device", "cpu", *options])


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="*", default=COUNTS)
    parser.add_argument("--sizes", type=float, nargs="*", default=MEGAPIXELS)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    given = parser.parse_args()
    figures: dict[str, list[dict[str, float]]] = {"counts": [], "sizes": []}
    print(f"{machine()}\n\n| photos of {SMALL:g} megapixels | s | ms each | peak, MB |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        for count in given.counts:
            folder = make_photos(base / f"in-{count}", count, SMALL)
            run = enhance(folder, base / f"out-{count}")
            figures["counts"].append({"count": count, **vars(run)})
            each = 1000 * run.seconds / count
            print(f"| {count:,} | {run.seconds:.1f} | {each:.0f} | {run.peak:.0f} |", flush=True)
        print("\n| megapixels | 500 px, s | full size, s | peak, MB |\n|---|---|---|---|")
        for size in given.sizes:
            folder = make_photos(base / f"size-{size:g}", 2, size)
            small = enhance(folder, base / f"small-{size:g}")
            large = enhance(folder, base / f"large-{size:g}", "--full-size")
            seconds = {"small": small.seconds, "large": large.seconds}
            figures["sizes"].append({"megapixels": size, **seconds, "peak": large.peak})
            line = f"| {size:g} | {small.seconds:.1f} | {large.seconds:.1f} | {large.peak:.0f} |"
            print(line, flush=True)
    print("\nTwo photos of each size; times include start-up.")
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), **figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()

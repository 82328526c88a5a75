"""Compares ``enhance apply`` with the floor, ImageMagick and libvips on the same files in one run.

python tests/benchmarks/speed.py [--megapixels 24] [--rounds 3] [--json FILE]
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from measuring import PerPhoto, machine, per_photo
from photos import make_photos

FEW, MANY = 8, 56
"""Numbers of photos in the two folders whose times are compared."""
FEWER = 2, 8
"""Numbers of photos for ImageMagick, which takes two seconds per photo."""

FLOOR = Path(__file__).with_name("floor.py")

Commands = dict[str, Callable[[Path], Sequence[object]]]


def commands(out: Path, device: str) -> tuple[Commands, Commands, Commands]:
    """Commands that write 500 px, slow ones that do so too, and ones that write full size."""

    def enhance(*options: str) -> Callable[[Path], Sequence[object]]:
        words = [sys.executable, "-m", "enhance_cli", "apply"]
        always = ["--out", out, "--device", device, "--on-conflict", "overwrite", *options]
        return lambda folder: [*words, folder, *always]

    def floor(*options: str) -> Callable[[Path], Sequence[object]]:
        return lambda folder: [sys.executable, FLOOR, folder, out, *options]

    small: Commands = {
        "floor, 500 px": floor("--long-edge", "500"),
        "enhance apply": enhance(),
        "enhance apply --coarse-only": enhance("--coarse-only"),
    }
    slow: Commands = {}
    if shutil.which("mogrify"):
        plain = ["mogrify", "-path", out]
        hint = ["-define", "jpeg:size=1000x1000"]
        work = ["-auto-level", "-resize", "500x500", "-quality", "95"]
        slow["mogrify -auto-level"] = lambda folder: [*plain, *work, *sorted(folder.iterdir())]
        slow["mogrify -auto-level, size hint"] = lambda folder: [
            *plain,
            *hint,
            *work,
            *sorted(folder.iterdir()),
        ]
    if shutil.which("vipsthumbnail"):
        small["vipsthumbnail"] = lambda folder: [
            *("vipsthumbnail", "--size", "500x500", "--output", f"{out}/%s.jpg[Q=95]"),
            *sorted(folder.iterdir()),
        ]
    large: Commands = {
        "floor, full size": floor(),
        "enhance apply --full-size": enhance("--full-size"),
        "enhance apply --full-size --coarse-only": enhance("--full-size", "--coarse-only"),
    }
    return small, slow, large


def table(results: dict[str, PerPhoto]) -> str:
    """Format results as Markdown; the first row is the reference for the others."""
    floor = next(iter(results.values())).median
    lines = [
        "| | photos/s | x the floor's time | spread | start, s | peak, MB | GPU waits |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {1 / one.median:.2f} | {one.median / floor:.2f} | {one.spread:.0%} "
        f"| {one.start:.1f} | {one.peak:.0f} | {waits(one)} |"
        for name, one in results.items()
    ]
    return "\n".join(lines)


def waits(one: PerPhoto) -> str:
    """Share of the run, start-up included, in which the GPU was idle."""
    return "" if one.gpu_waits is None else f"{one.gpu_waits:.0%}"


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--folder", type=Path, help="keep the photos in this folder for the next run"
    )
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        base = given.folder or Path(scratch)
        first = make_photos(base / f"few-{given.megapixels:g}", FEW, given.megapixels)

        def folders(counts: tuple[int, int]) -> tuple[Path, Path]:
            made = [
                make_photos(base / f"{count}-{given.megapixels:g}", count, given.megapixels, first)
                for count in counts
            ]
            return made[0], made[1]

        out = Path(scratch) / "out"
        out.mkdir()
        small, slow, large = commands(out, given.device)
        usual, fewer = folders((FEW, MANY)), folders(FEWER)
        results = per_photo(small, *usual, given.rounds) | per_photo(slow, *fewer, given.rounds)
        both = [results, per_photo(large, *usual, given.rounds)]
    print(f"\n{machine()}, {given.megapixels:g} megapixels, median of {given.rounds} rounds\n")
    print("\n\n".join(table(results) for results in both))
    if given.json:
        figures = {
            name: {
                "seconds": one.seconds,
                "start": one.start,
                "peak_mb": one.peak,
                "gpu_waits": one.gpu_waits,
            }
            for results in both
            for name, one in results.items()
        }
        document = {"machine": machine(), "megapixels": given.megapixels, "per_photo": figures}
        given.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()

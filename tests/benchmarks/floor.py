"""The floor: decodes, downscales and encodes photos with Pillow, in threads, and does no more."""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image


def copy(path: Path, out: Path, long_edge: int) -> None:
    """Decode, downscale with the Lanczos filter and encode as ``enhance apply`` does."""
    with Image.open(path) as image:
        if long_edge:
            image.thumbnail((long_edge, long_edge), Image.Resampling.LANCZOS)
        image.save(out / path.name, quality=95, subsampling="4:4:4")


def main() -> None:
    """Copy a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--long-edge", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        paths = sorted(given.folder.iterdir())
        list(pool.map(lambda path: copy(path, given.out, given.long_edge), paths))


if __name__ == "__main__":
    main()

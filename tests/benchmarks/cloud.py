"""Compares runs over an object store with runs over folders, on the same photos in one run.

The store is moto's S3 server on this machine, which takes a core of its own while it serves; so its
rows say what a slow store costs, not what the program does.

python tests/benchmarks/cloud.py [--megapixels 24] [--rounds 1]
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from measuring import PerPhoto, machine, per_photo
from photos import make_photos

from enhance_cli.cloud.places import open_store

FEW, MANY = 8, 56
"""Numbers of photos in the two folders whose times are compared."""


def serve() -> subprocess.Popen[bytes]:
    """Start an S3 server, and let the surroundings name it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("moto_server"))
    command = [program, "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    os.environ |= {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-east-1",
    }
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return server


def upload(folders: Sequence[Path]) -> None:
    """Copy folders into a new bucket."""
    import boto3

    boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).create_bucket(Bucket="photos")
    for folder in folders:
        store = open_store(f"s3://photos/{folder.name}")
        for path in sorted(folder.iterdir()):
            store.write(path.name, path.read_bytes())


def table(results: dict[str, PerPhoto]) -> str:
    """Format results as Markdown; the first row is the reference for the others."""
    first = next(iter(results.values())).median
    lines = [
        "| | photos/s | x the time of folders | start, s | peak, MB |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {1 / one.median:.2f} | {one.median / first:.2f} | {one.start:.1f} "
        f"| {one.peak:.0f} |"
        for name, one in results.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        few = make_photos(base / "few", FEW, given.megapixels)
        many = make_photos(base / "many", MANY, given.megapixels, few)
        server = serve()
        try:
            upload([few, many])
            apply = [sys.executable, "-m", "enhance_cli", "apply", "--on-conflict", "overwrite"]

            def folders(*options: str) -> Callable[[Path], Sequence[object]]:
                return lambda folder: [*apply, folder, "--out", base / "out", *options]

            commands = {
                "folder to folder": folders(),
                "folder to folder, --shard 1/1": folders("--shard", "1/1"),
                "s3 to s3": lambda folder: [
                    *apply,
                    f"s3://photos/{folder.name}",
                    "--out",
                    "s3://photos/out",
                ],
            }
            results = per_photo(commands, few, many, given.rounds)
        finally:
            server.terminate()
            server.wait()
    print(f"\n{machine()}, {given.megapixels:g} megapixels, median of {given.rounds} rounds\n")
    print(table(results))


if __name__ == "__main__":
    main()

"""Photos a second, start-up and memory of `enhance apply --cluster` with one worker and with two.

python tests/benchmarks/cluster.py [--photos FOLDER] [--count 96] [--full-size] [--json FILE]

The nodes of Ray run on this machine, in a network of their own that reaches nothing but itself.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from measuring import Run, machine, timed
from photos import make_photos

INSIDE = "ENHANCE_BENCHMARK_NAMESPACE"
MEGAPIXELS = 24


@dataclass(frozen=True)
class Figures:
    """Measurements of one run.

    Attributes:
        workers: Number of nodes, with one core and one worker each.
        start: Seconds from the command to the first result, with the workers' start.
        rate: Photos a second, after the first quarter of them.
        cpu: Seconds of a core for each of these photos; other programs do not change it much.
        worker: Largest resident set of a worker, in MB.
        driver: That of the command itself.
    """

    workers: int
    start: float
    rate: float
    cpu: float
    worker: float
    driver: float


@contextlib.contextmanager
def nodes(count: int) -> Iterator[str]:
    """Nodes of Ray with one core each; gives the address."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for _ in range(count):
            cluster.add_node(num_cpus=1, object_store_memory=80_000_000, include_dashboard=False)
        yield cluster.address
    finally:
        cluster.shutdown()


@dataclass
class Watched:
    """What is seen of a worker process.

    Attributes:
        peak: Largest resident set in MB.
        cpu: Moments, and the seconds of a core that it had used by then.
    """

    peak: float
    cpu: list[tuple[float, float]]

    def used(self, since: float) -> float:
        """Seconds of a core used since a moment."""
        before = [cpu for moment, cpu in self.cpu if moment <= since]
        return self.cpu[-1][1] - (before[-1] if before else 0.0)


@contextlib.contextmanager
def watched_workers() -> Iterator[dict[str, Watched]]:
    """The workers by process, as long as the context lasts."""
    seen: dict[str, Watched] = {}
    ended = threading.Event()
    here = Path("/proc/self/ns/net").readlink()

    def look(process: Path) -> None:
        is_worker = (process / "cmdline").read_bytes().startswith(b"ray::EnhanceWorker")
        if is_worker and (process / "ns/net").readlink() == here:
            status = (process / "status").read_text()
            one = seen.setdefault(process.name, Watched(0.0, []))
            one.peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
            user, system = (process / "stat").read_text().rpartition(")")[2].split()[11:13]
            ticks = os.sysconf("SC_CLK_TCK")
            one.cpu.append((time.time(), (int(user) + int(system)) / ticks))

    def watch() -> None:
        while not ended.wait(0.3):
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError, ValueError, IndexError):
                    look(process)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def measure(workers: int, photos: Path, out: Path, options: list[str]) -> Figures:
    """Measure one run."""
    with nodes(workers) as address, watched_workers() as seen:
        words = ["apply", photos, "--out", out, "--cluster", address, "--new-times", *options]
        began = time.time()
        run = timed([sys.executable, "-m", "enhance_cli", *words])
    ended = sorted(path.stat().st_mtime for path in out.rglob("*.jpg"))
    first = len(ended) // 4  # by then, all workers have loaded the networks
    count = len(ended) - 1 - first
    rate = count / (ended[-1] - ended[first])
    cpu = sum(one.used(ended[first]) for one in seen.values()) / count
    peak = max(one.peak for one in seen.values())
    return Figures(workers, ended[0] - began, rate, cpu, peak, run.peak)


def on_this_machine(photos: Path, out: Path, options: list[str]) -> Run:
    """The same without a cluster, on one core."""
    command = ["taskset", "-c", "0", sys.executable, "-m", "enhance_cli", "apply"]
    return timed([*command, photos, "--out", out, *options])


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder of photos, instead of made ones")
    parser.add_argument("--count", type=int, default=96, help="number of photos that are made")
    parser.add_argument("--full-size", action="store_true")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    given = parser.parse_args()
    if INSIDE not in os.environ:
        alone = ["unshare", "-n", "-r", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
        path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
        own = {INSIDE: "1", "PYTHONPATH": path, "RAY_USAGE_STATS_ENABLED": "0"}
        again = [*alone, sys.executable, *sys.argv]
        raise SystemExit(subprocess.run(again, env={**os.environ, **own}, check=False).returncode)
    options = ["--device", "cpu", *(["--full-size"] if given.full_size else [])]
    found: list[Figures] = []
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch)
        photos = given.photos or make_photos(base / "in", given.count, MEGAPIXELS)
        print(f"{machine()}\n")
        print("| workers | photos/s | CPU, s each | first result, s | a worker, MB | driver, MB |")
        print("|---|---|---|---|---|---|", flush=True)
        for workers in (1, 2):
            one = measure(workers, photos, base / f"out-{workers}", options)
            found.append(one)
            shown = f"| {workers} | {one.rate:.2f} | {one.cpu:.2f} | {one.start:.1f} "
            print(f"{shown}| {one.worker:.0f} | {one.driver:.0f} |", flush=True)
        local = on_this_machine(photos, base / "out-local", options)
        count = len(list((base / "out-local").rglob("*.jpg")))
    print(f"\nWithout a cluster, on one core: {count / local.seconds:.2f} photos/s with the start")
    if given.json:
        figures = {"machine": machine(), "runs": [asdict(one) for one in found]}
        given.json.write_text(json.dumps({**figures, "local": vars(local)}, indent=2) + "\n")


if __name__ == "__main__":
    main()

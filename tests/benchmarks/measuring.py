"""Times commands as whole processes, alternating between them, and measures their peak memory."""

import contextlib
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Run:
    """Measurements of one process.

    Attributes:
        seconds: Wall-clock time.
        peak: Largest resident set in MB.
        gpu_waits: Share of the time in which the GPU was idle, in [0, 1]; None without a GPU.
    """

    seconds: float
    peak: float
    gpu_waits: float | None = None


def timed(command: Sequence[object]) -> Run:
    """Run a command to its end. If it fails, the benchmark ends.

    First, the disk takes what earlier commands have written: they do not wait for it themselves,
    and the next one would have to.
    """
    os.sync()
    words = [str(word) for word in command]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with watched_gpu() as busy:
        began = time.perf_counter()
        with subprocess.Popen(words, **quiet) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{' '.join(words)}: exit code {process.returncode}")
    return Run(seconds, usage.ru_maxrss / 1024, 1 - statistics.mean(busy) / 100 if busy else None)


@contextlib.contextmanager
def watched_gpu() -> Iterator[list[int]]:
    """Sample the first GPU's utilisation, in percent, ten times a second; nothing without a GPU."""
    busy: list[int] = []
    if not shutil.which("nvidia-smi"):
        yield busy
        return
    query = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(["nvidia-smi", *query, "--loop-ms=100"], stdout=output) as watcher:
            try:
                yield busy
            finally:
                watcher.terminate()
        output.seek(0)
        busy += [int(line) for line in output.read().split() if line.isdigit()]


@dataclass(frozen=True)
class PerPhoto:
    """The cost of one more photo, without start-up.

    Attributes:
        seconds: Seconds per photo, one value for each round.
        start: Seconds of start-up, median of the rounds.
        peak: Largest resident set in MB.
        gpu_waits: Share of the time in which the GPU was idle, in [0, 1]; None without a GPU.
    """

    seconds: list[float]
    start: float
    peak: float
    gpu_waits: float | None = None

    @property
    def median(self) -> float:
        """Median of the rounds, in seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Difference between the slowest and the fastest round, as a share of the median."""
        return (max(self.seconds) - min(self.seconds)) / self.median


def per_photo(
    commands: dict[str, Callable[[Path], Sequence[object]]],
    few: Path,
    many: Path,
    rounds: int,
) -> dict[str, PerPhoto]:
    """Time commands on a small and on a large folder; each round runs all of them once.

    Args:
        commands: Functions from a folder of photos to the command, by name.
        few: A folder of a few photos.
        many: A folder of more photos of the same kind.
        rounds: Number of rounds.
    """
    counts = [len(list(folder.iterdir())) for folder in (few, many)]
    seen: dict[str, list[tuple[Run, Run]]] = {name: [] for name in commands}
    for command in commands.values():
        timed(command(few))  # compiles functions and fills the disk cache
    for number in range(rounds):
        for name, command in commands.items():
            both = timed(command(few)), timed(command(many))
            seen[name].append(both)
            each = (both[1].seconds - both[0].seconds) / (counts[1] - counts[0])
            print(f"round {number + 1}/{rounds}: {name}: {1 / each:.2f} photos/s", flush=True)
    results = {}
    for name, runs in seen.items():
        each = [(large.seconds - small.seconds) / (counts[1] - counts[0]) for small, large in runs]
        start = [
            small.seconds - counts[0] * one for (small, _), one in zip(runs, each, strict=True)
        ]
        peak = max(run.peak for both in runs for run in both)
        waits = [large.gpu_waits for _, large in runs if large.gpu_waits is not None]
        idle = statistics.median(waits) if waits else None
        results[name] = PerPhoto(each, statistics.median(start), peak, idle)
    return results


def machine() -> str:
    """The number of cores, and the processor's name as the system gives it."""
    names = [
        line.partition(":")[2].strip()
        for line in (CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else ())
        if line.startswith("model name")
    ]
    return f"{len(os.sched_getaffinity(0))} cores of {names[0] if names else platform.processor()}"

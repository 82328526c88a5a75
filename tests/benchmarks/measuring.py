"""Commands timed as whole processes, turn about, with their peak memory."""

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
    """One process: seconds by the clock, its largest resident set in MB, the GPU's idle share."""

    seconds: float
    peak: float
    gpu_waits: float | None = None


def timed(command: Sequence[object]) -> Run:
    """Run a command to its end; one that fails ends the benchmark."""
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
    """Collect how busy the first GPU is, in percent, ten times a second; nothing where none is."""
    busy: list[int] = []
    if not shutil.which("nvidia-smi"):
        yield busy
        return
    query = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--id=0"]
    with tempfile.TemporaryFile("w+") as told:
        with subprocess.Popen(["nvidia-smi", *query, "--loop-ms=100"], stdout=told) as watcher:
            try:
                yield busy
            finally:
                watcher.terminate()
        told.seek(0)
        busy += [int(line) for line in told.read().split() if line.isdigit()]


@dataclass(frozen=True)
class PerPhoto:
    """What a further photo costs, start-up apart, round by round."""

    seconds: list[float]
    start: float
    peak: float
    gpu_waits: float | None = None

    @property
    def median(self) -> float:
        """Seconds, median of the rounds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Largest less smallest, as a share of the median."""
        return (max(self.seconds) - min(self.seconds)) / self.median


def per_photo(
    commands: dict[str, Callable[[Path], Sequence[object]]],
    few: Path,
    many: Path,
    rounds: int,
) -> dict[str, PerPhoto]:
    """Time every command on a small and on a large folder, in turn, several times.

    Args:
        commands: Each gives the command for a folder of photos.
        few: A folder.
        many: A folder with more of the same photos.
        rounds: How often.
    """
    counts = [len(list(folder.iterdir())) for folder in (few, many)]
    seen: dict[str, list[tuple[Run, Run]]] = {name: [] for name in commands}
    for command in commands.values():
        timed(command(few))  # compiles what is to be compiled, and fills the disk's cache
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
    """The processor, as the system calls it, and how much of it there is."""
    names = [
        line.partition(":")[2].strip()
        for line in (CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else ())
        if line.startswith("model name")
    ]
    return f"{len(os.sched_getaffinity(0))} cores of {names[0] if names else platform.processor()}"

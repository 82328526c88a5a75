"""How long a command takes to show something, to answer, and to finish its first photo."""

import argparse
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from measuring import machine
from photos import make_photos

ROOT = Path(__file__).parents[2]
POLL = 0.005
"""Seconds between two looks at the output folder."""


@dataclass(frozen=True)
class Answer:
    """Measurements of one process.

    Attributes:
        wall: Seconds until its end.
        processor: Processor time, user and system, in seconds.
        awaited: Seconds until what was awaited happened; None if nothing was.
    """

    wall: float
    processor: float
    awaited: float | None = None


class Program:
    """The command of a checkout.

    Args:
        source: Folder of the checkout.
    """

    def __init__(self, source: Path) -> None:
        self._environment = {**os.environ, "PYTHONPATH": str(source), "TERM": "xterm"}
        self._source = source

    def run(self, words: list[object], awaited: Callable[[], bool] | None = None) -> Answer:
        """Run a command to its end, whatever its exit code; look for what is awaited meanwhile."""
        command = [sys.executable, "-m", "enhance_cli", *map(str, words)]
        began, seen = time.perf_counter(), None
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            cwd=self._source,
        )
        ended = 0
        while awaited and seen is None and not ended:
            if awaited():
                seen = time.perf_counter() - began
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            time.sleep(POLL)
        if not ended:
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return Answer(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, seen)

    def first_sign(self, words: list[object]) -> float:
        """Run a command on a terminal; return the seconds until it shows anything."""
        command = [sys.executable, "-m", "enhance_cli", *map(str, words)]
        began = time.perf_counter()
        with _terminal() as (own, its):
            process = subprocess.Popen(
                command, stdout=its, stderr=its, env=self._environment, cwd=self._source
            )
            os.read(own, 1)
            seconds = time.perf_counter() - began
            process.terminate()
            process.wait()
        return seconds


@contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    own, its = pty.openpty()
    try:
        yield own, its
    finally:
        os.close(its)
        os.close(own)


def answers(folder: Path) -> dict[str, list[object]]:
    """The commands that need no PyTorch, by what they show."""
    photos, done = folder / "photos", folder / "done"
    apply = ["apply", photos, "--out"]
    return {
        "--version": ["--version"],
        "--help": ["--help"],
        "nothing to do": [*apply, done],
        "--dry-run": [*apply, folder / "new", "--dry-run"],
        "missing folder": ["apply", folder / "gone", "--out", folder / "new"],
        "wrong option": [*apply, folder / "new", "--quality", "0"],
        "wrong weights": [*apply, folder / "new", "--weights", photos / "00000.jpg"],
        "eval, missing folder": ["eval", "--pairs", folder / "gone"],
        "train, missing folder": ["train", "--pairs", folder / "gone"],
        "train --print-recipe": ["train", "--print-recipe"],
    }


def first_photo(program: Program, folder: Path, number: int) -> Answer:
    """Retouch all photos; wait for the first result to appear."""
    out = folder / f"out-{number}"
    return program.run(
        ["apply", folder / "photos", "--out", out], lambda: any(out.glob("[!.]*.jpg"))
    )


def importing(module: str) -> Callable[[], float]:
    """Time a Python process that imports one module."""

    def run() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
        return time.perf_counter() - began

    return run


def main() -> None:
    """Measure all in rounds, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--source", type=Path, default=ROOT, help="checkout to measure")
    given = parser.parse_args()
    program = Program(given.source.resolve())
    seen: dict[str, list[Answer]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_photos(folder / "photos", 4, 24)
        program.run(["apply", folder / "photos", "--out", folder / "done"])  # compiles functions
        for number in range(given.rounds):
            for name, words in answers(folder).items():
                seen.setdefault(name, []).append(program.run(words))
            sign = program.first_sign(["apply", folder / "photos", "--out", folder / f"s-{number}"])
            seen.setdefault("first sign on a terminal", []).append(Answer(sign, 0))
            seen.setdefault("first photo of 24 MP", []).append(first_photo(program, folder, number))
            seen.setdefault("(import torch)", []).append(Answer(importing("torch")(), 0))
    print(f"{machine()}; {given.rounds} rounds, medians")
    print("| | s | processor time, s |\n|---|---|---|")
    for name, runs in seen.items():
        awaited = [run.wall if run.awaited is None else run.awaited for run in runs]
        processor = statistics.median(run.processor for run in runs)
        print(f"| {name} | {statistics.median(awaited):.2f} | {processor:.2f} |")


if __name__ == "__main__":
    main()

"""A run that is killed at any moment, and the next one, end as one unbroken run does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROUNDS = 100

PROGRAM = """
import collections, hashlib, json, os, random, re, shutil, signal, sys
from pathlib import Path

import enhance_cli.inference.enhancer, enhance_cli.batch.process_photo  # before the first fork
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.config.apply import ApplyConfig

home, weights, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
WATCHED = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.utime", "os.chmod"}


def config(strength=1.0):
    made = home / "made"
    return ApplyConfig(
        (home / "photos",), made / "out", weights=weights, device="cpu", strength=strength,
        compare=made / "compare", lut=made / "lut", lut_size=5, gallery=made / "all.html",
    )


def in_a_fork(strength=1.0, kill_at=None):
    # Run in a process that is killed before the given access to a file of the run.
    read, write = os.pipe()
    process = os.fork()
    if not process:
        accesses = 0

        def watch(event, arguments):
            nonlocal accesses
            if event in WATCHED and str(home) in str(arguments[0]):
                accesses += 1
                if accesses == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        outcomes = list(BatchRunner(config(strength)))
        counts = collections.Counter(f"{one.status}: {one.reason}" for one in outcomes)
        os.write(write, json.dumps([accesses, counts]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    os.waitpid(process, 0)
    return json.loads(said) if said else None


def state():
    made = home / "made"
    files = {
        str(path.relative_to(made)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(made.rglob("*"))
        if path.is_file() and not path.name.startswith(".enhance-run")
    }
    if "all.html" in files:  # the map of a photo is shown by the run that retouched it
        files["all.html"] = re.findall('<a href="(.*?)"', (made / "all.html").read_text())
    return files


accesses, _ = in_a_fork()
expected = state()
problems = []
for seed in range(rounds):
    draw = random.Random(seed)
    shutil.rmtree(home / "made")
    if draw.random() < 0.5:
        in_a_fork(strength=0.5)  # so that results are replaced
    for _ in range(draw.choice([1, 1, 2])):
        in_a_fork(kill_at=draw.randint(1, accesses))
    in_a_fork()
    if state() != expected:
        found = state()
        changed = [name for name in {*found, *expected} if found.get(name) != expected.get(name)]
        problems.append([seed, "another state", sorted(changed)])
    _, counts = in_a_fork()
    if set(counts) != {"skipped: up to date"}:
        problems.append([seed, "not up to date", counts])
print(json.dumps([accesses, problems]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(sys, "addaudithook") or sys.platform == "win32", reason="forks")
def test_after_a_hundred_kills(tmp_path, write_photo, brightening_weights):
    for number in range(3):
        pixels = np.full((60, 90, 3), 50 * number, np.uint8)
        write_photo(tmp_path / "photos" / f"{number % 2}" / f"{number}.png", pixels)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path, brightening_weights, str(ROUNDS)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    accesses, problems = json.loads(ran.stdout.splitlines()[-1])
    assert accesses > 100, "there are many moments at which it can be killed"
    assert problems == []

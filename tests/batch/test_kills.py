"""A run that is killed at any moment, and the next one, end as one unbroken run does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from enhance_cli.config.model import ModelConfig
from enhance_cli.inference.weights import save_weights
from enhance_cli.inference.weights_file import Provenance
from enhance_cli.models.cascade import Cascade

TESTS = Path(__file__).parents[1]
ROUNDS = int(os.environ.get("ENHANCE_KILLS", "100"))

PROGRAM = """
import collections, hashlib, json, mmap, os, random, re, shutil, signal, sys, time
from pathlib import Path

# Everything is imported, and the networks are loaded, before the first fork.
import torch
import enhance_cli.batch.process_photo, enhance_cli.models.cenet
from enhance_cli.batch import runner
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.inference.enhancer import Enhancer
from small_backbone import SmallBackbone

torch.set_num_threads(1)
torch.set_num_threads = lambda number: None  # a forked process has no threads of PyTorch's
enhance_cli.models.cenet.ResNet = SmallBackbone
home, weights, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
enhancer = Enhancer.load(weights, "cpu")
Enhancer.load = lambda *arguments: enhancer
digest = runner.settings_digest
runner.settings_digest = lambda config, _: digest(config, Path(home / "photos" / "0" / "0.png"))

WATCHED = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.utime", "os.chmod"}
last = mmap.mmap(-1, 4096)  # the last access to a file, shared with the forked process


def config(strength=1.0):
    made = home / "made"
    return ApplyConfig(
        (home / "photos",), made / "out", weights=weights, device="cpu", strength=strength,
        compare=made / "compare", lut=made / "lut", lut_size=5, gallery=made / "all.html",
    )


def in_a_fork(strength=1.0, kill_at=None, kill_after=None):
    # Run in a process that is killed before the given access to a file of the run, or after so
    # many seconds. None if it was killed.
    read, write = os.pipe()
    last[:] = bytes(len(last))
    process = os.fork()
    if not process:
        accesses = 0

        def watch(event, arguments):
            nonlocal accesses
            if event in WATCHED and str(home) in str(arguments[0]):
                accesses += 1
                text = f"{event} {arguments[0]}".encode()[:4000]
                last[: len(text) + 1] = text + bytes(1)
                if accesses == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        outcomes = list(BatchRunner(config(strength)))
        counts = collections.Counter(f"{one.status}: {one.reason}" for one in outcomes)
        os.write(write, json.dumps([accesses, counts]).encode())
        os._exit(0)
    os.close(write)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(process, signal.SIGKILL)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    os.waitpid(process, 0)
    return json.loads(said) if said else None


def landed(by):
    # Where a kill has landed, in words.
    event, _, path = last[:].split(bytes(1))[0].decode(errors="replace").partition(" ")
    place = path.removeprefix(str(home / "made") + "/")
    results = [p for p in (home / "made" / "out").rglob("*.png") if p.name[0] != "."]
    if not event:
        where = "before the first access"
    elif place.startswith("all.html") or "/." not in place and place.endswith(".part"):
        where = "in the gallery"
    elif event in {"os.rename", "os.link"}:
        where = "between record and rename"
    elif event == "os.remove":
        where = "between rename and removal"
    elif place.startswith(("lut", "compare")):
        where = "in side outputs"
    elif ".enhance-run" in place:
        where = "at lock, notes and records"
    elif not results:
        where = "before the first result"
    else:
        where = "at results"
    return f"{by}: {where}"


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


list(BatchRunner(config()))  # imports and compiles the rest, so that a fork begins at once
shutil.rmtree(home / "made")
accesses, _ = in_a_fork()
shutil.rmtree(home / "made")
began = time.monotonic()
in_a_fork()
seconds = time.monotonic() - began
expected = state()
problems, kills, found = [], collections.Counter(), collections.Counter()
for seed in range(rounds):
    draw = random.Random(seed)
    shutil.rmtree(home / "made")
    if draw.random() < 0.5:
        in_a_fork(strength=0.5)  # so that results are replaced
    for _ in range(draw.choice([1, 1, 2])):
        by_time = draw.random() < 0.3
        if by_time:
            ended = in_a_fork(kill_after=draw.random() * seconds)
        else:
            ended = in_a_fork(kill_at=draw.randint(1, accesses))
        by = "by time" if by_time else "by count"
        kills[landed(by) if ended is None else f"{by}: had ended before"] += 1
    _, counts = in_a_fork()
    found.update(counts)
    if state() != expected:
        other = state()
        changed = [name for name in {*other, *expected} if other.get(name) != expected.get(name)]
        problems.append([seed, "another state", sorted(changed)])
    _, counts = in_a_fork()
    if set(counts) != {"skipped: up to date"}:
        problems.append([seed, "not up to date", counts])
print(json.dumps([accesses, problems, kills, found]))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("small_backbone")
@pytest.mark.skipif(not hasattr(sys, "addaudithook") or sys.platform == "win32", reason="forks")
def test_after_a_hundred_kills(tmp_path, write_photo):
    weights = tmp_path / "small.safetensors"
    model = Cascade(ModelConfig("ce", input_side=64, fit="squash"))
    assert model.cenet is not None
    with torch.no_grad():
        model.cenet.head[-1].bias[9:] = 0.1
    save_weights(weights, model, Provenance())
    for number in range(3):
        pixels = np.full((60, 90, 3), 50 * number, np.uint8)
        write_photo(tmp_path / "photos" / f"{number % 2}" / f"{number}.png", pixels)
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path, weights, str(ROUNDS)],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    accesses, problems, kills, found = json.loads(ran.stdout.splitlines()[-1])
    print(accesses, "accesses", kills, found)  # noqa: T201, shown by pytest -s
    assert accesses > 100, "there are many moments at which it can be killed"
    assert sum(count for where, count in kills.items() if "ended" not in where) >= 0.8 * ROUNDS
    assert problems == []

"""The real work on real nodes of Ray gives what one machine gives."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("ray")
pytest.importorskip("obstore")

from enhance_cli.cloud.cluster.cluster_run import cluster_engine, work_through_cluster
from enhance_cli.cloud.cluster.connection import connected
from enhance_cli.cloud.machine import work_through
from enhance_cli.cloud.run import begin_run, prepare_run
from enhance_cli.cloud.worker import ShardWorker
from enhance_cli.config.apply import ApplyConfig
from tests.cloud.cluster.nodes import alone_on_the_network, ray_nodes
from tests.stored import results, upload

pytestmark = pytest.mark.slow


def write_photos(folder, count):
    pixels = np.random.default_rng(7).integers(0, 255, (8, 12, 3), dtype=np.uint8)
    for number in range(count):
        path = folder / f"{number % 3}" / f"{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(pixels, number, 1)).resize((120, 80)).save(path)
    (folder / "0" / "000.jpg").write_bytes(b"\xff\xd8 not a photo")


def begun(folder, out, weights):
    config = ApplyConfig((folder,), out, weights=weights, device="cpu", look_files=True)
    return begin_run(prepare_run(config, [str(folder)], str(out)))


def on_one_machine(run):
    worker = ShardWorker(run)
    try:
        return list(work_through(run, worker))
    finally:
        worker.close()


def told(outcomes, out):
    return sorted(
        (one.input, one.status, (one.output or "").removeprefix(str(out))) for one in outcomes
    )


@alone_on_the_network
def test_a_cluster_gives_what_one_machine_gives(tmp_path, brightening_weights):
    write_photos(tmp_path / "photos", 60)
    (tmp_path / "photos" / "1" / "enhance.toml").write_text("strength = 0.5\n")
    one = begun(tmp_path / "photos", tmp_path / "one", brightening_weights)
    expected = on_one_machine(one)
    many = begun(tmp_path / "photos", tmp_path / "many", brightening_weights)
    warnings, looks = [], []
    with ray_nodes(2) as nodes, connected(nodes.address):
        engine = cluster_engine(many, warnings.append, looks.append)
        outcomes = list(work_through_cluster(many, engine))
        assert told(outcomes, tmp_path / "many") == told(expected, tmp_path / "one")
        assert results(tmp_path / "many") == results(tmp_path / "one")
        assert len(results(tmp_path / "many")) == 59
        assert engine.progress.failed == 1
        assert warnings == []
        assert looks == [str(tmp_path / "photos" / "1" / "enhance.toml")]
        again = begun(tmp_path / "photos", tmp_path / "many", brightening_weights)
        second = list(work_through_cluster(again, cluster_engine(again, warnings.append)))
    assert {one.status for one in second} == {"skipped", "failed"}


@alone_on_the_network
def test_from_bucket_to_bucket(tmp_path, s3, bucket, brightening_weights):
    write_photos(tmp_path / "photos", 60)
    upload(s3, tmp_path / "photos", f"{bucket}/in")
    on_one_machine(begun(tmp_path / "photos", tmp_path / "one", brightening_weights))
    with ray_nodes(2) as nodes:
        words = command(f"{bucket}/in", f"{bucket}/out", nodes.address, "--json")
        words += ["--weights", str(brightening_weights)]
        first = subprocess.run(words, capture_output=True, text=True, check=False)
        second = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (first.returncode, second.returncode) == (3, 3), "the file that is no photo fails"
    assert results(f"{bucket}/out") == results(tmp_path / "one")
    statuses = [
        Counter(one["status"] for one in json.loads(run.stdout)["photos"])
        for run in (first, second)
    ]
    assert statuses == [{"done": 59, "failed": 1}, {"skipped": 59, "failed": 1}]


def command(folder, out, address, *more):
    words = [
        "apply",
        str(folder),
        "--out",
        str(out),
        "--cluster",
        address,
        "--device",
        "cpu",
        *more,
    ]
    return [sys.executable, "-m", "enhance_cli", *words]


def ray_actors():
    """Processes of this network in which an actor of ours lives."""
    here = Path("/proc/self/ns/net").readlink()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            titled = b"ray::EnhanceWorker" in (folder / "cmdline").read_bytes()
            if titled and (folder / "ns/net").readlink() == here:
                found.append(int(folder.name))
    return found


def wait_until(condition, seconds=300):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@alone_on_the_network
def test_a_driver_that_is_killed_leaves_nothing_half_done(tmp_path, brightening_weights):
    write_photos(tmp_path / "photos", 300)
    out, options = tmp_path / "out", ("--weights", str(brightening_weights), "--json")
    one = begun(tmp_path / "photos", tmp_path / "one", brightening_weights)
    on_one_machine(one)
    expected = results(tmp_path / "one")
    with ray_nodes(2) as nodes:
        words = command(tmp_path / "photos", out, nodes.address, *options)
        driver = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: len(list(out.rglob("*.jpg"))) > 20)
        finally:
            driver.kill()
        driver.wait()
        wait_until(lambda: not ray_actors())
        before = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
        names = {path.relative_to(out).as_posix() for path in before}
        assert 20 < len(names) < 299
        assert all(expected[name] == (out / name).read_bytes() for name in names), "none is half"
        again = subprocess.run(words, capture_output=True, text=True, check=False)
        assert again.returncode == 3, again.stderr
        told = json.loads(again.stdout)
    assert results(out) == expected, "nothing is lost"
    assert told["done"] + told["skipped"] == 299
    assert told["failed"] == 1
    assert len(before) - told["skipped"] <= 8, "done twice is at most what was in flight"


@alone_on_the_network
def test_ctrl_c_and_the_command_line(tmp_path, brightening_weights):
    write_photos(tmp_path / "photos", 300)
    options = ("--weights", str(brightening_weights), "--json")
    with ray_nodes(2) as nodes:
        words = command(tmp_path / "photos", tmp_path / "out", nodes.address, *options)
        driver = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            wait_until(lambda: len(list((tmp_path / "out").rglob("*.jpg"))) > 20)
            driver.send_signal(signal.SIGINT)
            stdout, stderr = driver.communicate(timeout=300)
        finally:
            driver.kill()
    assert driver.returncode == 130, stderr
    told = json.loads(stdout)
    assert 20 < told["done"] < 299
    assert len(results(tmp_path / "out")) == told["done"], "what was begun was finished"
    said = stderr.splitlines()
    assert "finishing the photos in progress; press Ctrl-C again to stop at once" in said
    assert said[-1] == "error: interrupted; the same command continues from here"
    assert "ray" not in stderr.lower()

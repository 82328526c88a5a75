"""``enhance watch`` as a process: what it prints, and how it is ended and started again."""

import inspect
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from enhance_cli.cli.apply.command import apply
from enhance_cli.cli.main import app
from enhance_cli.cli.watch import OF_ONE_RUN, SHARED, watch
from enhance_cli.errors import UsageError

DEADLINE = 120.0

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")


def wait_for(condition, process) -> None:
    until = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        assert process.poll() is None, "it ended"
        time.sleep(0.05)


class Started:
    def __init__(self, folder: Path, *words) -> None:
        self.told, self.said = folder / "stdout.txt", folder / "stderr.txt"
        command = [sys.executable, "-m", "enhance_cli", "watch", *map(str, words)]
        with self.told.open("w") as told, self.said.open("w") as said:
            self.process = subprocess.Popen(command, stdout=told, stderr=said)

    def await_text(self, text: str) -> None:
        wait_for(lambda: text in self.said.read_text() + self.told.read_text(), self.process)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=DEADLINE)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def start(folder, tmp_path, brightening_weights):
    begun = []

    def start(*words) -> Started:
        common = (folder, "--out", tmp_path / "out", "--weights", brightening_weights)
        begun.append(Started(tmp_path, *common, "--settle", "0.3", *words))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_idle_watch_ends_at_once(start, number):
    run = start()
    run.await_text("watching")
    started = time.monotonic()
    assert run.end(number) == 130
    assert time.monotonic() - started < DEADLINE / 4
    assert run.told.read_text() == "0 done, 0 failed, 0 skipped\n"
    assert "Traceback" not in run.said.read_text()
    assert "finishing" not in run.said.read_text()


@pytest.mark.parametrize("words", [(), ("--poll",)], ids=["notified", "polling"])
def test_the_photos_in_progress_are_finished(start, folder, write_photo, tmp_path, words):
    for number in range(200):
        write_photo(folder / f"{number:03}.jpg", size=(600, 400))
    run = start(*words)
    run.await_text("001.jpg: done")
    assert run.end(signal.SIGTERM) == 130
    assert "finishing the photos in progress" in run.said.read_text()
    done = list((tmp_path / "out").glob("*.jpg"))
    assert 2 <= len(done) < 200 and not list((tmp_path / "out").glob(".*.part"))
    assert run.told.read_text() == f"{len(done)} done, 0 failed, 0 skipped\n"


def test_a_second_interrupt_stops_at_once(start, folder, write_photo):
    large = write_photo(folder / "000.png", np.zeros((5000, 5000, 3), np.uint8))
    for number in range(1, 20):
        (folder / f"{number:03}.png").hardlink_to(large)
    run = start("--full-size", "--format", "webp")
    run.await_text("000.png: done")
    run.process.send_signal(signal.SIGINT)
    run.await_text("finishing")
    assert run.end(signal.SIGINT) == 130
    assert "Traceback" not in run.said.read_text()


def test_a_killed_watch_goes_on_when_it_is_started_again(start, folder, write_photo, tmp_path):
    for number in range(60):
        write_photo(folder / f"{number:02}.jpg", size=(600, 400))
    run = start()
    run.await_text("01.jpg: done")
    run.end(signal.SIGKILL)
    finished = len(list((tmp_path / "out").glob("*.jpg")))
    assert 2 <= finished < 60
    run = start("--json-lines", "-q")
    wait_for(lambda: run.told.read_text().count("\n") == 60, run.process)
    run.end(signal.SIGINT)
    lines = [json.loads(line) for line in run.told.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["photo"] * 60 + ["end"]
    assert lines[-1]["failed"] == 0 and lines[-1]["skipped"] >= finished
    assert lines[-1]["done"] + lines[-1]["skipped"] == 60 and lines[-1]["interrupted"]
    assert not list((tmp_path / "out").glob(".*.part"))


def test_lines_of_json_and_messages(start, folder, write_photo):
    (folder / "bad.jpg").write_text("no photo")
    write_photo(folder / "a.jpg")
    run = start("--json-lines")
    run.await_text("error: ")
    assert run.end(signal.SIGINT) == 130
    lines = [json.loads(line) for line in run.told.read_text().splitlines()]
    photos = [line for line in lines if line["event"] == "photo"]
    statuses = {Path(line["input"]).name: line["status"] for line in photos}
    assert statuses == {"a.jpg": "done", "bad.jpg": "failed"}
    (early,) = (line["text"] for line in lines if line["event"] == "trouble")
    assert "bad.jpg: not a photo" in early and "trying again" in early
    assert lines[-1]["done"] == lines[-1]["failed"] == 1
    messages = run.said.read_text()
    assert messages.index("warning: ") < messages.index("error: ")
    assert messages.count("bad.jpg") == 2


class TestOptions:
    def test_they_are_those_of_apply(self):
        own, shared = (inspect.signature(one).parameters for one in (watch, apply))
        only_apply = {
            "from_list", "gallery", "no_pictures", "series", "series_gap", "shard", "cluster",
            "dry_run", "as_json",
        }  # fmt: skip
        assert shared.keys() - own.keys() == only_apply
        assert own.keys() - shared.keys() == {"settle", "poll"}

    def test_each_parameter_of_apply_is_taken_or_left_out_on_purpose(self):
        assert sorted((*SHARED, *OF_ONE_RUN)) == sorted(inspect.signature(apply).parameters)

    @pytest.mark.parametrize(
        "words", [("--shard", "1/2"), ("--cluster", "auto"), ("--gallery", "g.html"), ("-n",)]
    )
    def test_options_that_would_have_no_effect_are_refused(self, folder, tmp_path, words):
        result = CliRunner().invoke(app, ["watch", str(folder), "-o", str(tmp_path / "o"), *words])
        assert result.exit_code == 2 and f"{words[0]}: no such option" in result.stderr

    def test_every_option_reaches_the_watch(self, folder, tmp_path, monkeypatch):
        seen = []

        def stop(*arguments):
            seen.append(arguments)
            raise UsageError("stop here")

        monkeypatch.setattr("enhance_cli.batch.watch.watcher.Watcher", stop)
        (folder / "enhance.toml").write_text('format = "webp"\nquality = 50\n')
        words = (
            "--strip-gps --pairs raw --exclude a --lut l --compare c --srgb --strength 0.5 "
            "--full-size --contrast 5 --quality 70 --settle 7 --poll --jobs 3 --new-times "
            "--on-conflict rename --suffix _e"
        )
        CliRunner().invoke(app, ["watch", str(folder), "--out", str(tmp_path), *words.split()])
        ((config, settle, poll),) = seen
        assert (settle, poll, config.jobs, config.suffix) == (7, True, 3, "_e")
        assert (config.format, config.encoding.quality) == ("webp", 70)
        assert (config.keep_metadata, config.pairs, config.exclude) == ("no-gps", "raw", ("a",))
        assert (config.lut, config.compare, config.long_edge) == (Path("l"), Path("c"), None)
        assert (config.strength, config.dials.contrast, config.srgb) == (0.5, 5, True)
        assert config.on_conflict == "rename" and not config.keep_times
        assert config.inputs == (folder,) and config.out == tmp_path

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("gone", "--out", "o"), "gone: no such folder"),
            (("a.jpg", "--out", "o"), "only folders are watched"),
            (("-", "--out", "o"), "- is a single photo"),
            (("in", "--out", "-"), "- is a single photo"),
            (("in", "--out", "b.jpg"), "names a file"),
            (("in",), "--out DIR is missing"),
            (("in", "--out", "in"), "is watched"),
            (("in", "--out", "o", "--on-conflict", "error"), "--on-conflict error"),
            (("in", "--out", "o", "--settle", "-1"), "--settle"),
            (("in", "--out", "o", "--device", "gpu"), "not a device"),
            (("in", "--out", "o", "--quiet", "-v"), "give one of the two"),
        ],
    )
    def test_what_cannot_be_meant(self, folder, write_photo, monkeypatch, words, message):
        write_photo(folder.parent / "a.jpg")
        monkeypatch.chdir(folder.parent)
        result = CliRunner().invoke(app, ["watch", *words])
        assert result.exit_code == 2 and message in " ".join(result.stderr.split())

    def test_the_example_of_the_help_works(self, start, folder, write_photo, tmp_path):
        write_photo(folder / "a.png", size=(1200, 800))
        run = start("--full-size", "--suffix", "_enhanced", "-v")
        run.await_text("a.png: done (new)")
        run.end(signal.SIGINT)
        assert Image.open(tmp_path / "out" / "a_enhanced.png").size == (1200, 800)

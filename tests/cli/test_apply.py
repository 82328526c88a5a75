import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app

runner = CliRunner()


@pytest.fixture
def photos(tmp_path, write_photo) -> Path:
    write_photo(tmp_path / "photos" / "a.jpg")
    write_photo(tmp_path / "photos" / "sub" / "b [1].png")
    return tmp_path / "photos"


def apply(*arguments):
    return runner.invoke(app, ["apply", *map(str, arguments)])


def test_the_summary_says_how_many_where_and_how_large(photos, tmp_path, identity_weights):
    told = apply(photos, "--out", tmp_path / "out", "--weights", identity_weights)
    assert told.exit_code == 0
    assert told.stdout.startswith(f"2 done, 0 failed, 0 skipped; in {tmp_path / 'out'}\n")
    assert "500 px on the longer edge (the default)" in told.stdout
    assert "[1/2]" in told.stderr and "b [1].png: done" in told.stderr


def test_one_bad_photo_exits_with_3_and_is_named(photos, tmp_path, identity_weights):
    (photos / "bad.jpg").write_text("no photo")
    told = apply(photos, "--out", tmp_path / "out", "--weights", identity_weights)
    assert told.exit_code == 3
    assert f"error: {photos / 'bad.jpg'}: not a photo" in told.stderr
    assert "2 done, 1 failed, 0 skipped" in told.stdout


def test_json_is_one_document_and_nothing_else(photos, tmp_path, identity_weights):
    (photos / "bad.jpg").write_text("no photo")
    arguments = (photos, "--out", tmp_path / "out", "--weights", identity_weights, "--json")
    document = json.loads(apply(*arguments).stdout)
    assert {name: document[name] for name in ("done", "failed", "skipped")} == {
        "done": 2,
        "failed": 1,
        "skipped": 0,
    }
    done, bad = document["photos"][0], document["photos"][1]
    assert set(done) == {"input", "output", "status", "error", "seconds"}
    assert done["output"] == str(tmp_path / "out" / "a.jpg") and done["error"] is None
    assert bad["output"] is None and "bad.jpg" in bad["error"]
    assert json.loads(apply(*arguments).stdout)["skipped"] == 2


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["gone", "--out", "o"], "gone: no such file or folder", 2),
        (["photos", "--out", "photos"], "would replace the original", 2),
        (["empty", "--out", "o"], "no photo found", 2),
        (["photos", "--out", "o", "--device", "cuda:99"], "--device cpu", 1),
        (["photos", "--out", "o", "--device", "gpu"], "auto, cpu, cuda", 2),
        (["photos", "--out", "o", "--weights", "gone.safetensors"], "no such weights file", 1),
        (["photos", "--out", "photos/a.jpg/x"], "choose another folder", 1),
    ],
)
@pytest.mark.usefixtures("photos")
def test_errors_are_one_line_and_no_traceback(
    tmp_path, monkeypatch, identity_weights, arguments, said, code
):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(identity_weights))
    told = apply(*arguments)
    assert told.exit_code == code
    assert said in told.stderr and told.stderr.count("\n") == 1
    assert not told.stdout


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(
    photos, tmp_path, monkeypatch, identity_weights
):
    from enhance_cli.engine.application import Application

    real, calls = Application._enhance, []

    def interrupted_at_the_second(self, planned):
        calls.append(planned)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, planned)

    monkeypatch.setattr(Application, "_enhance", interrupted_at_the_second)
    told = apply(photos, "--out", tmp_path / "out", "--weights", identity_weights)
    assert told.exit_code == 130
    assert "1 done" in told.stdout and "goes on" in told.stderr
    assert [path.name for path in (tmp_path / "out").rglob("*.*")] == ["a.jpg"]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_real_interrupt_exits_with_130(tmp_path, write_photo, identity_weights):
    for number in range(300):
        write_photo(tmp_path / "photos" / f"{number}.jpg", size=(400, 300))
    command = [sys.executable, "-m", "enhance_cli", "apply", "photos", "--out", "out"]
    with subprocess.Popen(
        [*command, "--weights", identity_weights], cwd=tmp_path, stdout=-1, stderr=-1
    ) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("out/*.jpg")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and b"Traceback" not in said
    assert 0 < len(list(tmp_path.glob("out/*.jpg"))) < 300
    assert not list(tmp_path.glob("out/.*"))

import json

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app
from enhance_cli.cloud.run import CloudRun

runner = CliRunner()


def run(*words: object):
    return runner.invoke(app, [str(word) for word in words])


@pytest.fixture
def photos(tmp_path, write_photo):
    for number in range(6):
        write_photo(tmp_path / "photos" / f"{number}.jpg")
    (tmp_path / "photos" / "bad.jpg").write_text("no photo")
    return tmp_path / "photos"


def test_a_complete_run_and_its_failures(photos, tmp_path, identity_weights, monkeypatch):
    out = tmp_path / "out"
    words = ("apply", photos, "-o", out, "--weights", identity_weights)
    monkeypatch.setattr("sys.argv", ["enhance", *map(str, words), "--shard", "1/1"])
    assert run(*words, "--shard", "1/1").exit_code == 3
    told = run("status", out)
    assert told.exit_code == 0
    assert "7 photos in 1 shard, 1 of them complete" in told.stdout
    assert "6 done, 1 failed, 0 skipped, 0 left" in told.stdout
    assert "bad.jpg: not a photo" in told.stdout
    (found,) = json.loads(run("status", out, "--json").stdout)["runs"]
    assert found["photos"] == 7 and found["left"] == 0 and len(found["failures"]) == 1
    assert found["next"] == f"enhance apply {photos} -o {out} --weights {identity_weights}"
    (photos / "bad.jpg").unlink()
    assert run(*words, "--shard", "1/1").exit_code == 0
    (found,) = json.loads(run("status", out, "--json").stdout)["runs"]
    assert (found["photos"], found["skipped"], found["next"]) == (6, 6, None)


def test_parts_that_have_not_run_are_named(photos, tmp_path, identity_weights):
    out = tmp_path / "out"
    for part in (1, 3):
        run("apply", photos, "-o", out, "--weights", identity_weights, "--shard", f"{part}/4")
    told = run("status", out)
    assert "so far" in told.stdout and "2/4; likewise parts 4" in told.stdout
    (found,) = json.loads(run("status", out, "--json").stdout)["runs"]
    assert found["missing_parts"] == [2, 4] and not found["listed"]


def test_a_run_that_was_cut_short_has_photos_left(photos, tmp_path, identity_weights, monkeypatch):
    def cut_short(self):
        yield from list(whole(self))[:0]

    out = tmp_path / "out"
    whole = CloudRun.shards
    monkeypatch.setattr(CloudRun, "shards", cut_short)
    monkeypatch.setattr(CloudRun, "finish", lambda _self: None)
    run("apply", photos, "-o", out, "--weights", identity_weights, "--shard", "1/1")
    told = run("status", out)
    assert "0 done, 0 failed, 0 skipped, 7 left" in told.stdout and "to go on:" in told.stdout


def test_files_in_the_way_are_not_up_to_date(photos, tmp_path, identity_weights):
    """Of six photos four are done; then a result is edited, and two strangers' files were there."""
    out = tmp_path / "out"
    out.mkdir()
    (photos / "bad.jpg").unlink()
    for name in ("0.jpg", "1.jpg"):
        (out / name).write_bytes(b"a stranger's")
    words = ("apply", photos, "-o", out, "--weights", identity_weights, "--shard", "1/1")
    assert run(*words).exit_code == 0
    told = run("status", out).stdout
    assert "4 done, 0 failed, 2 skipped" in told
    assert "0 up to date, 2 with another file in the place of the result" in told
    (out / "2.jpg").write_bytes(b"edited")
    assert run(*words).exit_code == 0
    told = run("status", out).stdout
    assert "3 up to date, 3 with another file" in told and "--on-conflict" in told
    assert "complete, but for what is in the way" in told
    (found,) = json.loads(run("status", out, "--json").stdout)["runs"]
    assert (found["skipped"], found["up_to_date"], found["in_the_way"]) == (6, 3, 3)
    assert run(*words, "--on-conflict", "overwrite").exit_code == 0
    told = run("status", out).stdout
    assert "in the way" not in told and "up to date" not in told


def test_an_output_without_runs(tmp_path):
    told = run("status", tmp_path)
    assert told.exit_code == 2 and len(told.stderr.splitlines()) == 1
    assert "holds no run" in told.stderr

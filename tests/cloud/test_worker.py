"""Workers that are killed, and photos and places that change meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from stored import apply, results, upload

from enhance_cli.cloud.look_folders import PhotoFiles
from enhance_cli.cloud.machine import work_through
from enhance_cli.cloud.places import open_store
from enhance_cli.cloud.run import begin_run, prepare_run
from enhance_cli.cloud.worker import ShardWorker, report_failed
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import EnhanceError, UsageError


@pytest.fixture
def photos(tmp_path, write_photo):
    folder = tmp_path / "photos"
    for number in range(40):
        write_photo(folder / f"{number:02}.png", size=(60 + number, 40))
    return folder


@pytest.fixture
def begin(identity_weights, tmp_path):
    def begun(source, out, **options):
        config = ApplyConfig((), tmp_path, weights=identity_weights, **options)
        return begin_run(prepare_run(config, [str(source)], str(out)))

    return begun


@pytest.mark.parametrize("kind", ["s3", "file"])
def test_a_killed_run_loses_nothing_and_does_nothing_twice(
    kind, photos, tmp_path, request, identity_weights
):
    s3, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
    upload(s3, photos, f"{bucket}/in")
    out = f"{bucket}/out" if kind == "s3" else str(tmp_path / "out")
    words = ["apply", f"{bucket}/in", "-o", out, "--weights", str(identity_weights), "--jobs", "1"]
    command = [sys.executable, "-m", "enhance_cli", *words]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(results(out)) < 12 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    before = results(out)
    assert 12 <= len(before) < 40
    stamps = {key: open_store(out).head(key) for key in before}
    told = json.loads(apply(*words[1:], "--json").stdout)
    assert told["done"] + told["skipped"] == 40 and not told["failed"]
    again = [one for one in told["photos"] if one["status"] == "done"]
    assert len(again) == 40 - len(before), "all that was stored is known, noted or not"
    assert {one["reason"] for one in told["photos"]} == {"new", "up to date"}
    assert {key: open_store(out).head(key) for key in before} == stamps
    apply(photos, "-o", tmp_path / "local", "--weights", identity_weights)
    assert results(out) == results(tmp_path / "local")
    told = json.loads(apply(*words[1:], "--json").stdout)
    assert told["skipped"] == 40


def test_a_result_that_was_edited_after_a_kill_is_not_replaced(photos, s3, bucket, begin):
    """What was stored and noted, and then changed, is a stranger's, whatever its label says."""
    upload(s3, photos, f"{bucket}/in")
    run = begin(f"{bucket}/in", f"{bucket}/out")
    worker = ShardWorker(run)
    assert {one.status for one in work_through(run, worker)} == {"done"}
    worker.close()
    found = s3.head_object(Bucket=bucket[5:], Key="out/00.png")
    s3.put_object(Bucket=bucket[5:], Key="out/00.png", Body=b"edited", Metadata=found["Metadata"])
    run = begin(f"{bucket}/in", f"{bucket}/out")
    worker = ShardWorker(run)
    outcomes = list(work_through(run, worker))
    worker.close()
    assert [one.status for one in outcomes] == ["skipped"] * 40
    assert outcomes[0].reason == "output exists and was not written by enhance"
    assert results(f"{bucket}/out")["00.png"] == b"edited"


@pytest.mark.parametrize(
    ("on_conflict", "status", "kept"),
    [("skip", "skipped", True), ("rename", "done", True), ("overwrite", "done", False)],
)
def test_an_object_that_comes_into_the_way_during_the_run(
    on_conflict, status, kept, photos, s3, bucket, begin
):
    run = begin(photos, f"{bucket}/out", on_conflict=on_conflict)
    (shard,) = run.shards()

    def comes(number: int) -> None:
        if number == 0:
            s3.put_object(Bucket=bucket[5:], Key="out/00.png", Body=b"a stranger's")

    worker = ShardWorker(run, comes)
    (outcome,) = worker.work(shard, [0])
    worker.close()
    assert outcome.status == status
    found = results(f"{bucket}/out")
    assert (found["00.png"] == b"a stranger's") == kept
    assert ("00-1.png" in found) == (on_conflict == "rename")


def test_two_workers_with_one_shard_store_each_photo_once(photos, bucket, begin):
    run = begin(photos, f"{bucket}/out")
    (shard,) = run.shards()
    one, other = ShardWorker(run), ShardWorker(run)
    first = one.work(shard, [0, 1, 2])
    next(first)
    outcomes = [*other.work(shard, [0, 1, 2]), *first]
    assert {outcome.status for outcome in outcomes} <= {"done", "skipped"}
    assert {outcome.reason for outcome in outcomes} <= {"new", "up to date"}
    one.close()
    other.close()
    assert sorted(results(f"{bucket}/out")) == ["00.png", "01.png", "02.png"]


def test_a_photo_that_is_gone_fails_alone(photos, s3, bucket, begin):
    upload(s3, photos, f"{bucket}/in")
    run = begin(f"{bucket}/in", f"{bucket}/out")
    (shard,) = run.shards()
    s3.delete_object(Bucket=bucket[5:], Key="in/03.png")
    worker = ShardWorker(run)
    outcomes = list(worker.work(shard, [2, 3, 4]))
    assert [one.status for one in outcomes] == ["done", "failed", "done"]
    assert outcomes[1].error == f"{bucket}/in/03.png: is not there any more"
    worker.close()


def test_a_photo_that_changes_after_it_was_listed_is_noted_as_it_was_read(
    photos, s3, bucket, begin, write_photo
):
    upload(s3, photos, f"{bucket}/in")
    run = begin(f"{bucket}/in", f"{bucket}/out")
    (shard,) = run.shards()
    write_photo(photos / "05.png", size=(33, 44))
    s3.put_object(Bucket=bucket[5:], Key="in/05.png", Body=(photos / "05.png").read_bytes())
    worker = ShardWorker(run)
    assert [one.status for one in worker.work(shard, [5])] == ["done"]
    worker.close()
    run = begin(f"{bucket}/in", f"{bucket}/out")
    (shard,) = run.shards()
    worker = ShardWorker(run)
    assert [str(one.verdict.reason) for one in worker.decide(shard, [5])] == ["up to date"]
    worker.close()


def test_a_photo_that_was_given_up_is_noted(photos, tmp_path, begin):
    run = begin(photos, tmp_path / "out")
    (shard,) = run.shards()
    outcome = report_failed(run, shard, 7, "two workers died of it")
    assert outcome.error == f"{photos / '07.png'}: two workers died of it"
    assert outcome.status == "failed"
    logs = list((tmp_path / "out").rglob("done/*/*/*.json"))
    assert "two workers died of it" in logs[0].read_text()


def test_temporary_files_are_removed(photos, s3, bucket, begin, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    upload(s3, photos, f"{bucket}/in")
    run = begin(f"{bucket}/in", f"{bucket}/out")
    worker = ShardWorker(run)
    for _ in work_through(run, worker):
        left = list((tmp_path / "temporary").rglob("*.png"))
        assert len(left) < 30, "photos are fetched no further ahead than they are used"
    assert not list((tmp_path / "temporary").rglob("*.png"))
    worker.close()
    assert not list((tmp_path / "temporary").iterdir())


def test_a_photo_that_may_not_be_read_fails_alone(photos, s3, bucket, begin, monkeypatch):
    upload(s3, photos, f"{bucket}/in")
    run = begin(f"{bucket}/in", f"{bucket}/out")
    (shard,) = run.shards()
    worker = ShardWorker(run)
    fetch = PhotoFiles.fetch

    def refused(self, photo):
        if photo.key == "01.png":
            raise UsageError(f"{self.name(photo)}: access is denied")
        return fetch(self, photo)

    monkeypatch.setattr(PhotoFiles, "fetch", refused)
    assert [one.status for one in worker.work(shard, [0, 1, 2])] == ["done", "failed", "done"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(EnhanceError, match="cannot be reached"):
        list(ShardWorker(run).work(shard, [1]))
    worker.close()


def test_a_result_whose_name_is_too_long_for_the_disk_fails_alone(s3, bucket, tmp_path, photos):
    name = "n" * 252 + ".nef"
    s3.put_object(Bucket=bucket[5:], Key=f"in/{name}", Body=(photos / "00.png").read_bytes())
    s3.put_object(Bucket=bucket[5:], Key="in/n.jpg", Body=(photos / "00.png").read_bytes())
    told = apply(f"{bucket}/in", "-o", tmp_path / "out", "--json")
    assert told.exit_code == 3
    assert sorted(one["status"] for one in json.loads(told.stdout)["photos"]) == ["done", "failed"]


def test_results_on_a_disk_have_permissions_and_times_of_their_photos(photos, tmp_path, begin):
    os.utime(photos / "00.png", ns=(10**18, 10**18))
    (photos / "00.png").chmod(0o640)
    run = begin(photos, tmp_path / "out")
    (shard,) = run.shards()
    worker = ShardWorker(run)
    list(worker.work(shard, [0]))
    worker.close()
    state = (tmp_path / "out" / "00.png").stat()
    assert state.st_mtime_ns == 10**18 and state.st_mode & 0o777 == 0o640

"""What is noted is read again, and old notes go when new ones hold all that they say."""

from __future__ import annotations

import json
import pickle
import string
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from stored import apply
from typer.testing import CliRunner

from enhance_cli.cli.main import app
from enhance_cli.cloud.local_folder import LocalFolder
from enhance_cli.cloud.records import DoneLog, Record, RecordIndex, parse_log
from enhance_cli.cloud.run import CloudRun
from enhance_cli.cloud.shard import CloudPhoto
from enhance_cli.config.apply import ApplyConfig

PARTED = ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "0.jpg", "10.jpg")
"""Names of which each of two parts has some."""

TEXTS = st.text(string.printable + "é\u2028\ud7ff", max_size=8)
RECORDS = st.builds(
    Record,
    photo=st.integers(0, 255),
    input=TEXTS,
    source=TEXTS,
    wanted=TEXTS,
    output=st.none() | TEXTS,
    size=st.integers(0, 2**40),
    version=TEXTS,
    settings=TEXTS,
    status=st.sampled_from(["done", "failed", "skipped"]),
    error=st.none() | TEXTS,
    warnings=st.lists(TEXTS, max_size=2).map(tuple),
    carried=st.booleans(),
)


@given(st.lists(RECORDS, max_size=4))
def test_a_log_is_read_as_it_was_written(tmp_path_factory, records):
    store = LocalFolder(tmp_path_factory.mktemp("out"), "out")
    log = DoneLog(store, "log.json", "0000001", len(records))
    for record in records:
        log.add(record)
    log.end(complete=True)
    found = parse_log(store.read("log.json"))
    assert found is not None and found.complete
    assert found.records == tuple(records)


@given(st.binary(max_size=40) | st.sampled_from([b"{}", b"[]", b"null", b'{"records": [{}]}']))
def test_what_is_no_log_is_left_out(content):
    assert parse_log(content) is None


def test_the_logs_with_a_result_are_found(tmp_path):
    store = LocalFolder(tmp_path, "out")
    for name in "abc":
        log = DoneLog(store, f"{name}.json", name, 2)
        for number in range(2):
            log.add(Record(number, "in", "v", f"{name}{number}.jpg", f"{name}{number}-1.jpg"))
        log.end(complete=True)
    index = RecordIndex(store, ["a.json", "b.json", "c.json", "missing.json"])

    def logs(*keys: str) -> tuple[str, ...]:
        return index.logs_on([CloudPhoto(0, "k", 1, "v", key) for key in keys])

    assert logs("b1.jpg", "x.jpg") == ("b.json",)
    assert logs("a0-1.jpg", "c1.jpg") == ("a.json", "c.json")
    assert index.superseded() == []
    logs("a0.jpg", "a1.jpg", "a1-1.jpg")
    assert index.superseded() == ["a.json"]


def test_old_plans_go_when_a_new_one_is_complete(tmp_path, write_photo, identity_weights):
    for number in range(3):
        write_photo(tmp_path / "in" / f"{number}.jpg")
    words = (tmp_path / "in", "-o", tmp_path / "out", "--shard", "1/1")
    for _ in range(3):
        assert apply(*words, "--weights", identity_weights).exit_code == 0
    left = [path.relative_to(tmp_path / "out").parts for path in _files(tmp_path / "out/.enhance")]
    assert len(left) == 3
    assert sorted(parts[2] for parts in left) == ["done", "plans", "shards"]
    assert all("1-of-1.0003" in "/".join(parts) for parts in left)
    (tmp_path / "in" / "0.jpg").unlink()
    assert apply(*words, "--weights", identity_weights).exit_code == 0
    write_photo(tmp_path / "in" / "0.jpg", size=(30, 30))
    told = apply(*words, "--weights", identity_weights, "-v")
    assert "the photo has changed" in told.stderr, "what is known of a removed photo stays"


def test_old_logs_are_never_more_than_there_are_results(tmp_path, write_photo, identity_weights):
    """Whatever the settings and the parts of earlier runs were."""
    for name in PARTED:
        write_photo(tmp_path / "in" / name)
    out = tmp_path / "out"

    def run(*words: object):
        told = apply(tmp_path / "in", "-o", out, "--weights", identity_weights, *words)
        assert told.exit_code == 0, told.output

    for strength in ("0.1", "0.2", "0.3"):
        for part in ("1/2", "2/2"):
            run("--shard", part, "--strength", strength)
    assert [len(_logs(out, part)) for part in ("1-of-2", "2-of-2")] == [1, 1]
    run("--shard", "1/1")
    assert len(_logs(out)) == 1 and len(list(out.glob(".enhance/*/plans/*"))) == 1
    status = CliRunner().invoke(app, ["status", str(out), "--json"])
    assert [one["done"] for one in json.loads(status.stdout)["runs"]] == [len(PARTED)]
    other = tmp_path / "other"
    write_photo(other / "in" / "0.jpg")
    assert apply(other, "-o", out, "--shard", "1/1", "--weights", identity_weights).exit_code == 0
    run("--shard", "1/1", "--strength", "0.4")
    assert len(_logs(out)) == 2, "what another run has done is still known"


def test_a_log_that_is_still_written_stays(tmp_path, write_photo, identity_weights, monkeypatch):
    write_photo(tmp_path / "in" / "0.jpg")
    out = tmp_path / "out"
    words = (tmp_path / "in", "-o", out, "--shard", "1/1", "--weights", identity_weights)
    assert apply(*words, "--strength", "0.5").exit_code == 0
    (log,) = _logs(out)
    finish = CloudRun.finish

    def touched(run: CloudRun) -> None:
        log.write_text(log.read_text() + " ")
        finish(run)

    monkeypatch.setattr(CloudRun, "finish", touched)
    assert apply(*words).exit_code == 0
    assert len(_logs(out)) == 2 and log.exists()


def test_a_run_that_is_killed_again_and_again_leaves_no_more_logs(
    tmp_path, write_photo, identity_weights, monkeypatch
):
    monkeypatch.setattr("enhance_cli.cloud.run.MAX_PHOTOS", 2)
    for number in range(6):
        write_photo(tmp_path / "in" / f"{number}.jpg")
    words = (tmp_path / "in", "-o", tmp_path / "out", "--shard", "1/1", "-v")
    monkeypatch.setattr(CloudRun, "finish", lambda _run: None)  # as if killed at the end
    for number in range(4):
        told = apply(*words, "--weights", identity_weights)
        assert told.exit_code == 0 and (not number or "6 skipped" in told.output)
        assert len(_logs(tmp_path / "out")) == 3


def _logs(out: Path, part: str = "") -> list[Path]:
    return list(out.glob(f".enhance/*/done/{part}*/*/*.json"))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_run_can_be_sent_to_another_process():
    run = CloudRun(ApplyConfig((), Path("out")), ("s3://in",), "s3://out", "run", "s", "plan")
    run.report.photos = 3
    assert pickle.loads(pickle.dumps(run)) == run  # noqa: S301

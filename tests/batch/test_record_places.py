"""Where records lie, and what happens if they cannot lie there."""

import errno
from pathlib import Path

import numpy as np
import pytest

from enhance_cli.batch import record_places
from enhance_cli.batch.conflicts import Reason
from enhance_cli.batch.manifest import NAME, Manifest, records_in
from enhance_cli.batch.outcome import Status
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import OutputError


@pytest.fixture
def photos(tmp_path, write_photo) -> Path:
    for number, name in enumerate(("a.jpg", "day/b.jpg", "day/two/c.jpg")):
        write_photo(tmp_path / "photos" / name, np.full((40, 60, 3), 60 + 40 * number, np.uint8))
    return tmp_path / "photos"


@pytest.fixture
def run(brightening_weights):
    def run(photos, **options):
        options = {"out": None, "suffix": "_e", "weights": brightening_weights} | options
        return list(BatchRunner(ApplyConfig((photos,), device="cpu", **options)))

    return run


@pytest.mark.proves("Traces", "beside the photos, in each of their folders")
def test_results_beside_photos_are_recorded_in_each_folder(photos, run):
    run(photos)
    for name in ("a", "day/b", "day/two/c"):
        result = photos / f"{name}_e.jpg"
        assert {one.output for one in records_in(result.parent) if one.beside} == {result.name}
    assert records_in(photos.parent) == []


def test_comparisons_below_the_photos_are_recorded_with_them(photos, run):
    for status in (Status.DONE, Status.SKIPPED):
        assert {one.status for one in run(photos, compare=photos / "pairs")} == {status}
    assert len(list((photos / "pairs").rglob("*.jpg"))) == 3
    assert len(run(photos, suffix="_f")) == 3, "comparisons are no photos"


def test_another_run_in_one_of_the_folders_is_an_error(photos, run):
    with (
        Manifest(photos / "day").locked(),
        pytest.raises(OutputError, match=r"--suffix .*day: another run is writing there"),
    ):
        run(photos)


def test_a_folder_that_cannot_be_written_fails_its_photos_alone(photos, run, monkeypatch):
    real, closed = record_places.Manifest.locked, photos / "day"

    def locked(self):
        if self.folder == closed:
            try:
                raise PermissionError(errno.EACCES, "Permission denied", str(closed / NAME))
            except PermissionError as problem:
                raise OutputError(f"--suffix {closed}: Permission denied") from problem
        return real(self)

    monkeypatch.setattr(record_places.Manifest, "locked", locked)
    assert {one.status for one in run(photos)} == {Status.DONE}
    assert (photos / "a_e.jpg").exists() and (photos / "day" / "two" / "c_e.jpg").exists()


def test_without_a_cache_folder_records_lie_beside_the_file(photos, run, monkeypatch, tmp_path):
    monkeypatch.setattr(record_places.os, "access", lambda *_: False)
    for status in (Status.DONE, Status.SKIPPED):
        (one,) = run(photos / "a.jpg", out=tmp_path / "r", name="b.jpg", suffix="")
        assert one.status is status
    assert (tmp_path / "r" / NAME).exists()


def test_records_of_a_single_file_name_no_folder(photos, run, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run(photos / "a.jpg", out=tmp_path / "r", name="b.jpg", suffix="")
    (records,) = (tmp_path / "cache").rglob(NAME)
    assert str(tmp_path) not in records.read_text()


def test_a_result_that_was_asked_for_alone_is_known_in_its_folder(photos, run, tmp_path):
    options = {"out": tmp_path / "r", "suffix": ""}
    run(photos / "a.jpg", name="a.jpg", **options)
    reasons = {one.input.name: one.reason for one in run(photos, **options)}
    assert reasons == {"a.jpg": Reason.UP_TO_DATE, "b.jpg": Reason.NEW, "c.jpg": Reason.NEW}
    run(photos / "a.jpg", name="a.jpg", strength=0.5, **options)
    assert run(photos, **options)[0].reason is Reason.SETTINGS_CHANGED, "it is not a stranger's"
    (tmp_path / "r" / "a.jpg").write_bytes(b"edited")
    assert run(photos, **options)[0].reason is Reason.FOREIGN_FILE

"""Where records lie, and what happens if they cannot lie there."""

import errno
from pathlib import Path

import numpy as np
import pytest

from enhance_cli.batch import record_places
from enhance_cli.batch.conflicts import Reason
from enhance_cli.batch.manifest import LOCK, NAME, Manifest
from enhance_cli.batch.outcome import Status
from enhance_cli.batch.record_places import records_for
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import OutputError, UsageError
from enhance_cli.run_records import records_in


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
        pytest.raises(OutputError, match=r"day: another run is writing there.* give --out DIR"),
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


MODES = {
    "a folder": {"out": "one", "suffix": "_e"},
    "another folder": {"out": "two", "suffix": "_e"},
    "beside the photos": {"out": None, "suffix": "_e"},
    "a single file": {"out": "single", "name": "a_e.jpg", "suffix": ""},
}


class TestFoldersThatSeveralRunsShare:
    """Comparisons, look-up tables and a gallery are known to all runs that write into one place."""

    @pytest.fixture
    def run_in(self, run, photos, tmp_path):
        def run_in(mode: str, photo: Path = photos / "a.jpg", **more):
            chosen = MODES[mode]
            out = chosen["out"] and tmp_path / chosen["out"]
            side = {"lut": tmp_path / "luts", "compare": tmp_path / "pairs"}
            page = tmp_path / "page.html"
            return run(photo, **(chosen | side | {"out": out, "gallery": page} | more))

        return run_in

    def files(self, tmp_path: Path) -> dict[str, int]:
        places = (tmp_path / "luts", tmp_path / "pairs")
        found = [path for place in places for path in place.glob("[!.]*")]
        return {path.name: path.stat().st_mtime_ns for path in (*found, tmp_path / "page.html")}

    @pytest.mark.proves("Traces", "in those of comparisons and look-up tables")
    @pytest.mark.parametrize("first", MODES)
    @pytest.mark.parametrize("second", MODES)
    def test_one_run_knows_what_another_has_written(self, run_in, tmp_path, first, second):
        run_in(first)
        before = self.files(tmp_path)
        assert before.keys() == {"a_e.jpg.cube", "a_e.jpg.jpg", "page.html"}
        outcomes = run_in(second, strength=0.5)
        assert [one.warnings for one in outcomes] == [()]
        after = self.files(tmp_path)
        assert before.keys() == after.keys()
        assert all(after[name] > before[name] for name in before), "all are the second run's"
        for folder in ("luts", "pairs"):
            traces = {path.name for path in (tmp_path / folder).glob(".*")}
            assert traces == {NAME, LOCK}
        assert not list(tmp_path.glob(".*")), "a page alone has none beside it"

    def test_the_file_of_another_photo_stays(self, run_in, tmp_path, write_photo):
        run_in("a folder")
        table = (tmp_path / "luts" / "a_e.jpg.cube").read_bytes()
        other = write_photo(tmp_path / "other" / "a.jpg", np.full((50, 50, 3), 9, np.uint8))
        (outcome,) = run_in("another folder", other)
        assert "luts/a_e.jpg.cube: an output of another photo is there" in outcome.warnings[0]
        assert (tmp_path / "luts" / "a_e.jpg.cube").read_bytes() == table

    def test_what_earlier_versions_noted_with_the_results(self, run_in, tmp_path):
        """They noted all files of a run in --out."""
        run_in("a folder")
        noted = tmp_path / "one" / NAME
        for folder in ("luts", "pairs"):
            lines = (tmp_path / folder / NAME).read_text()
            noted.write_text(noted.read_text() + lines.replace("a_e.jpg.", f"../{folder}/a_e.jpg."))
            (tmp_path / folder / NAME).unlink()
        (outcome,) = run_in("a folder")
        assert outcome.reason is Reason.UP_TO_DATE and not outcome.warnings

    def test_one_folder_under_two_names_has_one_lock(self, photos, tmp_path):
        (tmp_path / "link").symlink_to(photos, target_is_directory=True)
        inputs = (photos / "a.jpg", tmp_path / "link" / "day" / "b.jpg")
        config = ApplyConfig(inputs, None, suffix="_e", device="cpu")
        with records_for(config, [photos / "x.jpg", tmp_path / "link" / "y.jpg"]).locked():
            pass

    def test_a_folder_of_photos_gets_no_traces_before_it_is_refused(self, run, photos, tmp_path):
        with pytest.raises(UsageError, match="which enhance did not write"):
            run(photos, out=tmp_path / "out", compare=photos / "day")
        assert not list(photos.rglob(".*")) and not (tmp_path / "out").exists()

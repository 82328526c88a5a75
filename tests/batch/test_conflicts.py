"""Results that already exist: who wrote them, and whether they are up to date."""

import json
import os
import shutil

import pytest

from enhance_cli.batch.conflicts import Reason, decide
from enhance_cli.batch.manifest import NAME, FileSignature, Manifest
from enhance_cli.batch.output_paths import Job
from enhance_cli.errors import OutputError, UsageError


@pytest.fixture
def photo(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    path = tmp_path / "in" / "a.jpg"
    path.write_text("photo")
    return Job(path, tmp_path / "out" / "a.jpg")


def write(photo, settings="one"):
    """Write a result and its record, as a run does."""
    manifest = Manifest(photo.output.parent)
    with manifest.locked():
        photo.output.write_text("result")
        manifest.add(photo.input, FileSignature.of(photo.input), photo.output, settings)


def reason(photo, settings="one", on_conflict="skip"):
    manifest = Manifest(photo.output.parent)
    with manifest.locked():
        manifest.read()
        (decision,) = decide((photo,), manifest, lambda _photo: settings, on_conflict)
    return decision.reason


def test_an_unchanged_result_is_kept(photo):
    assert reason(photo) is Reason.NEW
    write(photo)
    assert reason(photo) is Reason.UP_TO_DATE
    photo.output.unlink()
    assert reason(photo) is Reason.NEW


def test_a_changed_photo_or_setting_makes_a_result_stale(photo):
    write(photo)
    assert reason(photo, "two") is Reason.SETTINGS_CHANGED
    photo.input.write_text("another photo")
    assert reason(photo) is Reason.PHOTO_CHANGED


@pytest.mark.proves("Files in the way", "or that were changed since")
def test_a_file_that_enhance_did_not_write_or_that_was_edited_is_left_alone(photo):
    photo.output.write_text("mine")
    assert reason(photo) is Reason.FOREIGN_FILE
    photo.output.unlink()
    write(photo)
    photo.output.write_text("worked on since")
    assert reason(photo) is Reason.FOREIGN_FILE
    assert reason(photo, on_conflict="overwrite") is Reason.REPLACED
    with pytest.raises(UsageError, match="already exists"):
        reason(photo, on_conflict="error")


def test_rename_writes_beside_a_foreign_file_and_recognises_its_result_later(photo):
    photo.output.write_text("mine")
    manifest = Manifest(photo.output.parent)
    with manifest.locked():
        (decision,) = decide((photo,), manifest, lambda _photo: "one", "rename")
    assert decision.reason is Reason.NEW and decision.job.output.name == "a-1.jpg"
    write(decision.job)
    assert reason(photo, on_conflict="rename") is Reason.UP_TO_DATE
    assert reason(photo, "two", on_conflict="rename") is Reason.SETTINGS_CHANGED


def test_two_photos_never_get_the_same_name(photo, tmp_path):
    other = tmp_path / "in" / "a-1.jpg"
    other.write_text("other")
    photo.output.write_text("mine")
    planned = (photo, Job(other, tmp_path / "out" / "a-1.jpg"))
    manifest = Manifest(tmp_path / "out")
    with manifest.locked():
        decisions = decide(planned, manifest, lambda _photo: "one", "rename")
    assert [one.job.output.name for one in decisions] == ["a-2.jpg", "a-1.jpg"]


class TestPhotosOfEqualSizeAndTime:
    """Uncompressed frames of a burst, on a disk that notes times in steps of two seconds."""

    @pytest.fixture
    def frames(self, photo):
        jobs = (photo, Job(photo.input.with_name("b.jpg"), photo.output.with_name("b.jpg")))
        for text, job in zip(("one", "two"), jobs, strict=True):
            job.input.write_text(text)
            os.utime(job.input, ns=(0, 10**18))
            write(job)
        return jobs

    def test_they_are_swapped(self, frames):
        assert [reason(job) for job in frames] == [Reason.UP_TO_DATE] * 2
        one, two = (job.input for job in frames)
        one.rename(one.with_name("c.jpg"))
        two.rename(one)
        one.with_name("c.jpg").rename(two)
        assert [reason(job) for job in frames] == [Reason.PHOTO_CHANGED] * 2

    def test_one_takes_the_place_of_the_other(self, frames):
        frames[1].input.rename(frames[0].input)
        assert reason(frames[0]) is Reason.PHOTO_CHANGED

    def test_a_photo_that_was_restored_is_the_same(self, frames):
        path = frames[0].input
        copy = path.with_name("copy")
        shutil.copy2(path, copy)
        copy.rename(path)
        assert reason(frames[0]) is Reason.UP_TO_DATE

    def test_older_records_without_the_inode_stay_valid(self, frames):
        records = frames[0].output.parent / NAME
        lines = [json.loads(line) for line in records.read_text().splitlines()]
        for line in lines:
            del line["source"]["inode"]
        records.write_text("".join(json.dumps(line) + "\n" for line in lines))
        assert [reason(job) for job in frames] == [Reason.UP_TO_DATE] * 2


class TestManifest:
    def test_a_line_cut_short_by_a_crash_loses_only_itself(self, photo):
        write(photo)
        with (photo.output.parent / NAME).open("a") as file:
            file.write('{"output": "b.jpg", "inp')
        assert reason(photo) is Reason.UP_TO_DATE

    def test_after_a_torn_line_new_records_are_read_again(self, photo):
        with (photo.output.parent / NAME).open("a") as file:
            file.write('{"output": "b.jpg", "inp')
        write(photo)
        assert reason(photo) is Reason.UP_TO_DATE

    def test_only_one_run_at_a_time_can_lock_a_folder(self, photo):
        folder = photo.output.parent
        with (
            Manifest(folder).locked(),
            pytest.raises(OutputError, match="another run"),
            Manifest(folder).locked(),
        ):
            pass
        with Manifest(folder).locked():
            pass

    @pytest.mark.proves(
        "Traces", "Temporary files left by a killed run are removed by the next one"
    )
    def test_only_temporary_files_of_a_killed_run_are_removed(self, photo):
        folder = photo.output.parent / "deep"
        folder.mkdir()
        leftover = folder / ".0123456789ab.part"
        mine = [folder / ".hidden", folder / "notes.part", folder / ".123.part"]
        for path in (leftover, *mine):
            path.touch()
        reason(photo)
        assert not leftover.exists() and all(path.exists() for path in mine)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_folder_that_cannot_be_written_is_an_error(self, tmp_path):
        tmp_path.chmod(0o500)
        with pytest.raises(OutputError, match="--out"), Manifest(tmp_path).locked():
            pass

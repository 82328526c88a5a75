"""A dry run says what the run would say of the places of its outputs, with the same exit code."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app

OPTIONS = {
    "--out": ["--out", "{}"],
    "a file below --out": ["--out", "{}/b.jpg"],
    "--compare": ["--out", "out", "--compare", "{}"],
    "--lut": ["--out", "out", "--lut", "{}"],
    "--lut alone": ["--no-pictures", "--lut", "{}"],
    "--gallery": ["--out", "out", "--gallery", "{}/page.html"],
    "--lut beside the photos": ["--suffix", "_e", "--lut", "{}"],
}


@pytest.fixture
def photo(tmp_path, write_photo, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_photo(tmp_path / "photos" / "a.jpg").relative_to(tmp_path)


def apply(*arguments):
    return CliRunner().invoke(app, ["apply", "-q", *map(str, arguments)])


def said(*arguments) -> tuple[int, str]:
    """Exit code and messages of a run, after those of a dry run were the same."""
    planned, ran = (apply(*arguments, *more) for more in (["--dry-run"], []))
    assert (planned.exit_code, planned.stderr) == (ran.exit_code, ran.stderr)
    assert isinstance(ran.exception, SystemExit | None), ran.exception
    return ran.exit_code, " ".join(ran.stderr.split())


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file", "Not a directory"),
        ("file/deep/er", "Not a directory"),
        ("nowhere", "a link that leads nowhere"),
        ("nowhere/deep", "a link that leads nowhere"),
        ("loop", "Too many levels of symbolic links"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_place_that_is_no_folder(photo, options, place, reason):
    Path("file").write_text("mine")
    Path("nowhere").symlink_to("gone")
    Path("loop").symlink_to("loop")
    code, text = said(photo, *(one.format(place) for one in options))
    option = next(one for one in reversed(options) if one.startswith("--"))
    assert code == 1 and text.startswith(f"error: {option} {place}")
    assert f": {reason}; choose another" in text
    assert Path("file").read_text() == "mine"


@pytest.mark.parametrize("name", [".enhance-run.jsonl", ".enhance-run.lock", ".enhance-run.parts"])
@pytest.mark.parametrize("options", ["--out", "--compare", "--lut", "--lut alone"])
def test_somebodys_file_in_the_place_of_the_records(photo, name, options):
    Path("mine.txt").write_text("mine")
    Path("r").mkdir()
    (Path("r") / name).symlink_to("../mine.txt")
    code, text = said(photo, *(one.format("r") for one in OPTIONS[options]))
    option = options.removesuffix(" alone")
    assert code == 1 and text.startswith(f"error: {option} r: {name} is a link")
    assert Path("mine.txt").read_text() == "mine"


def test_a_file_in_the_place_of_a_subfolder_fails_its_photos(photo, write_photo):
    write_photo(photo.parent.absolute() / "day" / "b.jpg")
    Path("out").mkdir()
    Path("out/day").write_text("mine")
    code, text = said(photo.parent, "--out", "out")
    assert code == 3 and text == "error: out/day/b.jpg: cannot be written (Not a directory)"
    planned = json.loads(apply(photo.parent, "--out", "out", "-n", "--json").stdout)
    assert {key: planned[key] for key in ("to_write", "skipped", "failed")} == {
        "to_write": 0,
        "skipped": 1,
        "failed": 1,
    }
    assert [one["status"] for one in planned["photos"]] == ["skipped", "failed"]
    assert "fail out/day/b.jpg from" in apply(photo.parent, "--out", "out", "-n").stdout


def test_a_name_that_is_too_long_for_a_result(photo):
    photo.rename(photo.with_name("n" * 251 + ".jpg"))
    code, text = said(photo.parent, "--suffix", "_enhanced")
    assert code == 3 and text.endswith("_enhanced.jpg: cannot be written (File name too long)")
    code, text = said(photo.parent, "--out", "out", "--compare", "pairs")
    assert code == 0 and text.endswith(".jpg.jpg: cannot be written (File name too long)")


def test_a_run_that_does_nothing_says_why_and_no_size(photo, write_photo):
    """A file in the way, and a photo that is done already."""
    write_photo(photo.parent.absolute() / "b.jpg")
    Path("out").mkdir()
    Path("out/a.jpg").write_text("mine")

    def run():
        return CliRunner().invoke(app, ["apply", "photos", "--out", "out"])

    assert "Results measure 500 px" in run().stdout
    again = run()
    assert again.exit_code == 0 and "0 done, 0 failed, 2 skipped" in again.stdout
    assert "Results measure" not in again.stdout
    assert "a.jpg: skipped (output exists and was not written by enhance)" in again.stderr
    assert "b.jpg: skipped (up to date)" in again.stderr


@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--shard", "1/1"]])
def test_a_folder_that_cannot_be_read_is_no_success(photo, monkeypatch, more):
    real = Path.is_file

    def is_file(path):
        if path.parent.name == "day":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    Path("photos/day").mkdir()
    Path("photos/day/b.jpg").write_bytes(photo.read_bytes())
    monkeypatch.setattr(Path, "is_file", is_file)
    result = apply("photos", "--out", "out", "--json", *more)
    found = json.loads(result.stdout)
    assert result.exit_code == 3 and len(found["photos"]) == 1 and found["failed"] == 0
    (warning,) = found["warnings"]
    assert "day: folder cannot be read (Permission denied)" in warning
    assert f"warning: {warning}" in result.stderr


@pytest.mark.usefixtures("photo")
def test_folders_of_photos_that_cannot_be_written_to_are_named_by_no_option(monkeypatch):
    """``--suffix photos: ...`` would name a suffix that nobody has given."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("enhance_cli.batch.manifest.FileLock.acquire", full)
    text = apply("photos", "--suffix", "_e").stderr.strip()
    assert text == (
        "error: photos: results cannot be written beside the photos (No space left on device); "
        "free some space, or give --out DIR"
    )


def test_a_comparison_in_the_way_of_a_new_photo(photo):
    Path("pairs").mkdir()
    Path("pairs/a.jpg.jpg").write_text("mine")
    arguments = photo, "--out", "out", "--compare", "pairs"
    planned = apply(*arguments, "-n")
    assert planned.exit_code == apply(*arguments).exit_code == 0
    assert "pairs/a.jpg.jpg: would not be written" in " ".join(planned.stderr.split())


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("place", ["closed", "closed/deep/er"])
def test_a_folder_that_may_not_be_written_to(photo, options, place):
    Path("closed").mkdir(mode=0o555)
    if os.access("closed", os.W_OK):
        pytest.skip("root may write anywhere")
    code, text = said(photo, *(one.format(place) for one in options))
    assert "Permission denied" in text and code == (3 if text.endswith("denied)") else 1)


def test_photos_in_a_folder_that_may_not_be_written_to(photo, write_photo):
    closed = write_photo(photo.parent.absolute() / "closed" / "b.jpg").parent
    closed.chmod(0o555)
    if os.access(closed, os.W_OK):
        pytest.skip("root may write anywhere")
    code, text = said(photo.parent, "--suffix", "_e")
    assert code == 3 and text.endswith("b_e.jpg: cannot be written (Permission denied)")
    assert said(photo.parent / "closed", "--suffix", "_f")[0] == 1

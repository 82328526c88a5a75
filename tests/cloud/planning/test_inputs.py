"""An input is a folder or a photo, or is refused, as in a run over folders."""

import os
from pathlib import Path

import pytest
from stored import apply, upload

from enhance_cli.cloud.planning.inputs import is_hidden, is_photo, open_inputs, suffix_of
from enhance_cli.imaging.codecs.formats import photos_below

NAMES = ("a.jpg", "a.b.NEF", "a", ".jpg", "a.", "a.jpg.", "..jpg", "a.txt", "a b.Tiff", ".h.jpg")


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(".")])
def test_a_suffix_is_that_of_pathlib(name):
    assert suffix_of(name) == Path(name).suffix


def test_names_tell_photos_as_folders_do(tmp_path):
    folders = ("", "sub/", ".hidden/", "sub/.hidden/", "@eaDir/", "sub/__MACOSX/deep/")
    names = [folder + name for folder in folders for name in NAMES]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    expected = {path.relative_to(tmp_path).as_posix() for path in photos_below(tmp_path)}
    assert {name for name in names if is_photo(name)} == expected
    assert not any(map(is_hidden, expected))


@pytest.mark.parametrize(
    "place",
    ["gone", "gone/a.jpg", "dangling.jpg", "loop.jpg", "mine.jpg/a.jpg", "pipe.jpg", "x" * 300],
    ids=lambda place: place[:15],
)
def test_why_there_is_no_input(place, tmp_path, monkeypatch):
    """In the words of a run over folders."""
    monkeypatch.chdir(tmp_path)
    Path("mine.jpg").write_bytes(b"mine")
    Path("dangling.jpg").symlink_to("gone.jpg")
    Path("loop.jpg").symlink_to("loop.jpg")
    os.mkfifo("pipe.jpg")
    expected = apply("mine.jpg", place, "-o", "r")
    assert (expected.exit_code, len(expected.stderr.splitlines())) == (2, 1)
    for more in (("--shard", "1/1"), ("--shard", "1/1", "-n")):
        told = apply("mine.jpg", place, "-o", "r", *more)
        assert (told.exit_code, told.stderr) == (2, expected.stderr)


def test_each_folder_has_its_own_results(tmp_path, s3, bucket):
    (tmp_path / "day").mkdir()
    (tmp_path / "a.jpg").write_bytes(b"a")
    upload(s3, tmp_path, f"{bucket}/day")
    places = (f"{tmp_path}/day", f"{bucket}/day", f"{bucket}/day/a.jpg", f"{tmp_path}/a.jpg")
    found = [(one.photo, one.folder) for one in open_inputs((*places, places[0]))]
    assert found == [(None, "day"), (None, "day-2"), ("a.jpg", ""), ("a.jpg", "")]

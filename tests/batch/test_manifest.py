"""The records of an output folder, whatever has become of their file."""

import json
import os
import subprocess
import sys

import pytest

from enhance_cli.atomic_write import FileSignature
from enhance_cli.batch import unfinished
from enhance_cli.batch.manifest import LOCK, NAME, Manifest, Origin
from enhance_cli.errors import OutputError


@pytest.fixture
def folder(tmp_path):
    """An output folder with one result, and its photo beside it."""
    (tmp_path / "photo.jpg").write_bytes(b"a photo")
    folder = tmp_path / "out"
    folder.mkdir()
    add(folder, "a.jpg")
    return folder


def add(folder, name, content=b"result", settings="one"):
    manifest = Manifest(folder)
    with manifest.locked():
        path = folder / name
        path.write_bytes(content)
        photo = folder.parent / "photo.jpg"
        manifest.add(photo, FileSignature.of(photo), path, settings)


def lookup(folder, name="a.jpg"):
    manifest = Manifest(folder)
    manifest.read()
    return manifest.lookup(folder / name)


@pytest.mark.parametrize("name", [NAME, LOCK, unfinished.NAME])
class TestSomethingElseInPlaceOfAFile:
    def lock(self, folder):
        """In a process of its own, which a pipe may hold up for ever."""
        code = f"""
from pathlib import Path
from enhance_cli.batch.manifest import Manifest
from enhance_cli.errors import OutputError
manifest = Manifest(Path({str(folder)!r}))
try:
    with manifest.locked():
        manifest.unfinished.temporary_path(manifest.folder / "a.jpg")
except OutputError as problem:
    print(problem)
"""
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        return done.stdout

    @pytest.mark.parametrize("dangling", [False, True])
    def test_a_link_is_not_written_through(self, folder, tmp_path, name, dangling):
        photo = tmp_path / ("gone.jpg" if dangling else "photo.jpg")
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(photo)
        said = self.lock(folder)
        assert "--out" in said and said.count("\n") == 1, said
        assert not photo.exists() if dangling else photo.read_bytes() == b"a photo"

    def test_nor_is_a_hard_link(self, folder, tmp_path, name):
        photo = tmp_path / "photo.jpg"
        (folder / name).unlink(missing_ok=True)
        os.link(photo, folder / name)
        self.lock(folder)
        assert photo.read_bytes() == b"a photo"

    def test_a_pipe_or_a_folder_ends_the_run_in_one_line(self, folder, name):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
        said = self.lock(folder)
        assert "--out" in said and said.count("\n") == 1
        (folder / name).unlink()
        (folder / name).mkdir()
        said = self.lock(folder)
        assert "--out" in said and said.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        b'{"output": ["a.jpg"]}',
        b'{"output": {}, "input": "a", "folder": "f", "settings": "s", "content": null, '
        b'"source": {"size": 1, "modified": 1}, "result": {"size": 1, "modified": 1}}',
        b'{"output": "a.jpg", "input": [], "folder": {}, "settings": 3, "content": null, '
        b'"source": {"size": 1, "modified": 1}, "result": {"size": 1, "modified": 1}}',
        b'{"output": "a.jpg", "input": "a", "folder": "f", "settings": "s", "content": null, '
        b'"source": {"size": [], "modified": 1}, "result": {"size": 1, "modified": "x"}}',
        b"[" * 200_000,
        b'{"output":' * 100_000,
        b'"a"', b"3", b"null", b"[]", b"\xff\xfe\x00", b"9" * 10_000, b"\xff\xd8\xff\xe0JFIF",
    ],
)  # fmt: skip
def test_a_line_that_is_no_record_is_ignored(folder, line):
    with (folder / NAME).open("ab") as file:
        file.write(line + b"\n")
    assert lookup(folder).settings == "one"
    add(folder, "b.jpg")
    assert lookup(folder, "b.jpg").settings == "one"


@pytest.mark.parametrize(
    "name",
    ["line\u2028separator", "paragraph\u2029separator", "next\x85line", "form\x0cfeed", "a\nb",
     "cr\rcr", os.fsdecode(b"b\xe9"), "\U0001f4f7", "\x1b[31m", 'quo"te', "back\\slash"],
)  # fmt: skip
def test_every_name_is_found_again(folder, name):
    add(folder, name)
    assert lookup(folder, name) is not None
    for line in (folder / NAME).read_bytes().split(b"\n")[:-1]:
        json.loads(line)


def test_it_does_not_grow_without_end(folder):
    for number in range(1000):
        add(folder, "a.jpg", b"%d" % number)
    assert (folder / NAME).read_bytes().count(b"\n") < 150
    assert lookup(folder) is not None


def test_removing_superseded_records_keeps_the_one_that_counts(folder):
    """Even if the last one describes a file that a killed run never put into its place."""
    manifest = Manifest(folder)
    photo = folder.parent / "photo.jpg"
    signature = FileSignature.of(photo)
    with manifest.locked():
        for number in range(200):
            (folder / "other").write_bytes(b"%d" % number * 9)
            manifest.add(photo, signature, folder / "other", f"settings {number}")
        (folder / ".new").write_bytes(b"another result")
        manifest.announce(Origin.of(photo, "two"), folder / "a.jpg", folder / ".new")
    with Manifest(folder).locked():
        pass
    assert (folder / NAME).read_bytes().count(b"\n") == 2
    assert lookup(folder).settings == "one"
    assert lookup(folder, "other").settings == "settings 199"


def test_of_two_versions_of_equal_size_and_time_the_right_one_is_known(folder):
    """A killed run has recorded a new version, and left the old one in its place."""
    manifest = Manifest(folder)
    with manifest.locked():
        (folder / ".new").write_bytes(b"RESULT")
        os.utime(folder / ".new", ns=(0, (folder / "a.jpg").stat().st_mtime_ns))
        origin = Origin.of(folder.parent / "photo.jpg", "two")
        manifest.announce(origin, folder / "a.jpg", folder / ".new")
    assert lookup(folder).settings == "one"
    (folder / ".new").replace(folder / "a.jpg")
    assert lookup(folder).settings == "two"


def test_a_full_disk_leaves_the_records_whole(folder, monkeypatch):
    real = os.write

    def half(file, content):
        if len(content) > 40:
            return real(file, content[:40])
        raise OSError(28, "No space left on device")

    manifest = Manifest(folder)
    photo = folder.parent / "photo.jpg"
    with manifest.locked():
        (folder / "b.jpg").write_bytes(b"b")
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", half)
            with pytest.raises(OSError, match="No space"):
                manifest.add(photo, FileSignature.of(photo), folder / "b.jpg", "one")
        manifest.add(photo, FileSignature.of(photo), folder / "b.jpg", "two")
    assert lookup(folder, "b.jpg").settings == "two" and lookup(folder).settings == "one"


def test_a_run_that_cannot_write_says_so(tmp_path):
    (tmp_path / "out").write_bytes(b"a file")
    with pytest.raises(OutputError, match="--out"), Manifest(tmp_path / "out").locked():
        pass

"""What a killed run left is removed, and nothing else."""

import pytest

from enhance_cli.batch.manifest import Manifest
from enhance_cli.batch.unfinished import NAME, UnfinishedFiles


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "luts").mkdir()
    return tmp_path / "out"


def start(folder):
    with Manifest(folder).locked():
        pass


def test_unfinished_files_are_removed_wherever_they_are(folder):
    killed = UnfinishedFiles(folder)
    places = [folder / "a.jpg", folder / "deep" / "b.jpg", folder.parent / "luts" / "a.cube"]
    leftovers = [killed.temporary_path(place) for place in places]
    for path in leftovers:
        path.write_bytes(b"half a")
    start(folder)
    assert not any(path.exists() for path in leftovers)
    assert not (folder / NAME).exists()


def test_a_persons_own_file_that_looks_like_one_stays(folder):
    killed = UnfinishedFiles(folder)
    killed.temporary_path(folder / "a.jpg").write_bytes(b"half a")
    mine = [folder / ".0123456789ab.part", folder / "deep" / ".ba9876543210.part",
            folder.parent / "luts" / ".0123456789ab.part"]  # fmt: skip
    for path in mine:
        path.write_bytes(b"mine")
    start(folder)
    assert all(path.read_bytes() == b"mine" for path in mine)


def test_files_of_another_run_stay(folder):
    with Manifest(folder / "deep").locked():
        writing = [
            folder / "deep" / ".0123456789ab.part",
            UnfinishedFiles(folder / "deep").temporary_path(folder / "deep" / "a.jpg"),
        ]
        for path in writing:
            path.touch()
        start(folder)
        assert all(path.exists() for path in writing)


def test_a_link_with_such_a_name_is_not_followed(folder):
    killed = UnfinishedFiles(folder)
    link = killed.temporary_path(folder / "a.jpg")
    (folder / "mine").write_bytes(b"mine")
    link.symlink_to("mine")
    start(folder)
    assert (folder / "mine").read_bytes() == b"mine"


@pytest.mark.parametrize("notes", [b"", b"\xff\xd8 a photo", b'{"run": "../../x"}', b"[[[[", b"3"])
def test_notes_that_are_none_are_ignored(folder, notes):
    (folder / NAME).write_bytes(notes)
    start(folder)


def test_names_are_unique_and_short(folder):
    files = UnfinishedFiles(folder)
    names = {files.temporary_path(folder / ("n" * 251 + ".txt")).name for _ in range(1000)}
    assert len(names) == 1000 and max(map(len, names)) == 18

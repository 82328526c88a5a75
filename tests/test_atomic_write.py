import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from enhance_cli.atomic_write import ANYTHING, FileSignature, KeepOthers, Publisher, atomic_write


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interruption_leaves_the_old_file_and_no_temporary_file(tmp_path, interruption):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(interruption), atomic_write(path) as temporary:
        temporary.write_text("ha")
        raise interruption
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_name_of_the_greatest_length(tmp_path):
    path = tmp_path / ("n" * 251 + ".txt")
    with atomic_write(path) as temporary:
        temporary.touch()
    assert path.exists()


class TestInThePlaceOfAnother:
    def write(self, path, publisher):
        with atomic_write(path, publisher) as temporary:
            temporary.write_text("new")

    def test_a_file_that_came_meanwhile_stays(self, tmp_path):
        path = tmp_path / "a.txt"
        publisher = KeepOthers(FileSignature.of(path))
        path.write_text("mine")
        with pytest.raises(FileExistsError):
            self.write(path, publisher)
        assert path.read_text() == "mine" and list(tmp_path.iterdir()) == [path]

    def test_so_does_one_that_was_changed(self, tmp_path):
        path = tmp_path / "a.txt"
        path.write_text("old")
        publisher = KeepOthers(FileSignature.of(path))
        path.write_text("worked on")
        with pytest.raises(FileExistsError):
            self.write(path, publisher)
        assert path.read_text() == "worked on"
        self.write(path, KeepOthers(FileSignature.of(path)))
        assert path.read_text() == "new"

    def test_and_a_dangling_link(self, tmp_path):
        path = tmp_path / "a.txt"
        path.symlink_to("gone")
        with pytest.raises(FileExistsError):
            self.write(path, KeepOthers(None))
        assert path.is_symlink() and not path.exists()

    @pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EMLINK])
    def test_on_a_disk_without_hard_links(self, tmp_path, monkeypatch, number):
        def refuse(*_):
            raise OSError(number, "no links here")

        monkeypatch.setattr("os.link", refuse)
        path = tmp_path / "a.txt"
        self.write(path, KeepOthers(None))
        assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]
        with pytest.raises(FileExistsError):
            self.write(path, KeepOthers(None))

    def test_a_file_with_the_temporary_name_stays(self, tmp_path):
        class Fixed(Publisher):
            def temporary_path(self, path):
                return path.with_name(".0123456789ab.part")

        mine = tmp_path / ".0123456789ab.part"
        mine.write_text("mine")
        with pytest.raises(FileExistsError):
            self.write(tmp_path / "a.txt", Fixed())
        assert mine.read_text() == "mine"


def test_the_content_is_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    done = []
    real_sync, real_replace = os.fsync, Path.replace
    monkeypatch.setattr("os.fsync", lambda file: (done.append("sync"), real_sync(file)))
    monkeypatch.setattr(
        Path, "replace", lambda old, new: (done.append("rename"), real_replace(old, new))
    )
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert done == ["sync", "rename"]


def test_a_disk_that_cannot_keep_the_content_is_an_error(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.fsync", fail)
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(OSError, match="Input/output"), atomic_write(tmp_path / "a.txt") as path:
        path.write_text("new")
    assert (tmp_path / "a.txt").read_text() == "old"


KILLED = """
import os, signal, sys, time
from pathlib import Path
from enhance_cli.atomic_write import ANYTHING, KeepOthers, atomic_write
publisher = ANYTHING if sys.argv[2] == "anything" else KeepOthers(None)
with atomic_write(Path(sys.argv[1]), publisher) as temporary:
    temporary.write_bytes(b"half a")
    print("writing", flush=True)
    time.sleep(100)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no locks of files")
@pytest.mark.parametrize("kind", ["anything", "keep others"])
def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path, kind):
    path = tmp_path / "weights.ckpt"
    command = [sys.executable, "-c", KILLED, path, kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]) as child:
        assert child.stdout is not None and child.stdout.readline() == b"writing\n"
        # While it writes, its file is left alone.
        with atomic_write(path) as temporary:
            temporary.write_bytes(b"whole")
        (writing,) = set(tmp_path.iterdir()) - {path}
        assert writing.read_bytes() == b"half a"
        child.kill()
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"whole again")
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == b"whole again"


def test_something_else_with_the_name_of_a_temporary_file_stays(tmp_path):
    path, mine = tmp_path / "a.ckpt", tmp_path / "mine"
    mine.write_bytes(b"mine")
    link = ANYTHING.temporary_path(path)
    link.symlink_to(mine)
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole" and link.is_symlink() and mine.read_bytes() == b"mine"


def test_many_threads_write_one_file(tmp_path):
    path = tmp_path / "a.png"

    def write(number: int) -> None:
        with atomic_write(path) as temporary:
            temporary.write_bytes(b"%d" % number * 1000)

    with ThreadPoolExecutor(8) as executor:
        list(executor.map(write, range(100)))
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes()[:1000].isdigit()

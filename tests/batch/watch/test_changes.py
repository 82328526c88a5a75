"""Changes that the system tells of, and drives on which it tells of none."""

import shutil
import threading
import time
from pathlib import Path

import pytest

from enhance_cli.batch.watch.changes import HEARTBEAT, Changes, is_remote

LONG = 30.0


def seconds_until_woken(changes: Changes) -> float:
    started = time.monotonic()
    changes.wait(LONG)
    return time.monotonic() - started


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "in" / "out").mkdir(parents=True)
    return tmp_path / "in"


@pytest.fixture
def changes(folder):
    changes = Changes([folder], [folder / "out"], 0.2, poll=False)
    with changes.opened():
        if changes.polls:
            pytest.skip("the folder for tests is on a network drive")
        wait_until_told(changes, folder)
        yield changes


def wait_until_told(changes: Changes, folder: Path) -> None:
    """The system begins to tell a moment after it was asked."""
    for number in range(100):
        (folder / f"begin{number}.txt").touch()  # only what comes or goes is told of other files
        started = time.monotonic()
        changes.wait(1.5)
        if time.monotonic() - started < 1.4:
            break
    quiet(changes)


def quiet(changes: Changes) -> None:
    """Wait until nothing has been told for a second."""
    seconds = 0.0
    while seconds < 0.95:
        started = time.monotonic()
        changes.wait(1)
        seconds = time.monotonic() - started


def test_a_new_file_is_told_at_once(changes, folder):
    assert changes.every == HEARTBEAT
    (folder / "a.jpg").write_bytes(b"1")
    assert seconds_until_woken(changes) < LONG / 2


def test_so_is_one_in_a_new_folder_and_one_that_was_renamed(changes, folder, tmp_path):
    (folder / "new").mkdir()
    seconds_until_woken(changes)
    quiet(changes)
    (folder / "new" / "a.jpg").write_bytes(b"1")
    assert seconds_until_woken(changes) < LONG / 2
    quiet(changes)
    (tmp_path / "b.jpg").write_bytes(b"1")
    (tmp_path / "b.jpg").rename(folder / "new" / "b.jpg")
    assert seconds_until_woken(changes) < LONG / 2


def test_hidden_files_and_the_results_are_not(changes, folder):
    (folder / "out" / "a.jpg").write_bytes(b"1")
    (folder / ".a.part").write_bytes(b"1")
    started = time.monotonic()
    changes.wait(1.5)
    assert time.monotonic() - started > 1.4


def test_a_folder_that_comes_back_is_told_of_again(changes, folder):
    shutil.rmtree(folder)
    seconds_until_woken(changes)
    changes.wait(0.1)
    assert changes.every == 0.2, "looked at until it is back"
    folder.mkdir()
    changes.wait(0.1)
    assert changes.every == HEARTBEAT
    wait_until_told(changes, folder)
    (folder / "a.jpg").write_bytes(b"1")
    assert seconds_until_woken(changes) < LONG / 2


def test_polling_waits_no_longer_than_it_is_told(folder):
    changes = Changes([folder], [], 0.2, poll=True)
    with changes.opened():
        assert changes.polls and changes.every == 0.2
        started = time.monotonic()
        changes.wait(changes.every)
        assert 0.15 < time.monotonic() - started < 10
        threading.Timer(0.1, changes.wake).start()
        assert seconds_until_woken(changes) < LONG / 2


def test_if_the_system_cannot_tell_the_folders_are_looked_at(folder, monkeypatch):
    def watch(*_folders, **_options):
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("watchfiles.watch", watch)
    changes = Changes([folder], [], 0.2, poll=False)
    with changes.opened():
        assert seconds_until_woken(changes) < LONG / 2
        assert changes.polls and changes.every == 0.2
        told = changes.take_problem()
        assert told is not None and "watch limit" in told and changes.take_problem() is None


MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw - proc proc rw
40 22 0:40 / /mnt/nas rw,relatime shared:2 master:1 - nfs4 server:/photos rw
41 22 0:41 / /mnt/win rw - cifs //server/photos rw
42 22 0:42 / /mnt/ssh rw - fuse.sshfs me@there:/ rw
43 22 0:43 / /mnt/my\\040card rw - vfat /dev/sdb1 rw
44 40 0:44 / /mnt/nas/disk rw - xfs /dev/sdc1 rw
45 22 0:45 / /host rw - virtiofs share rw
46 22 0:46 / /twice rw - nfs server:/ rw
47 46 0:47 / /twice rw - ext4 /dev/sdd1 rw
48 22 0:48 / /pool rw - fuse.mergerfs a:b rw
"""
"""As proc(5) describes /proc/self/mountinfo."""


@pytest.mark.parametrize(
    ("folder", "remote"),
    [
        ("/home/me/photos", False),
        ("/mnt/nas/photos", True),
        ("/mnt/nas", True),
        ("/mnt/nasty", False),
        ("/mnt/win/a", True),
        ("/mnt/ssh/a/b", True),
        ("/mnt/my card/DCIM", False),
        ("/mnt/nas/disk/a", False),
        ("/host/a", True),
        ("/twice/a", False),
        ("/pool/a", False),
    ],
)
def test_network_drives_are_known(tmp_path, folder, remote):
    (tmp_path / "mountinfo").write_text(MOUNTS + "damaged\n\n")
    assert is_remote(Path(folder), tmp_path / "mountinfo") is remote
    assert not is_remote(Path(folder), tmp_path / "gone")


def test_a_video_that_is_being_written_wakes_nobody(folder):
    changes = Changes([folder], [], 0.2, poll=False)
    assert not changes._counts(True, str(folder / "a.mov"))
    assert not changes._counts(True, str(folder / "day.1"))
    assert changes._counts(False, str(folder / "day.1"))
    assert changes._counts(True, str(folder / "a.JPG"))

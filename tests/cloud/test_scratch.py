"""Temporary folders whose owners are gone are removed, and no others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from enhance_cli.cloud.cluster.journal import Journal, last_words
from enhance_cli.cloud.cluster.node_worker import _stored
from enhance_cli.cloud.scratch import ScratchFolder, remove_orphans

pytest.importorskip("fcntl")

OWNER = """
import sys, time
from enhance_cli.cloud.cluster.journal import Journal
from enhance_cli.cloud.scratch import ScratchFolder
folder = ScratchFolder()
(folder.path / "in").mkdir()
(folder.path / "in" / "photo").write_text("half")
journal = Journal()
journal.begin(3)
print(folder.path, journal.path, flush=True)
time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A temporary folder for this test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_has_left_is_removed(temporary):
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None
        folder, journal = map(Path, owner.stdout.readline().split())
        os.utime(journal, (0, 0))
        remove_orphans()
        assert (folder / "in" / "photo").exists() and journal.exists(), "its owner lives"
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    own = ScratchFolder()
    assert list(temporary.iterdir()) == [own.path]
    own.remove()
    assert list(temporary.iterdir()) == []


def test_what_may_be_wanted_or_is_somebody_elses_stays(temporary):
    own = ScratchFolder()
    for name in ("enhance-abc", "enhance-def", "enhance-dialog"):
        (temporary / name).mkdir()
        (temporary / name / "photo").touch()
    (temporary / "enhance-def" / "lock").symlink_to(temporary / "enhance-abc" / "photo")
    (temporary / "elsewhere").mkdir()
    (temporary / "elsewhere" / "lock").touch()
    (temporary / "enhance-link").symlink_to(temporary / "elsewhere")
    (temporary / f"enhance-{'0a' * 32}.safetensors").touch()
    (temporary / "enhance-mine.safetensors").touch()
    os.utime(temporary / "enhance-mine.safetensors", (0, 0))
    (temporary / "enhance-x.part").touch()
    before = sorted(temporary.rglob("*"))
    remove_orphans()
    assert sorted(temporary.rglob("*")) == before
    own.remove()


def test_the_journal_of_a_dead_worker_can_be_read_for_a_day(temporary):
    journal = Journal()
    journal.next_piece()
    journal.begin(3)
    journal._file.close()  # as the system does for a process that died
    remove_orphans()
    words = last_words(str(journal.path), 1)
    assert words is not None and words.in_flight == {3}
    (temporary / "enhance-x.part").touch()
    os.utime(temporary / "enhance-x.part", (0, 0))
    remove_orphans()
    assert list(temporary.iterdir()) == []


def test_weights_that_no_run_has_used_for_a_day_are_removed(temporary):
    path = _stored(b"weights")
    os.utime(path, (0, 0))
    assert _stored(b"weights") == path
    remove_orphans()
    assert path.read_bytes() == b"weights"
    os.utime(path, (0, 0))
    remove_orphans()
    assert list(temporary.iterdir()) == []

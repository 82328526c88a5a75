import os
import signal
import subprocess
import sys
import threading

import pytest

from enhance_cli.cloud.cluster.journal import Journal, LastWords, last_words
from enhance_cli.cloud.shard import ShardOutcome

DIES = """
import os, signal, sys, time
from enhance_cli.cloud.cluster.journal import Journal
from enhance_cli.cloud.shard import ShardOutcome
journal = Journal()
journal.next_piece()
print(journal.path, flush=True)
for photo in range(9):
    journal.begin(photo)
    if photo < 7:
        journal.end(ShardOutcome(photo, "é.jpg", None, "failed", "new", "x", 0.5, ("a", "b")))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_it_outlives_a_killed_process():
    ran = subprocess.run([sys.executable, "-c", DIES], capture_output=True, text=True, check=False)
    assert ran.returncode == -signal.SIGKILL
    words = last_words(ran.stdout.strip(), 1)
    assert words is not None
    assert words.in_flight == {7, 8}
    assert words.outcomes == tuple(
        ShardOutcome(photo, "é.jpg", None, "failed", "new", "x", 0.5, ("a", "b"))
        for photo in range(7)
    )
    assert not os.path.exists(ran.stdout.strip()), "nothing is left"  # noqa: PTH110


def test_a_piece_begins_with_an_empty_journal():
    journal = Journal()
    journal.next_piece()
    journal.begin(1)
    journal.next_piece()
    journal.begin(2)
    assert last_words(str(journal.path), 2) == LastWords(frozenset({2}), ())


def test_what_it_says_of_the_piece_before_is_not_taken_for_the_present_one():
    journal = Journal()
    journal.next_piece()
    journal.begin(3)
    journal.end(ShardOutcome(3, "a.jpg", "b.jpg", "done", "new"))
    assert last_words(str(journal.path), 2) is None


def test_threads_write_whole_lines():
    journal = Journal()
    journal.next_piece()

    def write(first):
        for photo in range(first, first + 200):
            journal.begin(photo)
            if photo % 2:
                journal.end(ShardOutcome(photo, "a.jpg", "b.jpg", "done", "new"))

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    words = last_words(str(journal.path), 1)
    assert words is not None
    assert len(words.in_flight) == len(words.outcomes) == 300


def test_a_journal_that_is_gone_says_nothing(tmp_path):
    assert last_words(str(tmp_path / "none"), 1) is None
    (tmp_path / "damaged").write_text("{")
    assert last_words(str(tmp_path / "damaged"), 1) is None

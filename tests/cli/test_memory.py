import platform
import subprocess
import sys

import pytest

from enhance_cli.cli.memory import return_freed_memory

HELD = """
import sys, threading
from enhance_cli.cli.memory import return_freed_memory

def resident():
    status = open("/proc/self/status").read()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024

def work(kept):
    for _ in range(2):  # glibc keeps what has the size of a block that was freed before
        blocks = [b"x" * (20 << 20) for _ in range(10)]
        kept.append(b"x" * (1 << 16))  # above the blocks, so that the heap cannot shrink
        del blocks

if sys.argv[1] == "returned":
    return_freed_memory()
before, kept = resident(), []
for _ in range(2):
    thread = threading.Thread(target=work, args=(kept,))
    thread.start()
    thread.join()
print(resident() - before)
"""


def held(how: str) -> float:
    """Megabytes that a process holds after two threads have freed all that they had."""
    done = subprocess.run(
        [sys.executable, "-c", HELD, how], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is one of glibc")
def test_freed_memory_is_not_held():
    assert held("as it is") > 40, "the check finds memory that is held"
    assert held("returned") < 5


def test_other_c_libraries_are_left_as_they_are(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    return_freed_memory()

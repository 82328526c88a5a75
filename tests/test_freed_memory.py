import platform
import subprocess
import sys

import pytest

from enhance_cli.freed_memory import return_freed_memory, return_holes

RESIDENT = """
import sys, threading
from enhance_cli.freed_memory import return_freed_memory, return_holes

def resident():
    status = open("/proc/self/status").read()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
"""

LARGE_BLOCKS = """
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

HOLES = """
before = resident()
blocks = [b"x" * (1 << 16) for _ in range(1000)]
kept = blocks.pop()
del blocks
if sys.argv[1] == "returned":
    return_holes()
print(resident() - before)
"""

on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a matter of glibc")


def held(program: str, how: str) -> float:
    """Megabytes that a process holds after it has freed all that it had."""
    done = subprocess.run(
        [sys.executable, "-c", RESIDENT + program, how], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


@on_glibc
@pytest.mark.parametrize("program", [LARGE_BLOCKS, HOLES])
def test_freed_memory_is_not_held(program):
    assert held(program, "as it is") > 40, "the check finds memory that is held"
    assert held(program, "returned") < 5


def test_other_c_libraries_are_left_as_they_are(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    return_freed_memory()
    return_holes()

"""Work that takes too long is given up."""

import subprocess
import sys
import threading
import time

import pytest

from enhance_cli import time_limit
from enhance_cli.time_limit import TimeIsUpError, TimeLimit


@pytest.fixture(autouse=True)
def _short_ticks(monkeypatch):
    monkeypatch.setattr(time_limit, "TICK", 0.02)


def test_results_and_errors_are_those_of_the_work():
    assert TimeLimit(60).run(lambda: 3) == 3
    with pytest.raises(KeyError, match="of the work"):
        TimeLimit(60).run(lambda: {}["of the work"])


def test_work_that_hangs_in_a_library_is_given_up_and_its_result_is_nobodys():
    end = threading.Event()
    with pytest.raises(TimeIsUpError):
        TimeLimit(0.1).run(lambda: end.wait(60))
    end.set()


def test_other_threads_go_on_under_a_tracer_while_a_library_hangs():
    """A debugger, or a measurement of coverage, calls a function at each line."""
    code = """
import sys, threading, time
from enhance_cli.time_limit import TimeIsUpError, TimeLimit
trace = lambda *_: trace
threading.settrace(trace)
sys.settrace(trace)
end = threading.Event()
for _ in range(3):
    try:
        TimeLimit(0.1).run(lambda: end.wait(100))
    except TimeIsUpError:
        print("given up", sum(range(9)))
"""
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout == "given up 36\n" * 3


def test_work_can_extend_its_time_and_what_it_waits_for_does_not_count():
    limit = TimeLimit(0.1)

    def work() -> str:
        with limit.paused():
            time.sleep(0.4)
        limit.seconds += 60
        time.sleep(0.2)
        return "done"

    assert limit.run(work) == "done"


def test_waiting_ends_with_what_a_cancelled_batch_raises():
    end = threading.Event()

    def cancelled() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        TimeLimit(60).run(lambda: end.wait(60), cancelled)
    end.set()


def test_no_memory_for_a_thread(monkeypatch):
    def fail(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(MemoryError):
        TimeLimit(60).run(int)


def test_a_program_does_not_wait_for_what_it_gave_up():
    code = """
import time
from enhance_cli.time_limit import TimeIsUpError, TimeLimit
try:
    TimeLimit(0.1).run(lambda: time.sleep(100))
except TimeIsUpError:
    print("given up")
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "given up\n"


def test_time_in_which_the_whole_program_was_stopped_does_not_count():
    import signal

    code = """
import time
from enhance_cli import time_limit
time_limit.TICK = 0.1
print(time_limit.TimeLimit(2).run(lambda: time.sleep(1) or print("begun", flush=True) or 7))
"""
    if not hasattr(signal, "SIGSTOP"):
        pytest.skip("no SIGSTOP")
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    child.send_signal(signal.SIGSTOP)
    time.sleep(3)
    child.send_signal(signal.SIGCONT)
    assert child.communicate(timeout=60)[0] == "begun\n7\n"

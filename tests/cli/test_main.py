import io
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import enhance_cli
import enhance_cli.cli.main as main_module
from enhance_cli.cli.main import app

runner = CliRunner()


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["apply", "--help"], ["train", "--help"]]
)
def test_help_and_version_never_import_torch(arguments):
    code = (
        "import sys; from enhance_cli.cli.main import app; from typer.testing import CliRunner;"
        f"assert CliRunner().invoke(app, {arguments!r}).exit_code == 0;"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_python_m_is_the_same_command():
    result = subprocess.run(
        [sys.executable, "-m", "enhance_cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == f"enhance {enhance_cli.__version__}\n"


def test_all_commands_are_listed():
    result = runner.invoke(app, ["--help"]).output
    assert all(command in result for command in ("apply", "train", "eval", "demo"))


@pytest.mark.parametrize("arguments", [["aply"], ["apply", "x"], ["apply", "x", "--out"]])
def test_wrong_usage_exits_with_2(arguments):
    assert runner.invoke(app, arguments).exit_code == 2


ENDING = """
import atexit, sys, threading, time
import enhance_cli.cli.main as cli

class Kept:
    def __del__(self):
        print("taken apart")

@cli.app.command()
def work(code: int) -> None:
    atexit.register(print, "exit function")
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    print("work")
    if code == 130:
        raise KeyboardInterrupt
    raise SystemExit(code)

kept = Kept()
cli.main()
"""


@pytest.mark.parametrize("code", [0, 1, 3, 130])
def test_the_process_ends_after_its_threads_and_exit_functions_and_is_not_taken_apart(code):
    done = subprocess.run(
        [sys.executable, "-c", ENDING, "work", str(code)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stdout.split("\n") == ["work", "thread", "exit function", ""]


class Unwritable(io.StringIO):
    def flush(self):
        raise BrokenPipeError


def test_the_interpreter_reports_what_it_cannot_write_or_does_not_know(monkeypatch):
    codes: list[int] = []
    monkeypatch.setattr("os._exit", codes.append)
    main_module._leave(SystemExit("a message"))
    monkeypatch.setattr(sys, "stdout", Unwritable())
    main_module._leave(SystemExit(0))
    assert codes == []

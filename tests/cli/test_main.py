import subprocess
import sys

import pytest
from typer.testing import CliRunner

import enhance_cli
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

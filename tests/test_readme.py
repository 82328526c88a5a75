"""The README stays true."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("enhance ")
]


def test_the_first_two_commands_install_run_and_test():
    assert BLOCKS[0].strip() == "pip install . && enhance demo"
    assert BLOCKS[1].strip() == 'pip install ".[test]" && pytest'


def test_ci_runs_the_readmes_own_test_command():
    assert BLOCKS[1].strip() in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_that_the_readme_shows_exists(command):
    words = shlex.split(command.partition("#")[0])[1:]
    told = CliRunner().invoke(app, [words[0], "--help"], env={"COLUMNS": "300"}).output
    for word in words[1:]:
        if word.startswith("--"):
            assert re.search(rf"{word}\b", told), word


def test_every_dependency_is_used_and_every_use_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[><=\[]", entry)[0] for entry in project["dependencies"]}
    modules = {"pillow": "PIL", "scikit-image": "skimage", "lightning-fabric": "lightning_fabric"}
    source = "\n".join(path.read_text() for path in (ROOT / "enhance_cli").rglob("*.py"))
    for name in declared:
        module = modules.get(name, name)
        assert re.search(rf"^\s*(from|import) {module}\b", source, re.MULTILINE), name


def test_the_top_level_is_what_it_should_be():
    allowed = {"enhance_cli", "weights", "tests", "pyproject.toml", "README.md", "CHANGELOG.md"}
    allowed |= {"LICENSE", ".gitignore", ".ci"}
    import subprocess

    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        assert {line.partition("/")[0] for line in listed.stdout.splitlines()} <= allowed

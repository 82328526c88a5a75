"""A path that cannot be reached is an error in one line, whichever option names it."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app

COMMANDS = [
    "apply @ --out out --dry-run",
    "apply p --out out --dry-run --sync-from @",
    "apply p --out out --dry-run --series @",
    "apply p --out out --dry-run --weights @",
    "apply p --out @ --dry-run",
    "apply --from @ --out out --dry-run",
    "watch @ --out out",
    "train --photos @ --out x.safetensors",
    "train --style-from @ --out x.safetensors",
    "train --fivek-root @ --out x.safetensors",
    "train --photos p --split @ --out x.safetensors",
    "train --photos p --recipe @ --out x.safetensors",
    "train --photos p --split none --init @ --out x.safetensors",
    "train --photos p --split none --out @.safetensors",
    "train --photos p --split none --resume --out @.safetensors",
    "eval --pairs @",
    "eval --pairs pairs --weights @",
    "eval --pairs pairs --outputs @",
    "status @",
]


@pytest.fixture
def here(tmp_path, write_photo, write_pairs, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_photo(tmp_path / "p" / "a.jpg")
    write_pairs(names=("a",)).rename(tmp_path / "pairs")
    return tmp_path


def end(command: str, path: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, command.replace("@", path).split())
    assert isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("path", ["x" * 300, "p/" + "x" * 300, "p/a.jpg/b.jpg"])
def test_a_name_that_leads_nowhere(here, command, path):
    code, text = end(command, path)
    assert code in {1, 2} and text.count("error: ") == 1
    assert "Traceback" not in text and not list(here.glob("out*"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_may_not_be_entered(here, command):
    shut = here / "shut"
    shut.mkdir(mode=0)
    if os.access(shut, os.X_OK):
        pytest.skip("root may enter any folder")
    code, text = end(command, "shut/a")
    assert code in {1, 2} and text.count("error: ") == 1

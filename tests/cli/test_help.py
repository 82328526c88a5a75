"""Help texts, short options and shell completion."""

import re

import pytest
import typer
from typer.testing import CliRunner

from enhance_cli import __version__
from enhance_cli.cli.main import app

runner = CliRunner(env={"COLUMNS": "120"})

COMMANDS = ("apply", "watch", "train", "eval", "demo")


def help_of(*words: str) -> str:
    result = runner.invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    return result.output


def options_of(command):
    """All options but ``--help``."""
    return [one for one in typer.main.get_command(app).commands[command].params if one.opts]


@pytest.mark.parametrize("words", [[], *([command] for command in COMMANDS)])
def test_help_names_no_python_types(words):
    text = help_of(*words)
    noise = r"<|>|\brange\b|RANGE|\b(INTEGER|TEXT|FLOAT|PATH|BOOLEAN|None)\b|x(?:>|<)="
    assert not re.search(noise, text.replace("> mine.toml", "")), text


@pytest.mark.parametrize("words", [[], *([command] for command in COMMANDS)])
def test_h_is_help(words):
    assert runner.invoke(app, [*words, "-h"]).output == help_of(*words)


def test_capital_v_is_the_version():
    for option in ("-V", "--version"):
        assert runner.invoke(app, [option]).output == f"enhance {__version__}\n"


def panels(text: str) -> dict[str, str]:
    """The panels of a help text by their titles."""
    found = re.findall(r"^╭─ ([\w ]+?) ─+╮\n(.*?)^╰", text, re.MULTILINE | re.DOTALL)
    return dict(found)


def test_apply_help_has_five_groups_and_two_examples():
    text = help_of("apply")
    groups = panels(text)
    assert list(groups) == ["Arguments", "Photos", "Result", "Look", "Metadata", "Run"]
    for group, option in {
        "Photos": "--exclude",
        "Result": "--out",
        "Look": "--strength",
        "Metadata": "--strip-gps",
        "Run": "--help",
    }.items():
        assert option in groups[group]
    assert len(re.findall(r"^ enhance apply ", text, re.MULTILINE)) == 2


@pytest.mark.parametrize("command", ["apply", "watch", "train", "eval"])
def test_the_examples_of_the_help_can_be_parsed(command, monkeypatch, tmp_path):
    """Each one gets as far as the missing folder or weights file."""
    monkeypatch.chdir(tmp_path)
    lines = re.findall(rf"^ enhance ({command} .*?) *$", help_of(command), re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        result = runner.invoke(app, line.partition(" > ")[0].split())
        printed = "--print-recipe" in line
        assert result.exit_code == (0 if printed else 2)
        assert printed or "no such" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_help_text_that_is_a_sentence(command):
    for option in options_of(command):
        assert option.help, option.name
        assert option.help.endswith("."), option.name


def test_train_has_at_most_25_options_and_shows_their_defaults():
    options = options_of("train")
    assert len(options) <= 25
    without_default = {"fivek_root", "pairs", "photos", "settings", "style_from"}
    flags = {one.name for one in options if one.is_flag}
    shown = {
        one.name
        for one in options
        if isinstance(one.show_default, str) or one.default not in (None, (), [])
    }
    assert {one.name for one in options} <= shown | flags | without_default
    text = " ".join(re.sub(r"[│\n]", " ", help_of("train")).split())
    assert text.count("[default: ") == len(shown - flags)


def complete(words: str) -> list[str]:
    """What bash offers after these words."""
    environment = {
        "_ENHANCE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    return runner.invoke(app, [], prog_name="enhance", env=environment).output.split()


def test_shells_complete_commands_options_and_choices():
    assert complete("enhance ap") == ["apply"]
    assert "--full-size" in complete("enhance apply --f")
    assert complete("enhance apply --format ") == [
        "keep", "jpg", "png", "tiff", "webp", "avif", "heic", "jxl",
    ]  # fmt: skip
    assert complete("enhance apply --on-conflict r") == ["rename"]
    assert "--install-completion" in help_of()

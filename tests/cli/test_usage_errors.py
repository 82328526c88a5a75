"""Mistakes on the command line: one line each, which says what was probably meant."""

import pytest
import typer
from typer.testing import CliRunner

from enhance_cli.cli.main import app

runner = CliRunner(env={"COLUMNS": "40"})


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """An empty folder, so that a mistake which is taken for a command does no harm."""
    monkeypatch.chdir(tmp_path)


def said(*words: str) -> str:
    """The one line that is said of wrong usage."""
    result = runner.invoke(app, words)
    assert result.exit_code == 2 and result.stdout == "", result.output
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    return result.stderr.removeprefix("error: ").strip()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["./photos"], "./photos: no such command; did you mean enhance apply ./photos --out DIR?"),
        (["*.jpg", "-o", "x"], "*.jpg: no such command; did you mean enhance apply '*.jpg' ...?"),
        (["aply", "x"], "aply: no such command; did you mean apply?"),
        (["Apply", "x"], "Apply: no such command; did you mean apply?"),
        (["apply", "x", "--suffx", "a"], "--suffx: no such option; did you mean --suffix?"),
        (["apply", "x", "--OUT", "a"], "--OUT: no such option; did you mean --out?"),
        (["apply", "x", "--long_edge=9"], "--long_edge: no such option; did you mean --long-edge?"),
        (["apply", "x", "-x"], "-x: no such option; enhance apply -h lists all options"),
        (
            ["--out", "x"],
            "--out: no such option; it is an option of enhance apply, enhance watch, enhance train",
        ),
        (
            ["watch", "x", "--series", "auto"],
            "--series: no such option; it is an option of enhance apply",
        ),
        (["watch", "x", "--json"], "--json: no such option; did you mean --json-lines?"),
        (["apply", "x", "--out"], "--out: requires an argument; enhance apply -h tells more"),
        (["apply", "x", "-q=yes"], "-=: no such option; enhance apply -h lists all options"),
        (
            ["watch", "x", "--settle", "5s"],
            "--settle: 5s is not a number from 0 to 3600; did you mean 5?",
        ),
        (["watch", "-o", "x"], "DIR is missing; enhance watch -h tells more"),
        (
            ["status", "a", "b"],
            "got unexpected extra argument(s) (b); enhance status -h tells more",
        ),
        (["apply", "x", "--strength", "70%"], "--strength: 70% is not a number from 0 to 1.5"),
        (
            ["apply", "x", "--strength", "0,7"],
            "--strength: 0,7 is not a number from 0 to 1.5; did you mean 0.7?",
        ),
        (
            ["apply", "x", "--long-edge", "2048 px"],
            "--long-edge: 2048 px is not a whole number of at least 1; did you mean 2048?",
        ),
        (
            ["apply", "x", "--long-edge", "2,048"],
            "--long-edge: 2,048 is not a whole number of at least 1; did you mean 2048?",
        ),
        (
            ["apply", "x", "--series-gap", "inf"],
            "--series-gap: inf is not a number of at least 0",
        ),
        (["apply", "x", "--zzz"], "--zzz: no such option; enhance apply -h lists all options"),
        (
            ["apply", "", "-o", "x"],
            "an argument is empty: give a value; perhaps a variable is not set",
        ),
        (["apply", "x", "-o", ""], "-o is empty: give a value; perhaps a variable is not set"),
        (["watch", "x", "--out="], "--out is empty: give a value; perhaps a variable is not set"),
        (
            ["apply", "x", "-f", "jgp"],
            "--format: jgp is not one of keep, jpg, png, tiff, webp, avif, heic, jxl; did you mean "
            "jpg?",
        ),
        (
            ["train", "--pairs", "x", "--recipe", "smal"],
            "--recipe smal: neither paper, small, large nor style, nor a file that can be read; "
            "did you mean small?",
        ),
        (
            ["train", "--pairs", "x", "--set", "momentum=1"],
            "--set: momentum: unknown key; did you mean stages.coarse.momentum or "
            "stages.refine.momentum?",
        ),
        (
            ["train", "--pairs", "x", "--set", "sed=1"],
            "--set: sed: unknown key; did you mean seed?",
        ),
    ],
)
def test_the_line_says_what_where_and_what_was_meant(words, line):
    assert said(*words) == line


def test_what_is_no_command_and_like_none_is_answered_with_all_commands():
    line = said("xyz")
    assert all(name in line for name in typer.main.get_command(app).commands)
    assert "enhance apply ./photos --out ./retouched" in line and "enhance -h" in line


def test_a_folder_that_is_there_is_no_misspelt_command(tmp_path):
    (tmp_path / "demos").mkdir()
    assert said("demos").endswith("did you mean enhance apply demos --out DIR?")


@pytest.mark.parametrize("dash", ["-", "\u2013", "\u2014", "\u2212", "\u2014-"])
def test_a_long_option_with_other_than_two_hyphens_is_no_short_one_and_no_photo(dash):
    """``-out zz`` is ``-o ut`` and a photo zz to the parser; word processors write dashes."""
    hint = "a long option begins with two hyphens; did you mean"
    assert said("apply", "x", f"{dash}out", "zz") == f"{dash}out: {hint} --out?"
    assert said("apply", f"{dash}Quality=9") == f"{dash}Quality=9: {hint} --quality=9?"


@pytest.mark.parametrize(
    "words",
    [
        ["-oout"],
        ["-o", "-out"],
        ["--out", "-quality"],
        ["-o", "x", "--", "-out"],
        ["-qfpng", "-ox"],
    ],
)
def test_short_options_values_and_what_follows_two_hyphens_are_left_alone(words):
    result = runner.invoke(app, ["apply", "gone.jpg", *words])
    assert "gone.jpg: no such file or folder" in result.stderr


def test_no_arguments_show_the_help():
    result = runner.invoke(app, [])
    assert result.exit_code == 2 and "Commands" in result.output and "error" not in result.output


@pytest.mark.parametrize("words", [["--out=~/r"], ["--out", "~/r"], ["-o", "~/r"]])
def test_a_home_that_the_shell_has_left_as_it_is_is_no_folder_of_that_name(
    words, tmp_path, monkeypatch, write_photo, identity_weights
):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(identity_weights))
    write_photo(tmp_path / "a.jpg")
    result = runner.invoke(app, ["apply", "~/a.jpg", *words, "-n", "-q"])
    line = f"write {tmp_path / 'r' / 'a.jpg'} from {tmp_path / 'a.jpg'} (new)"
    assert (result.exit_code, result.stdout.strip()) == (0, line)

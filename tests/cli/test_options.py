"""Values of options: upper case, synonyms, ranges, and the messages for wrong ones."""

from operator import attrgetter
from typing import get_args

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app
from enhance_cli.cli.options import SPLITS, choice
from enhance_cli.cli.train import command as train
from enhance_cli.config.apply import Format, OnConflict, RawPairs, Subsampling
from enhance_cli.config.data import Expert
from enhance_cli.data.splits import NAMED_SPLITS
from enhance_cli.errors import UsageError

runner = CliRunner(env={"COLUMNS": "300"})

REQUIRED = {"apply": ["x.jpg", "--out", "out"], "train": ["--pairs", "x"], "eval": []}


@pytest.fixture
def config_of(monkeypatch):
    """Run a command up to the point where it has built its config."""
    seen = []

    def stop(config, **_):
        seen.append(config)
        raise UsageError("stop here")

    monkeypatch.setattr("enhance_cli.batch.runner.BatchRunner", stop)
    monkeypatch.setattr("enhance_cli.evaluation.evaluator.Evaluator", stop)
    monkeypatch.setattr("enhance_cli.cli.train.command._run", stop)

    def config_of(command, *words):
        seen.clear()
        result = runner.invoke(app, [command, *REQUIRED[command], *words])
        assert seen, result.output
        return seen[0]

    return config_of


@pytest.mark.parametrize(
    ("command", "option", "text", "setting", "value"),
    [
        ("apply", "--format", "JPEG", "format", "jpg"),
        ("apply", "-f", "Jpe", "format", "jpg"),
        ("apply", "-f", "TIF", "format", "tiff"),
        ("apply", "--format", "WebP", "format", "webp"),
        ("apply", "--subsampling", "420", "encoding.subsampling", "4:2:0"),
        ("apply", "--subsampling", "422", "encoding.subsampling", "4:2:2"),
        ("apply", "--subsampling", "444", "encoding.subsampling", "4:4:4"),
        ("apply", "--pairs", "JPG", "pairs", "jpeg"),
        ("apply", "--pairs", "RAW", "pairs", "raw"),
        ("apply", "--bit-depth", "16", "encoding.bits", 16),
        ("apply", "--on-conflict", "OVERWRITE", "on_conflict", "overwrite"),
        ("apply", "--on-conflict", "Replace", "on_conflict", "overwrite"),
        ("apply", "--on-conflict", "fail", "on_conflict", "error"),
        ("apply", "--device", "CPU", "device", "cpu"),
        ("train", "--expert", "C", "data.expert", "c"),
        ("train", "--variant", "CE+PRNL", "recipe.model.variant", "ce+prnl"),
        ("train", "--split", "Random250", "data.split", "random250"),
        ("train", "--split", "NONE", "data.split", None),
        ("train", "--split", "Unseen28,Mine.txt", "data.split", "unseen28,Mine.txt"),
        ("train", "--split", "Mine.txt", "data.split", "Mine.txt"),
        ("train", "--device", "CUDA:1", "device", "cuda:1"),
        ("eval", "--expert", "E", "data.expert", "e"),
        ("eval", "--split", "HighVar50", "data.split", "highvar50"),
        ("eval", "--device", "Auto", "device", "auto"),
    ],
)
def test_upper_case_and_synonyms_are_accepted(config_of, command, option, text, setting, value):
    assert attrgetter(setting)(config_of(command, option, text)) == value


@pytest.mark.parametrize(
    "literal", [Format, Subsampling, RawPairs, OnConflict, Expert, train.Method]
)
def test_every_choice_can_be_written_in_upper_case(literal):
    option = choice(literal)
    for member in option.metavar.split("|"):
        assert option.parser(member.upper()) == option.parser(f" {member} ") == member


def test_nested_choices_are_listed_once():
    words = choice(train.Method).metavar.split("|")
    assert words == ["ce", "pr", "prnl", "ce+pr", "ce+prnl", "all"]
    assert set(get_args(Format)) == set(choice(Format).metavar.split("|"))


def test_the_splits_that_help_names_are_those_that_exist():
    assert set(SPLITS) == set(NAMED_SPLITS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["apply", "--format", "gif"],
            "gif is not one of keep, jpg, png, tiff, webp, avif, heic, jxl",
        ),
        (["apply", "--subsampling", "411"], "411 is not one of 4:4:4, 4:2:2, 4:2:0"),
        (["apply", "--pairs", "png"], "png is not one of raw, jpeg, both"),
        (["apply", "--bit-depth", "12"], "12 is not one of 8, 16"),
        (["apply", "--on-conflict", "ask"], "ask is not one of skip, overwrite, rename, error"),
        (["apply", "--quality", "0"], "0 is not a whole number from 1 to 100"),
        (["apply", "--quality", "high"], "high is not a whole number from 1 to 100"),
        (["apply", "--quality", "9.5"], "9.5 is not a whole number from 1 to 100"),
        (["apply", "--strength", "1.6"], "1.6 is not a number from 0 to 1.5"),
        (["apply", "--strength", "nan"], "nan is not a number from 0 to 1.5"),
        (["apply", "--long-edge", "0"], "0 is not a whole number of at least 1"),
        (["apply", "--max-pixels", "-1"], "-1 is not a whole number of at least 1"),
        (["apply", "--device", "gpu"], "use auto, cpu, cuda, cuda:N or mps"),
        (["train", "--expert", "f"], "f is not one of a, b, c, d, e"),
        (["train", "--variant", "cx"], "cx is not one of ce, pr, prnl, ce+pr, ce+prnl, all"),
        (["train", "--epochs", "0"], "0 is not a whole number of at least 1"),
        (["train", "--batch-size", "x"], "x is not a whole number of at least 1"),
        (["train", "--learning-rate", "fast"], "fast is not a number of at least 0"),
        (["train", "--workers", "-2"], "-2 is not a whole number of at least 0"),
        (["train", "--seed", "x"], "x is not a whole number"),
        (["train", "--pairs", "x=0"], "the number after = must be above zero"),
        (["eval", "--expert", "f"], "f is not one of a, b, c, d, e"),
    ],
)
def test_a_wrong_value_is_wrong_usage_and_the_message_says_what_it_may_be(
    tmp_path, write_photo, arguments, said
):
    command, *words = arguments
    photo = str(write_photo(tmp_path / "a.jpg"))
    required = {"apply": [photo, "--out", str(tmp_path / "out")], "train": [], "eval": []}
    result = runner.invoke(app, [command, *required[command], *words])
    assert result.exit_code == 2, result.output
    assert said in result.stderr and "Traceback" not in result.stderr

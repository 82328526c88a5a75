import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from enhance_cli.cli.main import app
from enhance_cli.inference.weights_file import describe_weights

runner = CliRunner()


def run(*arguments):
    return runner.invoke(app, list(map(str, arguments)))


@pytest.fixture
def edits(tmp_path, write_photo, coffee):
    def write(count, root="edits"):
        draw = np.random.default_rng(0)
        for number in range(count):
            top, left = draw.integers(0, 250, 2)
            part = coffee[top : top + 96, left : left + 128]
            write_photo(tmp_path / root / "before" / f"{number:02}.png", part)
            write_photo(tmp_path / root / "after" / f"{number:02}.png", 60 + part // 2)
        return tmp_path / root

    return write


@pytest.fixture(autouse=True)
def _small_networks(brightening_weights, monkeypatch):
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(brightening_weights))


def test_from_edits_to_a_retouched_photo(tmp_path, edits, write_photo):
    """``train --style-from``, ``apply`` and ``eval`` one after the other."""
    root, weights = edits(6), tmp_path / "mine.safetensors"
    trained = run("train", "--style-from", root, "--out", weights, "--device", "cpu")
    assert trained.exit_code == 0, trained.stderr
    for said in (
        "fitting a style to 6 edits",
        "only 6 edits: 20 to 200",
        "held out in turn, without the style",
        "gain +",
        f"wrote {weights}",
        f"enhance apply PHOTOS --out DIR --weights {weights}",
        f"enhance eval --pairs OTHER_PAIRS --weights {weights}",
    ):
        assert said in trained.stderr, trained.stderr
    assert trained.stderr.index("gain +") < trained.stderr.index("wrote")

    scored = run("eval", "--pairs", edits(6), "--weights", weights, "--json", "--device", "cpu")
    rows = {row["method"]: row for row in json.loads(scored.stdout)["rows"]}
    assert rows["ce"]["psnr"] > rows["identity"]["psnr"] + 10 and rows["ce"]["trained_on"] == 6

    photo = write_photo(tmp_path / "new.png", size=(64, 48))
    applied = run("apply", photo, "--out", tmp_path / "out", "--weights", weights)
    assert applied.exit_code == 0, applied.stderr


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--photos", "x"], "--photos"),
        (["--fivek-root", "x"], "--fivek-root"),
        (["--epochs", "3"], "--epochs"),
        (["--split", "none"], "--split"),
        (["--resume"], "--resume"),
        (["--print-recipe"], "--print-recipe"),
        (["--skip-bad-pairs"], "--skip-bad-pairs"),
    ],
)
def test_options_of_training_are_refused(edits, arguments, option):
    result = run("train", "--style-from", edits(1), *arguments)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert f"{option} has no effect on a style" in result.stderr


@pytest.mark.parametrize("setting", ["seed=3", "even_without_gain", "even_without_gain=2"])
def test_a_style_has_one_setting(edits, setting):
    result = run("train", "--style-from", edits(1), "--set", setting)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "a style has the setting even_without_gain=true alone" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--style-from"], "--style-from: requires an argument"),
        (["--style-from", "x", "--recipe", "paper"], "leave out --recipe"),
        (["--style-from=x", "--recipe=paper"], "leave out --recipe"),
        (["--style-from", "gone"], "gone: no such folder"),
        (["--style-from=gone"], "gone: no such folder"),
        (["--recipe", "Style", "--pairs", "gone"], "gone: no such folder"),
        (["--recipe", "style"], "no photos"),
    ],
)
def test_style_from_is_short_for_the_recipe_style(arguments, said):
    result = run("train", *arguments)
    assert result.exit_code == 2 and said in " ".join(result.stderr.split())


def test_no_gain_is_said_and_nothing_is_written(tmp_path, edits, write_photo):
    """Edits that are darker or brighter than the networks' results, with nothing in common."""
    root, weights = edits(12), tmp_path / "mine.safetensors"
    for number, path in enumerate(sorted((root / "before").iterdir())):
        pixels = np.asarray(Image.open(path)) // 2 + 25.5
        after = pixels * (0.8 if number % 2 else 1.2)
        write_photo(root / "after" / path.name, after.round().astype(np.uint8))
        write_photo(path, (pixels - 25.5).astype(np.uint8))
    arguments = ("train", "--style-from", root, "--out", weights, "--device", "cpu")
    refused = run(*arguments)
    assert refused.exit_code == 1, refused.stderr
    assert "no clear gain on held-out edits, so nothing was written" in refused.stderr
    assert "--set even_without_gain=true" in refused.stderr and not weights.exists()


def test_the_networks_are_those_of_init(tmp_path, edits, identity_weights):
    arguments = ("train", "--style-from", edits(3), "--out", tmp_path / "w.safetensors")
    result = run(*arguments, "--init", identity_weights)
    assert result.exit_code == 2 and "not one function of color" in result.stderr
    result = run(
        *arguments, "--init", "SHIPPED", "--device", "cpu", "--set", "even_without_gain=true"
    )
    assert result.exit_code == 0, result.stderr
    assert describe_weights(tmp_path / "w.safetensors").config.variant == "ce+prnl"


def test_others_files_stay(tmp_path, edits):
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(b"mine")
    result = run("train", "--style-from", edits(3), "--out", weights)
    assert result.exit_code == 2 and "--on-conflict overwrite" in result.stderr
    assert weights.read_bytes() == b"mine"

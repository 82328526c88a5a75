import csv
import json

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app

runner = CliRunner()


def run(*arguments):
    return runner.invoke(app, list(map(str, arguments)))


def test_the_table_has_identity_on_top_and_says_how_ssim_is_measured(
    tmp_path, write_pairs, brightening_weights
):
    split = tmp_path / "split.txt"
    split.write_text("a0001\na0002\n")
    told = run(
        *("eval", "--fivek-root", write_pairs(), "--split", split),
        *("--weights", brightening_weights, "--device", "cpu"),
    )
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    identity = next(i for i, line in enumerate(lines) if " identity " in line)
    assert " ce " in lines[identity + 1] and "1 of them" in lines[identity + 1]
    assert "Gaussian window, sigma 1.5" in told.stdout
    assert "trained on 1 of these 2 photos" in told.stderr


@pytest.fixture
def split(tmp_path):
    (tmp_path / "split.txt").write_text("a0001\na0002\n")
    return tmp_path / "split.txt"


def test_the_papers_rows_are_marked_as_published(write_pairs, split, brightening_weights):
    command = ("eval", "--fivek-root", write_pairs(), "--split", split, "--paper")
    options = ("--weights", brightening_weights, "--device", "cpu")
    told = run(*command, *options)
    assert told.exit_code == 0
    published = [line for line in told.stdout.splitlines() if ", published" in line]
    assert len(published) == 11 and "24.19" in published[4] and "0.915" in published[4]
    assert all("published" in line for line in told.stdout.splitlines() if "24.19" in line)
    document = json.loads(run(*command, *options, "--json").stdout)
    assert len(document["rows"]) == 2 and len(document["published"]) == 11


def test_the_figures_of_every_photo_as_csv(write_pairs, split, brightening_weights, tmp_path):
    told = run(
        *("eval", "--fivek-root", write_pairs(), "--split", split, "--json"),
        *("--weights", brightening_weights, "--device", "cpu"),
        *("--per-photo", tmp_path / "deep" / "figures.csv"),
    )
    with (tmp_path / "deep" / "figures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["photo"], row["method"]) for row in rows] == [
        ("a0001", "identity"),
        ("a0001", "ce"),
        ("a0002", "identity"),
        ("a0002", "ce"),
    ]
    means = json.loads(told.stdout)["rows"]
    for number, name in enumerate(("identity", "ce")):
        values = [float(row["psnr"]) for row in rows if row["method"] == name]
        assert sum(values) / 2 == pytest.approx(means[number]["psnr"], rel=1e-4)


def test_what_is_found_and_what_it_costs_is_said_before(
    write_pairs, split, brightening_weights, tmp_path
):
    command = (
        *("eval", "--fivek-root", write_pairs(), "--split", split, "--device", "cpu"),
        *("--weights", brightening_weights, "--cache-dir", tmp_path / "cache"),
    )
    told = run(*command).stderr
    assert "MIT-Adobe FiveK, Lightroom exports, expert C from expertC/, 4 pairs" in told
    assert f"rendering 2 of them once, at 500 px, into {tmp_path / 'cache'}: 1 MB at most" in told
    assert "rendering" not in run(*command).stderr


def test_a_csv_that_cannot_be_written(write_pairs, split, brightening_weights):
    told = run(
        *("eval", "--fivek-root", write_pairs(), "--split", split, "--device", "cpu"),
        *("--weights", brightening_weights, "--per-photo", split / "figures.csv"),
    )
    assert told.exit_code == 1 and "--per-photo" in told.stderr


def test_bad_pairs_are_warned_of_where_they_are_skipped(write_pairs, split, brightening_weights):
    root = write_pairs()
    (root / "input" / "a0002-y.png").unlink()
    command = (
        *("eval", "--fivek-root", root, "--split", split, "--device", "cpu"),
        *("--weights", brightening_weights),
    )
    told = run(*command)
    assert told.exit_code == 1 and "1 bad pair: a0002: " in told.stderr
    assert "no original" in told.stderr
    told = run(*command, "--skip-bad-pairs", "--json")
    assert told.exit_code == 0 and "skipping a0002" in told.stderr
    document = json.loads(told.stdout)
    assert document["photos"] == 1 and document["skipped"][0]["key"] == "a0002"

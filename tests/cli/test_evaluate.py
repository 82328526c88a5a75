import csv
import json

import pytest
from scipy.stats import sem
from typer.testing import CliRunner

from enhance_cli.cli.main import app

runner = CliRunner()


def run(*arguments):
    return runner.invoke(app, list(map(str, arguments)))


def test_the_table_has_identity_first_and_the_ssim_settings(
    tmp_path, write_pairs, brightening_weights
):
    split = tmp_path / "split.txt"
    split.write_text("a0001\na0002\n")
    result = run(
        *("eval", "--fivek-root", write_pairs(), "--split", split),
        *("--weights", brightening_weights, "--device", "cpu"),
    )
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    identity = next(i for i, line in enumerate(lines) if " identity " in line)
    assert " ce, trained on 1 of them " in lines[identity + 1]
    assert "Gaussian window, sigma 1.5" in result.stdout
    assert "trained on 1 of these 2 photos" in result.stderr


@pytest.fixture
def split(tmp_path):
    (tmp_path / "split.txt").write_text("a0001\na0002\n")
    return tmp_path / "split.txt"


def test_the_papers_rows_are_marked_as_published(write_pairs, split, brightening_weights):
    command = ("eval", "--fivek-root", write_pairs(), "--split", split, "--paper")
    options = ("--weights", brightening_weights, "--device", "cpu")
    result = run(*command, *options)
    assert result.exit_code == 0
    published = [line for line in result.stdout.splitlines() if ", published" in line]
    assert len(published) == 11 and "24.19" in published[4] and "0.915" in published[4]
    assert all("published" in line for line in result.stdout.splitlines() if "24.19" in line)
    document = json.loads(run(*command, *options, "--json").stdout)
    assert len(document["rows"]) == 2 and len(document["published"]) == 11


def test_standard_errors_are_those_of_the_scores_of_every_photo(
    write_pairs, split, brightening_weights, tmp_path
):
    command = ("eval", "--fivek-root", write_pairs(), "--split", split, "--do-no-harm")
    options = ("--weights", brightening_weights, "--device", "cpu")
    document = json.loads(
        run(*command, *options, "--json", "--per-photo", tmp_path / "a.csv").stdout
    )
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, given in (
        *((row, "original") for row in document["rows"]),
        *((row, "expert") for row in document["do_no_harm"]),
    ):
        chosen = [one for one in rows if (one["method"], one["given"]) == (row["method"], given)]
        for name in ("l2_lab", "psnr", "ssim"):
            expected = sem([float(one[name]) for one in chosen])
            assert row["standard_error"][name] == pytest.approx(expected, abs=1e-4)
    identity = document["rows"][0]
    shown = f"{identity['l2_lab']:.2f} ± {identity['standard_error']['l2_lab']:.2f}"
    table = run(*command, *options).stdout
    assert shown in table and "standard error" in table


def test_a_single_photo_has_no_standard_error(write_pairs, brightening_weights, tmp_path):
    (tmp_path / "one.txt").write_text("a0001\n")
    command = ("eval", "--fivek-root", write_pairs(), "--split", tmp_path / "one.txt")
    options = ("--weights", brightening_weights, "--device", "cpu")
    assert "±" not in run(*command, *options).stdout
    rows = json.loads(run(*command, *options, "--json").stdout)["rows"]
    assert [row["standard_error"] for row in rows] == [None, None]


def test_the_scores_of_every_photo_are_written_as_csv(
    write_pairs, split, brightening_weights, tmp_path
):
    result = run(
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
    means = json.loads(result.stdout)["rows"]
    for number, name in enumerate(("identity", "ce")):
        values = [float(row["psnr"]) for row in rows if row["method"] == name]
        assert sum(values) / 2 == pytest.approx(means[number]["psnr"], rel=1e-4)


def test_pairs_and_disk_space_are_reported_before_rendering(
    write_pairs, split, brightening_weights, tmp_path
):
    command = (
        *("eval", "--fivek-root", write_pairs(), "--split", split, "--device", "cpu"),
        *("--weights", brightening_weights, "--cache-dir", tmp_path / "cache"),
    )
    messages = run(*command).stderr
    assert "MIT-Adobe FiveK, Lightroom exports, expert C from expertC/, 4 pairs" in messages
    assert (
        f"rendering 2 of them once, at 500 px, into {tmp_path / 'cache'}: 1 MB at most" in messages
    )
    assert "rendering" not in run(*command).stderr


def test_only_pairs_of_fivek_have_an_expert(write_pairs, split, brightening_weights):
    root = write_pairs()
    common = ("--split", split, "--device", "cpu", "--weights", brightening_weights)
    assert "expert C" in run("eval", "--fivek-root", root, *common).stdout
    (root / "input").rename(root / "before")
    (root / "expertC").rename(root / "after")
    common = ("eval", "--pairs", root, *common[2:])
    own = run(*common)
    assert own.exit_code == 0 and "expert C" not in own.stdout and "all: 4 photos" in own.stdout
    assert json.loads(run(*common, "--json").stdout)["expert"] is None
    other = run(*common, "--expert", "a")
    assert other.exit_code == 2 and "--expert has no effect without --fivek-root" in other.stderr


def test_a_csv_that_cannot_be_written_is_an_error(write_pairs, split, brightening_weights):
    result = run(
        *("eval", "--fivek-root", write_pairs(), "--split", split, "--device", "cpu"),
        *("--weights", brightening_weights, "--per-photo", split / "figures.csv"),
    )
    assert result.exit_code == 1 and "--per-photo" in result.stderr


def test_skipped_bad_pairs_cause_a_warning(write_pairs, split, brightening_weights):
    root = write_pairs()
    (root / "input" / "a0002-y.png").unlink()
    command = (
        *("eval", "--fivek-root", root, "--split", split, "--device", "cpu"),
        *("--weights", brightening_weights),
    )
    result = run(*command)
    assert result.exit_code == 1 and "1 bad pair: a0002: " in result.stderr
    assert "no original" in result.stderr
    result = run(*command, "--skip-bad-pairs", "--json")
    assert result.exit_code == 0 and "skipping a0002" in result.stderr
    document = json.loads(result.stdout)
    assert document["photos"] == 1 and document["skipped"][0]["key"] == "a0002"


class TestWhatIsThereAlready:
    @pytest.fixture
    def score(self, write_pairs, split, brightening_weights):
        root = write_pairs()

        def score(*options):
            command = ("eval", "--fivek-root", root, "--split", split, "--device", "cpu")
            return run(*command, "--weights", brightening_weights, *options)

        return score

    @pytest.mark.parametrize("kind", ["file", "dangling link", "other table"])
    @pytest.mark.parametrize("option", ["--per-photo", "--panel"])
    def test_others_files_stay(self, tmp_path, score, option, kind):
        path = tmp_path / "seen" / "a0001.png"
        path.parent.mkdir()
        if kind == "dangling link":
            path.symlink_to("gone")
        else:
            path.write_bytes(b"photo,method\nmine,1\n" if kind == "other table" else b"mine")
        before = None if kind == "dangling link" else path.read_bytes()
        place = path if option == "--per-photo" else path.parent
        result = score(option, place)
        assert result.exit_code == 2 and "--on-conflict overwrite" in result.stderr
        assert result.stderr.count("\n") == 1
        assert path.is_symlink() if before is None else path.read_bytes() == before
        assert score(option, place, "--on-conflict", "overwrite").exit_code == 0
        assert path.read_bytes() != before and not path.is_symlink()

    def test_those_of_an_earlier_run_are_replaced(self, tmp_path, score):
        options = ("--per-photo", tmp_path / "figures.csv", "--panel", tmp_path / "panels")
        for _ in range(2):
            assert score(*options).exit_code == 0
        assert len(list((tmp_path / "panels").iterdir())) == 2

    @pytest.mark.parametrize("side", ["input", "expertC"])
    def test_no_panels_among_the_photos(self, tmp_path, score, side):
        result = score("--panel", tmp_path / "fivek" / side)
        assert result.exit_code == 2 and "holds the photos" in result.stderr


def test_infinite_figures_are_null_in_json(tmp_path, write_photo, identity_weights):
    for side in ("before", "after"):
        write_photo(tmp_path / "pairs" / side / "a.png")
    (tmp_path / "split.txt").write_text("a\n")
    result = run(
        *("eval", "--pairs", tmp_path / "pairs", "--split", tmp_path / "split.txt", "--json"),
        *("--weights", identity_weights, "--device", "cpu", "--do-no-harm"),
    )

    def refuse(text):
        raise AssertionError(text)

    document = json.loads(result.stdout, parse_constant=refuse)
    assert [row["psnr"] for row in document["rows"]] == [None, None]
    assert document["rows"][0]["l2_lab"] == 0


def test_no_option_is_asked_for_that_is_not_there():
    result = run("eval")
    assert result.exit_code == 2 and "--photos" not in result.stderr
    assert "give --fivek-root DIR or --pairs DIR" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "split", "photos"),
    [
        (["--pairs", "mine"], "all", 3),
        (["--pairs", "mine", "--split", "ALL"], "all", 3),
        (["--fivek-root", "fivek"], "random250", 1),
        (["--fivek-root", "fivek", "--split", "all"], "all", 2),
        (["--fivek-root", "fivek", "--pairs", "mine"], "random250 + all", 4),
    ],
)
def test_all_pairs_are_scored_unless_a_split_says_otherwise(
    arguments, split, photos, write_pairs, brightening_weights, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_pairs(names=("x", "y", "z"), root="mine")
    write_pairs(names=("a0017-in", "a0001-not"))  # a0017 is one of RANDOM250
    result = run("eval", *arguments, "--weights", brightening_weights, "--json", "--device", "cpu")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["split"], document["photos"]) == (split, photos)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--on-conflict", "overwrite"], "--on-conflict has no effect without --panel DIR or"),
        (["--outputs", "x", "--device", "cpu"], "--device has no effect where only --outputs are"),
    ],
)
def test_options_that_have_no_effect_beside_others_are_refused(words, line):
    result = run("eval", "--pairs", "x", *words)
    assert result.exit_code == 2 and line in result.stderr and result.stderr.count("\n") == 1

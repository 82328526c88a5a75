"""A URL that cannot be used is wrong usage, and no folder on this machine."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app

runner = CliRunner(env={"COLUMNS": "40"})

DISK = "must be on a disk of this machine, given by its path"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch, write_photo):
    monkeypatch.chdir(tmp_path)
    write_photo(tmp_path / "p" / "a.jpg")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("apply p -o s3://", "-o s3://: names no bucket; give one, as in s3://bucket/folder"),
        ("apply gs:/// -o x", "gs:///: names no bucket; give one, as in gs://bucket/folder"),
        ("status AZ://", "AZ://: names no bucket; give one, as in az://bucket/folder"),
        ("apply p -o ftp://b/x", "-o ftp://b/x: ftp cannot be listed; use s3, gs, az or file"),
        ("apply htp://x -o x", "htp://x: htp cannot be listed; use s3, gs, az or file"),
        (
            "apply p --out=https://b/x",
            "--out https://b/x: https cannot be listed; use s3, gs, az or file",
        ),
        ("apply p -o x --compare s3://b/c", f"--compare s3://b/c: {DISK}"),
        ("apply p -o x --gallery gs://b/c.html", f"--gallery gs://b/c.html: {DISK}"),
        ("apply p -o x --lut=s3://b/l", f"--lut s3://b/l: {DISK}"),
        ("apply p -o x --weights s3://b/w", f"--weights s3://b/w: {DISK}"),
        ("apply -o x --from s3://b/list", f"--from s3://b/list: {DISK}"),
        ("apply -o x -- p ftp://x", "ftp://x: ftp cannot be listed; use s3, gs, az or file"),
        ("watch s3://b/x -o x", f"s3://b/x: {DISK}"),
        ("watch p -o s3://b/x", f"-o s3://b/x: {DISK}"),
        ("train --pairs s3://b/x", f"--pairs s3://b/x: {DISK}"),
        ("eval --fivek-root az://b/x", f"--fivek-root az://b/x: {DISK}"),
    ],
)
def test_the_line_says_which_and_why(words, line):
    result = runner.invoke(app, words.split())
    assert (result.exit_code, result.stderr) == (2, f"error: {line}\n"), result.output
    assert [path.name for path in Path.cwd().iterdir()] == ["p"], "nothing is made"


@pytest.mark.parametrize("words", ["--exclude s3://b/x", "--suffix _a:b"])
def test_what_is_no_place_is_left_alone(words):
    result = runner.invoke(app, ["apply", "p", "-o", "x", "--dry-run", *words.split()])
    assert result.exit_code == 0, result.output


def test_file_urls_name_folders():
    place = Path.cwd().joinpath("x").as_uri().replace("file:", "FILE:", 1)
    result = runner.invoke(app, ["apply", "p", "-o", place, "--device", "cpu"])
    assert result.exit_code == 0 and Path("x/a.jpg").is_file(), result.output


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("s3://", "names no bucket; give one, as in s3://bucket/folder"),
        ("ftp://b/x.jpg", "ftp cannot be listed; use s3, gs, az or file"),
    ],
)
def test_lists_of_photos(place, why):
    Path("list.txt").write_text(f"p/a.jpg\n{place}\n")
    result = runner.invoke(app, ["apply", "--from", "list.txt", "-o", "x"])
    line = f"error: --from list.txt: {place}: {why}\n"
    assert (result.exit_code, result.stderr) == (2, line), result.output
    assert not Path("x").exists()


def test_weights_in_the_settings_of_a_folder():
    settings = Path("p/enhance.toml").absolute()
    settings.write_text('weights = "gs://b/w"\n')
    result = runner.invoke(app, ["apply", "p", "-o", "x"])
    line = f"error: {settings}: weights = 'gs://b/w': {DISK}\n"
    assert (result.exit_code, result.stderr) == (2, line), result.output

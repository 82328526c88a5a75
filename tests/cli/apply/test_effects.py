"""Options that have no effect beside others, or on any result, are refused or told."""

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app

runner = CliRunner()


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch, write_photo, identity_weights):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(identity_weights))
    write_photo(tmp_path / "pngs" / "a.png")
    write_photo(tmp_path / "mixed" / "a.png")
    write_photo(tmp_path / "mixed" / "b.jpg")


def run(words: str):
    return runner.invoke(app, words.split())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("mixed -o o --series-gap 9", "--series-gap has no effect without --series auto"),
        (
            "mixed -o o --series-gap 9 --series f",
            "--series-gap has no effect without --series auto",
        ),
        ("mixed -o o --lut-format hald", "--lut-format has no effect without --lut DIR"),
        ("mixed -o o --lut-size 9", "--lut-size has no effect without --lut DIR"),
        ("mixed -o o -f PNG --quality 80", "--quality has no effect on png files"),
        ("mixed -o o -f tif --quality 80", "--quality has no effect on tiff files"),
        ("pngs/a.png -o b.png --quality 80", "--quality has no effect on png files"),
        ("mixed -o o -f png --subsampling 420", "--subsampling has no effect on png files"),
        ("mixed -o o -f webp --subsampling 444", "--subsampling has no effect on webp files"),
        ("mixed -o o -f jxl --subsampling 444", "--subsampling has no effect on jxl files"),
        *(
            (f"mixed -o o -f {one} --bit-depth 16", f"--bit-depth has no effect on {one} files")
            for one in ("jpg", "webp", "avif")
        ),
        *(
            (f"mixed --lut l --no-pictures {one}", "has no effect with --no-pictures")
            for one in ("--quality 80", "--subsampling 420", "--bit-depth 8", "--srgb")
        ),
        ("pngs/a.png -o - --new-times", "--new-times has no effect with --out -"),
        ("pngs/a.png -o - --on-conflict rename", "--on-conflict has no effect with --out -"),
    ],
)
def test_what_the_command_line_alone_tells_is_refused(words, line, tmp_path):
    result = run(f"apply {words}")
    assert result.exit_code == 2 and line in result.stderr and result.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"pngs", "mixed"}


def test_watch_refuses_the_same():
    result = run("watch mixed -o o -f png --quality 80")
    assert result.exit_code == 2 and "--quality has no effect on png files" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        "mixed -o o --series auto --series-gap 9 --coarse-only",
        "mixed -o o -f png --bit-depth 16",
        "mixed -o o -f jpg --bit-depth 8",
        "mixed -o o -f webp --quality 80",
        "mixed -o o --quality 80 --subsampling 420 --bit-depth 16",
        "pngs/a.png -o b.heic --subsampling 420 --bit-depth 16",
        "mixed -o o --strip-gps --strip-metadata",
    ],
)
def test_what_has_an_effect_is_neither_refused_nor_told(words):
    result = run(f"apply {words} -n")
    assert result.exit_code == 0 and "has no effect" not in result.stderr


@pytest.mark.parametrize("more", ["-n", "-q", "-n --json"])
def test_what_only_the_photos_tell_is_a_warning(more):
    result = run(f"apply pngs -o o --quality 80 --subsampling 420 {more}")
    assert result.exit_code == 0
    for option in ("--quality", "--subsampling"):
        assert f"warning: {option} has no effect: all results are .png files" in result.stderr


def test_the_warning_says_how_to_get_16_bits(tmp_path):
    (tmp_path / "mixed" / "a.png").unlink()
    result = run("apply mixed -o o --bit-depth 16 -n")
    line = "all results are .jpg files; choose --format tiff, png or jxl"
    assert result.exit_code == 0 and f"--bit-depth has no effect: {line}" in result.stderr


def test_an_enhance_toml_holds_for_other_runs_too(tmp_path):
    (tmp_path / "enhance.toml").write_text("quality = 80\nbit-depth = 16")
    for words in ("pngs -o o", "mixed -o o -f png", "mixed -o o -f jpg"):
        result = run(f"apply {words} -n")
        assert result.exit_code == 0 and "has no effect" not in result.stderr

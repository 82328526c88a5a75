"""Photos from standard input and results on standard output, through real pipes."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from pictures import smooth
from PIL import Image
from typer.testing import CliRunner

from enhance_cli.cli.main import app
from enhance_cli.imaging.codecs.decode import decode
from enhance_cli.imaging.codecs.encode import write_photo as encode

GREY = np.full((40, 60, 3), 100, np.uint8)


@pytest.fixture
def temporary(tmp_path) -> Path:
    """The folder for temporary files, in which nothing may be left."""
    (tmp_path / "tmp").mkdir()
    return tmp_path / "tmp"


@pytest.fixture
def command(brightening_weights, temporary, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.chdir(tmp_path)

    def command(*words):
        own = [str(word) for word in words]
        return [sys.executable, "-m", "enhance_cli", "apply", *own, "--weights",
                str(brightening_weights)]  # fmt: skip

    return command


class Done(NamedTuple):
    returncode: int
    stdout: bytes
    stderr: bytes


@pytest.fixture
def apply(command, temporary, monkeypatch):
    """The command in this process, which has loaded PyTorch already."""
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    def apply(*words, given=b"", quiet=True):
        words = (*words, "-q") if quiet else words
        result = CliRunner().invoke(app, command(*words)[3:], input=given)
        assert list(temporary.iterdir()) == []
        return Done(result.exit_code, result.stdout_bytes, result.stderr_bytes)

    return apply


@pytest.fixture
def photo(tmp_path, write_photo) -> Path:
    return write_photo(tmp_path / "photos" / "a.jpg", GREY)


def level(path: Path) -> int:
    return round(np.asarray(Image.open(path).convert("RGB")).mean())


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("a.jpg", b"\xff\xd8\xff"),
        ("a.png", b"\x89PNG"),
        ("a.tif", b"II*\0"),
        ("a.webp", b"RIFF"),
        ("a.avif", b"ftypavif"),
        ("a.jxl", b"JXL "),
        ("a.heic", b"\xff\xd8\xff"),
        ("a.jp2", b"\xff\xd8\xff"),
        ("a.dng", b"\xff\xd8\xff"),
    ],
)
def test_a_result_has_the_format_that_it_has_as_a_file(
    apply, tmp_path, write_photo, write_dng, name, signature
):
    path = tmp_path / name
    if name == "a.dng":
        write_dng(path, smooth(60, 40))
    elif name in {"a.heic", "a.jxl"}:
        encode(decode(write_photo(tmp_path / "b.png", smooth(60, 40))), path)
    else:
        write_photo(path, smooth(60, 40))
    result = apply("-", "--out", "-", given=path.read_bytes())
    assert (result.returncode, result.stderr) == (0, b"")
    assert signature in result.stdout[:12]
    assert apply(path, "--out", tmp_path / "files").returncode == 0
    (as_file,) = (one for one in (tmp_path / "files").iterdir() if one.name[0] != ".")
    assert as_file.read_bytes() == result.stdout


def test_a_file_to_standard_output_and_back(apply, photo, tmp_path):
    result = apply(photo, "--out", "-", "--format", "png")
    assert result.stdout.startswith(b"\x89PNG")
    assert apply("-", "--out", "b.tif", given=result.stdout).returncode == 0
    assert level(tmp_path / "b.tif") == pytest.approx(152, abs=1)
    assert (tmp_path / "b.tif").stat().st_mode & 0o777 == photo.stat().st_mode & 0o777
    other = apply("-", "--out", "b.tif", "--json", given=photo.read_bytes())
    assert json.loads(other.stdout)["photos"][0]["input"] == "-"
    assert "another photo" in json.loads(other.stdout)["photos"][0]["reason"]
    same = apply("-", "--out", "b.tif", "--json", given=result.stdout)
    assert json.loads(same.stdout)["photos"][0]["reason"] == "up to date"


def test_metadata_and_profile_are_kept(apply, tmp_path, write_photo, prophoto_profile):
    photo = write_photo(tmp_path / "a.jpg", smooth(60, 40), icc_profile=prophoto_profile)
    command = ["exiftool", "-q", "-overwrite_original", "-Artist=Me", "-GPSLatitude=5", photo]
    if subprocess.run(command, check=False).returncode:
        pytest.skip("needs ExifTool")
    out = apply("-", "-o", "-", given=photo.read_bytes()).stdout
    (tmp_path / "b.jpg").write_bytes(out)
    told = subprocess.check_output(["exiftool", "-j", "-n", tmp_path / "b.jpg"])
    (tags,) = json.loads(told)
    assert tags["Artist"] == "Me" and tags["GPSLatitude"] == 5
    assert Image.open(tmp_path / "b.jpg").info["icc_profile"] == prophoto_profile


def test_messages_and_nothing_else_go_to_standard_error(apply, photo):
    result = apply("-", "--out", "-", given=photo.read_bytes(), quiet=False)
    assert result.stdout.startswith(b"\xff\xd8") and result.stdout.endswith(b"\xff\xd9")
    assert b"[1/1] -: done" in result.stderr and b"tmp" not in result.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"", "standard input: the file is empty"),
        (b"no photo", "standard input: not a photo"),
        (b"\xff\xd8\xff\xe0" + b"x" * 99, "standard input: "),
        (b"II*\0" + b"x" * 99, "standard input: "),
        (b"\x89PNG\r\n\x1a\n", "standard input: "),
        (b"\0\0\0\x18ftypcrx " + b"x" * 99, "standard input: "),
    ],
)
@pytest.mark.parametrize("out", ["-", "b.jpg"])
def test_what_is_no_photo_is_told_in_one_line(apply, given, message, out, tmp_path):
    result = apply("-", "--out", out, given=given)
    assert result.returncode == 3 and message in result.stderr.decode()
    assert result.stderr.count(b"\n") == 1 and b"/enhance-" not in result.stderr
    assert b"\xff\xd8" not in result.stdout and not (tmp_path / "b.jpg").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-", "a.jpg", "--out", "-"), "one photo"),
        (("a.jpg", "b.jpg", "--out", "-"), "one photo"),
        (("photos", "--out", "-"), "one photo"),
        (("-", "--out", "folder"), "has no name"),
        (("-", "--out", "folder.jpg/"), "has no name"),
        (("-",), "--out FILE is missing"),
        (("-", "--suffix", "_e"), "--suffix does not go with"),
        (("a.jpg", "--out", "-", "--suffix", "_e"), "--suffix does not go with"),
        (("-", "--from", "-", "--out", "-"), "not both"),
        (("-", "--out", "-", "--json"), "--json does not go with"),
        (("a.jpg", "--out", "-", "--json-lines"), "--json-lines does not go with"),
        (("-", "--out", "-", "--dry-run"), "--dry-run does not go with"),
        (("-", "--out", "b.jpg", "--dry-run"), "--dry-run does not go with"),
        (("a.jpg", "--out", "-", "--gallery", "g.html"), "--gallery does not go with"),
        (("-", "--no-pictures", "--lut", "l"), "--no-pictures does not go with"),
        (("gone.jpg", "--out", "-"), "no such file"),
    ],
)
def test_what_cannot_be_meant(apply, photo, words, message):
    result = apply(*words, given=photo.read_bytes())
    assert result.returncode == 2 and message in result.stderr.decode()
    assert result.stderr.count(b"\n") == 1 and result.stdout == b""


@pytest.mark.parametrize("conflict", ["skip", "overwrite", "rename", "error"])
@pytest.mark.parametrize("name", ["a.jpg", "hard.jpg", "link.jpg"])
def test_a_photo_on_standard_input_is_an_original(command, photo, conflict, name):
    photo.with_name("hard.jpg").hardlink_to(photo)
    photo.with_name("link.jpg").symlink_to(photo)
    before = photo.read_bytes()
    words = command("-", "-o", photo.with_name(name), "--on-conflict", conflict)
    with photo.open("rb") as given:
        done = subprocess.run(words, stdin=given, capture_output=True, check=False)
    assert done.returncode == 2 and b"would replace the original" in done.stderr
    assert photo.read_bytes() == before and photo.with_name(name).samefile(photo)


def test_nor_is_it_replaced_by_a_side_output(command, write_photo, tmp_path):
    original = write_photo(tmp_path / "photos" / "b.jpg.jpg", GREY)
    before = original.read_bytes()
    words = command("-", "-o", "r/b.jpg", "--compare", "photos", "--on-conflict", "overwrite")
    with original.open("rb") as given:
        done = subprocess.run(words, stdin=given, capture_output=True, check=False)
    assert done.returncode == 2 and b"would replace an original" in done.stderr
    assert original.read_bytes() == before


@pytest.mark.parametrize("by_name", [True, False])
def test_standard_output_is_not_added_to_the_original(command, photo, by_name):
    before = photo.read_bytes()
    words = command(photo if by_name else "-", "-o", "-")
    with photo.open("rb") as given, photo.open("ab") as taken:
        done = subprocess.run(words, stdin=given, stdout=taken, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2 and b"standard output is the original" in done.stderr
    assert photo.read_bytes() == before


def test_a_folder_of_settings_does_not_count_for_standard_input(apply, photo, tmp_path):
    (tmp_path / "enhance.toml").write_text("long-edge = 10\nexposure = 2\n")
    result = apply("-", "--out", "b.png", given=photo.read_bytes())
    assert result.returncode == 0 and level(tmp_path / "b.png") == pytest.approx(126, abs=1)
    assert Image.open(tmp_path / "b.png").size == (60, 40)
    assert apply(photo, "--out", "c.png").returncode == 0
    assert Image.open(tmp_path / "c.png").size == (10, 7)


def test_a_terminal_gets_no_picture_and_gives_none(command, photo, temporary):
    for words, stream in (((photo, "--out", "-"), "stdout"), (("-", "--out", "b.jpg"), "stdin")):
        ours, theirs = pty.openpty()
        done = subprocess.run(
            command(*words), **{stream: theirs}, stderr=subprocess.PIPE, check=False, timeout=60
        )
        assert done.returncode == 2 and b"terminal" in done.stderr
        os.close(theirs)
        os.close(ours)
    assert list(temporary.iterdir()) == []


def test_a_reader_that_has_gone_and_a_full_disk_are_one_line(command, temporary, tmp_path):
    photo = tmp_path / "large.png"
    noise = np.random.default_rng(0).integers(0, 255, (500, 500, 3), np.uint8)
    Image.fromarray(noise).save(photo)
    run = subprocess.Popen(
        command(photo, "-o", "-", "-q"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdout is not None and run.stderr is not None
    run.stdout.close()
    told = run.stderr.read()
    assert run.wait(timeout=60) == 1
    assert told.count(b"\n") == 1 and b"standard output" in told
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command(photo, "-o", "-", "-q"), stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_end_by_signal_leaves_nothing(command, temporary, number):
    # A shell's background commands ignore Ctrl-C, and so would what these tests start there.
    before = signal.signal(number, signal.SIG_DFL)
    run = subprocess.Popen(
        command("-", "-o", "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    signal.signal(number, before)
    deadline = time.monotonic() + 60
    while not list(temporary.iterdir()):
        assert time.monotonic() < deadline and run.poll() is None
        time.sleep(0.02)
    run.send_signal(number)
    out, error = run.communicate(timeout=60)
    assert run.returncode == 128 + number and out == b""
    assert b"Traceback" not in error and list(temporary.iterdir()) == []

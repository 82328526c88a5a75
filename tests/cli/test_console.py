"""Lines of output say exactly what they were given."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from enhance_cli.cli import console

TEXT = "[red]my :smile: [/] photo.jpg"


@pytest.mark.parametrize(
    ("print_line", "expected"),
    [
        (console.say, TEXT),
        (console.say_warning, f"warning: {TEXT}"),
        (console.say_error, f"error: {TEXT}"),
    ],
)
def test_names_with_markup_or_emoji_codes_are_printed_as_they_are(capsys, print_line, expected):
    print_line(TEXT)
    assert capsys.readouterr().err == f"{expected}\n"


@pytest.mark.parametrize("name", ["say", "say_warning", "say_error"])
def test_the_first_line_loads_no_emoji_table(name):
    # A Ctrl-C during that import would make the signal handler print through half a module.
    program = (
        "import sys; from enhance_cli.cli import console; "
        f"console.{name}('a photo'); sys.exit('rich._emoji_codes' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


HOSTILE = "a\x1b[31mred\x07\n\r\t\x9b2J\u202egpj.\u2028" + os.fsdecode(b"\xe9") + "é\U0001f4f7.jpg"


@pytest.mark.parametrize("print_line", [console.say, console.say_warning, console.say_error])
def test_names_do_not_steer_the_terminal(capsys, print_line):
    print_line(HOSTILE)
    line = capsys.readouterr().err
    assert line.endswith("é\U0001f4f7.jpg\n") and line.count("\n") == 1
    assert "\\x1b[31mred\\x07\\n\\r\\t\\x9b2J\\u202egpj.\\u2028\\udce9" in line


def test_a_json_document_holds_every_name_and_steers_nothing(capsys):
    console.say_json({"input": HOSTILE})
    text = capsys.readouterr().out
    assert json.loads(text) == {"input": HOSTILE}
    text.encode()
    assert "é\U0001f4f7" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]", text)


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(console.__file__).parents[2])}


def command(line: str, folder: Path, **environment: str) -> tuple[int, str]:
    """The exit code of a shell's line, and what it printed to standard error."""
    program = f"{sys.executable} -m enhance_cli"
    done = subprocess.run(
        ["sh", "-c", re.sub("^enhance", program, line)],
        cwd=folder, capture_output=True, text=True, check=False, env=ENVIRONMENT | environment,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
@pytest.mark.parametrize(
    "arguments",
    [
        "apply photos --out out --json -q --weights w.safetensors",
        "apply photos --out out -q --json --dry-run --weights w.safetensors",
        "apply photos --out out --dry-run --weights w.safetensors",
        "train --recipe paper --print-recipe",
        "eval --pairs pairs --split none.txt --json",
        "--version",
        "--help",
        "apply --help",
        "train -h",
        "",
    ],
)
def test_results_that_cannot_be_printed_are_an_error_in_one_line(
    tmp_path, write_photo, brightening_weights, where, arguments
):
    write_photo(tmp_path / "photos" / "a.jpg")
    (tmp_path / "w.safetensors").symlink_to(brightening_weights)
    if arguments.startswith("eval"):
        for side in ("before", "after"):
            write_photo(tmp_path / "pairs" / side / "a.png")
        (tmp_path / "none.txt").write_text("a\n")
        arguments += " --weights w.safetensors --device cpu"
    code, said = command(f"enhance {arguments} {where}", tmp_path)
    lines = [line for line in said.splitlines() if line.startswith("error")]
    assert code == 1 and len(lines) == 1 and "standard output" in lines[0], said
    assert "Traceback" not in said and "Exception ignored" not in said


def test_closed_streams_are_not_taken_by_a_file(tmp_path, write_photo, brightening_weights):
    write_photo(tmp_path / "photos" / "a.jpg")
    words = f"apply photos --out out -q --weights {brightening_weights}"
    code, _ = command(f"enhance {words} <&- >&- 2>&-", tmp_path)
    assert code == 0
    with Image.open(tmp_path / "out" / "a.jpg") as result:
        result.load()


def test_messages_that_cannot_be_printed_stop_no_run(tmp_path, write_photo, brightening_weights):
    write_photo(tmp_path / "photos" / "a.jpg")
    (tmp_path / "photos" / "b.jpg").write_text("no photo")
    words = f"apply photos --out out --weights {brightening_weights}"
    code, _ = command(f"enhance {words} 2>/dev/full", tmp_path)
    assert code == 3 and (tmp_path / "out" / "a.jpg").exists()


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_a_run_over_names_that_are_not_utf8(tmp_path, write_photo, brightening_weights, encoding):
    path = write_photo(tmp_path / "a.jpg")
    (tmp_path / "photos").mkdir()
    path.rename(tmp_path / "photos" / os.fsdecode(b"b\xe9\x1b[31m.jpg"))
    words = f"apply photos --out out --weights {brightening_weights} --gallery all.html"
    for option in ("", "--json", "--dry-run", "--verbose", "--json --dry-run"):
        line = f"enhance {words} {option} > said"
        code, said = command(line, tmp_path, PYTHONIOENCODING=encoding)
        assert code == 0 and "Traceback" not in said, said
        printed = (tmp_path / "said").read_bytes()
        assert b"\x1b" not in printed + said.encode()
        if "--json" in option:
            (photo,) = json.loads(printed)["photos"]
            assert os.fsencode(photo["input"]) == b"photos/b\xe9\x1b[31m.jpg"

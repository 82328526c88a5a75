"""Lines of output say exactly what they were given."""

import subprocess
import sys

import pytest

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

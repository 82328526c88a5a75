"""The README and the other documents stay true."""

import ast
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    [
        ROOT / "README.md",
        *(ROOT / "weights").glob("*.md"),
        ROOT / "tests/README.md",
        ROOT / "enhance_cli/cloud/README.md",
    ]
)
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands_in(document: Path) -> list[str]:
    blocks = BLOCK.findall(document.read_text(encoding="utf-8"))
    lines = (line for block in blocks for line in block.replace("\\\n", " ").splitlines())
    return [line for line in lines if re.match(r"(torchrun .*-m )?enhance(_cli)? ", line)]


COMMANDS = [
    pytest.param(command, id=f"{document.relative_to(ROOT)}: {command[:60]}")
    for document in DOCUMENTS
    for command in commands_in(document)
]


def test_the_two_set_up_commands_stand_there_word_for_word():
    lines = [line for block in BLOCK.findall(README) for line in block.splitlines()]
    assert "pip install . && enhance demo" in lines
    assert 'pip install ".[test]" && pytest' in lines


def test_ci_runs_the_readmes_own_test_command():
    assert 'pip install ".[test]" && pytest\n' in (ROOT / ".ci" / "run").read_text()


def test_the_readme_is_short():
    assert len(README.splitlines()) < 220


class Claim(NamedTuple):
    """What a test proves: ``@pytest.mark.proves("Row of the table", "words of its sentence")``."""

    row: str
    words: str
    test: str


def claims() -> list[Claim]:
    """The marks of all tests, read from their source; tests that are skipped prove nothing."""
    found: list[Claim] = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            calls = [one for one in node.decorator_list if isinstance(one, ast.Call)]
            names = [ast.unparse(one) for one in node.decorator_list]
            for call in calls:
                if ast.unparse(call.func) == "pytest.mark.proves":
                    assert not any(re.search(r"mark\.(skip|xfail)\b", one) for one in names)
                    row, words = (ast.literal_eval(one) for one in call.args)
                    found.append(Claim(row, words, f"{path.relative_to(ROOT)}::{node.name}"))
    return found


def table_of_files() -> dict[str, str]:
    table = README.partition("What happens to my files\n")[2].partition("\n#")[0]
    return dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", table, re.MULTILINE))


ROWS = table_of_files()
CLAIMS = claims()


def test_every_claim_stands_in_the_table():
    for claim in CLAIMS:
        assert claim.row in ROWS, f"{claim.test} proves a row that is not there: {claim.row}"
        assert claim.words in ROWS[claim.row], f"{claim.test}: {claim.words!r} is not said there"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [(row, one) for row, text in ROWS.items() for one in re.split(r"(?<=[.;]) ", text)],
)
def test_every_sentence_on_what_happens_to_files_is_proved(row, sentence):
    proofs = [one for one in CLAIMS if one.row == row and one.words in sentence]
    assert proofs, "mark the test that shows it: @pytest.mark.proves(row, words of it)"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_that_a_document_shows_exists(command):
    words = shlex.split(re.sub(r"^torchrun .*-m enhance_cli", "enhance", command), comments=True)
    shown = CliRunner().invoke(app, [words[1], "--help"], env={"COLUMNS": "300"}).output
    for word in words[2:]:
        if word.startswith("-"):
            option = word.partition("=")[0]
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", shown), option


def test_every_dependency_is_used():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[><=\[]", entry)[0] for entry in project["dependencies"]}
    modules = {"pillow": "PIL", "scikit-image": "skimage"}
    source = "\n".join(path.read_text() for path in (ROOT / "enhance_cli").rglob("*.py"))
    for name in declared:
        module = modules.get(name, name.replace("-", "_"))
        assert re.search(rf"^\s*(from|import) {module}\b", source, re.MULTILINE), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"https?://", target):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_top_level_is_what_it_should_be():
    allowed = {"enhance_cli", "weights", "tests", "pyproject.toml", "README.md", "CHANGELOG.md"}
    allowed |= {"LICENSE", ".gitignore", ".ci"}
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        assert {line.partition("/")[0] for line in listed.stdout.splitlines()} <= allowed

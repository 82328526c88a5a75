"""What a command imports before it answers, and what it shows at once.

PyTorch takes more than a second to import, scikit-image and Numba half of one each. A command that
trains nothing and retouches nothing does without them. These are facts, not timings;
``tests/benchmarks/start.py`` measures the times.
"""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from enhance_cli.cli.apply import progress as apply_progress
from enhance_cli.cli.apply.progress import LOADING, Verbosity, run_batch
from enhance_cli.config.apply import ApplyConfig

SLOW = {"torch", "torchvision", "numba", "scipy", "skimage", "lightning_fabric", "timm"}

RUN = f"""
import sys
from enhance_cli.cli.main import main
try:
    main()
finally:
    print("imported:", *sorted({SLOW!r} & set(sys.modules)), file=sys.stderr)
"""


def run(*words: object) -> tuple[int, str, set[str]]:
    """Run a command in a process of its own; return its exit code, its messages and the imports."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, words)], capture_output=True, text=True, check=False
    )
    messages, _, imported = done.stderr.rpartition("imported:")
    return done.returncode, done.stdout + messages, set(imported.split())


@pytest.fixture
def photos(tmp_path, write_photo) -> Path:
    return write_photo(tmp_path / "photos" / "a.jpg").parent


class TestApply:
    def test_a_dry_run(self, tmp_path, photos):
        code, text, imported = run("apply", photos, "--out", tmp_path / "out", "--dry-run")
        assert (code, imported) == (0, set()) and "1 to write" in text
        assert not (tmp_path / "out").exists()

    def test_a_run_with_nothing_to_do(self, tmp_path, photos, brightening_weights):
        command = ("apply", photos, "-o", tmp_path / "out", "--weights", brightening_weights)
        code, _, imported = run(*command)
        assert code == 0 and {"torch", "numba"} <= imported, "the check finds what is imported"
        code, text, imported = run(*command, "--json")
        assert (code, imported) == (0, set()) and '"skipped": 1' in text

    def test_on_a_cpu_the_shipped_weights_need_no_pytorch(self, tmp_path, photos):
        for words in ((), ("--full-size", "--lut", tmp_path / "luts"), ("--series", "auto")):
            out = tmp_path / f"out-{len(words)}"
            command = ("apply", photos, "-o", out, "--device", "cpu", *words)
            code, _, imported = run(*command)
            assert code == 0 and "torch" not in imported and (out / "a.jpg").is_file()

    def test_a_part_with_nothing_to_do(self, tmp_path, photos, brightening_weights):
        words = ("apply", photos, "-o", tmp_path / "out", "--weights", brightening_weights)
        command = (*words, "--shard", "1/1")
        code, text, imported = run(*command, "--dry-run")
        assert (code, imported) == (0, set()) and "1 to write" in text
        assert run(*command)[0] == 0
        code, text, imported = run(*command, "--json")
        assert (code, imported) == (0, set()) and '"skipped": 1' in text
        code, text, imported = run("status", tmp_path / "out")
        assert (code, imported) == (0, set()) and "0 left" in text

    @pytest.mark.parametrize(
        ("options", "code", "message"),
        [
            (("gone",), 2, "no such file or folder"),
            (("empty",), 2, "no photo found"),
            (("photos", "--exclude", "*"), 2, "--exclude leaves none"),
            (("photos", "--quality", "0"), 2, "--quality"),
            (("photos", "--format", "bmp"), 2, "--format"),
            (("photos", "--no-such-option"), 2, "--no-such-option"),
            (("photos", "--device", "gpu"), 2, "not a device"),
            (("photos", "--full-size", "--long-edge", "9"), 2, "give one of the two"),
            (("photos", "--gallery", "page.pdf"), 2, "--gallery"),
            (("photos", "--compare", "out"), 2, "--compare"),
            (("photos", "--weights", "gone.safetensors"), 2, "no such weights file"),
            (("photos", "--weights", "photos/a.jpg"), 1, "damaged, or not a .safetensors file"),
            (("photos", "--weights", "cut.safetensors"), 1, "damaged, or not a .safetensors file"),
            (("photos", "--out", "photos/a.jpg"), 1, "choose another folder"),
        ],
    )
    def test_what_is_wrong(
        self, tmp_path, photos, identity_weights, monkeypatch, options, code, message
    ):
        monkeypatch.chdir(photos.parent)
        (tmp_path / "empty").mkdir()
        (tmp_path / "cut.safetensors").write_bytes(identity_weights.read_bytes()[:-1])
        actual, text, imported = run("apply", "--out", "out", *options)
        assert (actual, imported) == (code, set()), text
        assert message in " ".join(text.split()), text


class TestWatch:
    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (("gone", "--out", "out"), 2, "no such folder"),
            (("photos", "--out", "photos"), 2, "is watched"),
            (("photos", "--out", "out", "--weights", "gone.safetensors"), 2, "no such weights"),
        ],
    )
    def test_what_is_wrong(self, photos, monkeypatch, words, code, message):
        monkeypatch.chdir(photos.parent)
        actual, text, imported = run("watch", *words)
        assert (actual, imported) == (code, set()), text
        assert message in " ".join(text.split()), text


class TestStreams:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("photos", "--out", "b.jpg"), "names a file"),
            (("photos", "--out", "-"), "takes one photo"),
            (("photos/a.jpg", "--suffix", ""), "--suffix is empty"),
        ],
    )
    def test_what_is_wrong(self, photos, monkeypatch, words, message):
        monkeypatch.chdir(photos.parent)
        actual, text, imported = run("apply", *words)
        assert (actual, imported) == (2, set()), text
        assert message in " ".join(text.split()), text

    def test_a_plan_beside_the_photos(self, photos):
        code, text, imported = run("apply", photos, "--suffix", "_e", "--dry-run")
        assert (code, imported) == (0, set()) and "a_e.jpg" in text


class TestEval:
    @pytest.mark.parametrize(
        ("options", "code", "message"),
        [
            ((), 2, "no photos"),
            (("--pairs", "gone"), 2, "no such folder"),
            (("--pairs", "photos"), 2, "needs one of the folders"),
            (("--pairs", "fivek", "--split", "gone.txt"), 2, "neither a text file"),
            (
                ("--pairs", "fivek", "--split", "random250"),
                2,
                "none of the 4 pairs is in the split",
            ),
            (("--pairs", "fivek", "--weights", "gone.safetensors"), 2, "no such weights file"),
            (("--pairs", "fivek", "--outputs", "gone", "--split", "ids.txt"), 2, "--outputs gone"),
            (("--pairs", "fivek", "--device", "gpu"), 2, "not a device"),
        ],
    )
    def test_what_is_wrong(self, photos, write_pairs, monkeypatch, options, code, message):
        write_pairs()
        monkeypatch.chdir(photos.parent)
        Path("ids.txt").write_text("a0001\n")
        actual, text, imported = run("eval", *options)
        assert (actual, imported) == (code, set()), text
        assert message in " ".join(text.split()), text


class TestTrain:
    def test_a_recipe_is_printed(self):
        code, text, imported = run("train", "--recipe", "small", "--print-recipe")
        assert (code, imported) == (0, set()) and "[[stages]]" in text

    @pytest.mark.parametrize("variant", ["ce", "all"])
    @pytest.mark.parametrize(
        ("options", "code", "message"),
        [
            ((), 2, "no photos"),
            (("--pairs", "gone"), 2, "no such folder"),
            (("--pairs", "photos"), 2, "needs one of the folders"),
            (("--pairs", "fivek", "--split", "gone.txt"), 2, "neither a text file"),
            (("--pairs", "fivek", "--recipe", "gone.toml"), 2, "gone.toml"),
            (("--pairs", "fivek", "--set", "gone=1"), 2, "unknown key"),
            (("--pairs", "fivek", "--out", "a.pth"), 2, "--out a.pth"),
            (("--pairs", "fivek", "--device", "gpu"), 2, "not a device"),
        ],
    )
    def test_what_is_wrong(self, photos, write_pairs, monkeypatch, variant, options, code, message):
        write_pairs()
        monkeypatch.chdir(photos.parent)
        out = "tables" if variant == "all" else "ce.safetensors"
        actual, text, imported = run("train", "--variant", variant, "--out", out, *options)
        assert (actual, imported) == (code, set()), text
        assert message in " ".join(text.split()), text

    @pytest.mark.parametrize(
        ("options", "code", "message"),
        [
            (("--resume",), 2, "there is no checkpoint"),
            (("--init", "gone.safetensors"), 2, "no such weights file"),
            (("--expert", "a"), 2, "--expert has no effect"),
            (("--stages", "gone"), 2, "no such stage"),
        ],
    )
    def test_what_is_wrong_with_a_single_run(
        self, photos, write_pairs, monkeypatch, options, code, message
    ):
        write_pairs()
        monkeypatch.chdir(photos.parent)
        actual, text, imported = run("train", "--pairs", "fivek", *options)
        assert (actual, imported) == (code, set()), text
        assert message in " ".join(text.split()), text


def test_the_demo_needs_no_pytorch_to_find_that_it_cannot_write(photos):
    code, text, imported = run("demo", photos / "a.jpg")
    assert code == 1 and "error" in text
    assert "torch" not in imported


class TestShownAtOnce:
    """A terminal shows what is going on until the first photo is done; all else stays as it is."""

    @pytest.fixture
    def show(self, tmp_path, photos, brightening_weights, monkeypatch):
        def show(verbosity: Verbosity, terminal: bool) -> str:
            console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
            for module in (apply_progress, sys.modules["enhance_cli.cli.console"]):
                monkeypatch.setattr(module, "messages", console)
            out = tmp_path / f"{verbosity.value}-{terminal}"
            run_batch(ApplyConfig((photos,), out, weights=brightening_weights), verbosity)
            return console.file.getvalue()

        return show

    @pytest.mark.parametrize("verbosity", [Verbosity.NORMAL, Verbosity.VERBOSE])
    def test_on_a_terminal(self, show, verbosity):
        text = show(verbosity, terminal=True)
        assert text.index("looking for photos") < text.index(LOADING)

    def test_quiet_stays_quiet(self, show):
        assert show(Verbosity.QUIET, terminal=True) == ""

    @pytest.mark.parametrize("verbosity", [Verbosity.NORMAL, Verbosity.VERBOSE])
    def test_pipes_and_files_get_nothing_of_it(self, show, verbosity):
        text = show(verbosity, terminal=False)
        assert text.startswith("[1/1]") and text.count("\n") == 1

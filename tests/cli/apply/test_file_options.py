"""``enhance.toml`` on the command line: what it sets, what counts more, and what is said."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app
from enhance_cli.config.look_files import RUN_OPTIONS
from enhance_cli.errors import UsageError


@pytest.fixture
def seen(monkeypatch):
    configs = []

    def stop(config):
        configs.append(config)
        raise UsageError("stop here")

    monkeypatch.setattr("enhance_cli.batch.runner.BatchRunner", stop)
    return configs


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    return tmp_path / "photos"


def apply(*arguments):
    return CliRunner().invoke(app, ["apply", *map(str, arguments)])


EVERY_OPTION = """
exclude = ["a", "b/*"]
pairs = "RAW"
max-pixels = 99
full-size = true
format = "tif"
quality = 80
subsampling = "420"
bit-depth = 16
srgb = true
coarse-only = true
weights = "mine.safetensors"
new-times = true
strip-gps = true
device = "CPU"
"""


def test_every_option_reaches_the_run(folder, tmp_path, seen):
    (folder / "enhance.toml").write_text(EVERY_OPTION)
    apply(folder, "-o", tmp_path / "out")
    (config,) = seen
    assert (config.exclude, config.pairs, config.max_pixels) == (("a", "b/*"), "raw", 99)
    assert (config.long_edge, config.format, config.encoding.quality) == (None, "tiff", 80)
    assert (config.encoding.subsampling, config.encoding.bits) == ("4:2:0", 16)
    assert config.srgb and config.coarse_only and not config.keep_times
    assert (config.keep_metadata, config.device) == ("no-gps", "cpu")
    assert config.weights == folder / "mine.safetensors"
    named = {line.split(" =")[0] for line in EVERY_OPTION.split("\n") if line}
    assert named | {"long-edge", "strip-metadata"} == set(RUN_OPTIONS)


def test_the_command_line_counts_more(folder, tmp_path, seen):
    (folder / "enhance.toml").write_text("quality = 80\nfull-size = true\nexposure = 1\ntint = 1")
    words = ["--quality", "95", "--long-edge", "300", "--exposure", "0"]
    apply(folder, "-o", tmp_path / "out", *words)
    apply(folder, "-o", tmp_path / "out", "--no-toml")
    assert (seen[0].encoding.quality, seen[0].long_edge) == (95, 300)
    assert seen[0].given == ("exposure",) and seen[0].look_files
    assert (seen[1].encoding.quality, seen[1].long_edge, seen[1].look_files) == (95, 500, False)


def test_the_nearest_file_counts_most(folder, tmp_path, seen):
    (tmp_path / "enhance.toml").write_text('quality = 80\nfull-size = true\nformat = "png"')
    (folder / "enhance.toml").write_text("quality = 70\nlong-edge = 900")
    apply(folder, "-o", tmp_path / "out")
    (config,) = seen
    assert (config.encoding.quality, config.long_edge, config.format) == (70, 900, "png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("quality = 101", "quality: 101 is not a whole number from 1 to 100"),
        ("quality = 9.5", "quality: 9.5 is not a whole number"),
        ("quality = true", "quality = True: must be one value"),
        ('format = "gif"', "format: gif is not one of"),
        ("full-size = 1", "full-size = 1: must be true or false"),
        ('exclude = "a"', "exclude = 'a': must be a list of texts"),
        ("qualty = 9", "qualty: unknown key; did you mean quality?"),
        ('out = "x"', "out: unknown key"),
        ('compare = "x"', "compare: unknown key"),
        ("full-size = true\nlong-edge = 9", "full-size and long-edge: give one of the two"),
        ('[camera."X"]\nlong-edge = 9', 'camera."X".long-edge: '),
    ],
)
def test_a_wrong_value_names_the_file(folder, tmp_path, text, message):
    (folder / "enhance.toml").write_text(text)
    ran = apply(folder, "-o", tmp_path / "out")
    assert ran.exit_code == 2
    assert f"{folder / 'enhance.toml'}: {message}" in ran.stderr.replace("\n", "")


def test_two_inputs_cannot_ask_for_different_things(folder, tmp_path, seen):
    other = tmp_path / "others"
    other.mkdir()
    (folder / "enhance.toml").write_text("quality = 80\ncontrast = 5")
    (other / "enhance.toml").write_text("quality = 90\ncontrast = 9")
    ran = apply(folder, other, "-o", tmp_path / "out")
    assert ran.exit_code == 2 and "quality differs" in ran.stderr and not seen
    (other / "enhance.toml").write_text("quality = 80\ncontrast = 9")
    apply(folder, other, "-o", tmp_path / "out")
    assert seen[0].encoding.quality == 80


def test_files_in_use_are_named(folder, tmp_path, write_photo):
    write_photo(folder / "a.jpg")
    (folder / "enhance.toml").write_text("contrast = 10")
    ran = apply(folder, "-o", tmp_path / "out", "-n")
    assert ran.exit_code == 0 and f"settings from {folder / 'enhance.toml'}" in ran.stderr
    assert "settings from" not in apply(folder, "-o", tmp_path / "out", "-n", "--no-toml").stderr


def test_two_inputs_that_ask_for_both_sizes_are_named(folder, tmp_path, seen):
    (tmp_path / "other").mkdir()
    (folder / "enhance.toml").write_text("full-size = true")
    (tmp_path / "other" / "enhance.toml").write_text("long-edge = 9")
    ran = apply(folder, tmp_path / "other", "-o", tmp_path / "out")
    said = ran.stderr.replace("\n", "")
    assert ran.exit_code == 2 and "full-size and long-edge: give one of the two" in said
    assert str(folder / "enhance.toml") in said and str(tmp_path / "other/enhance.toml") in said
    apply(folder, tmp_path / "other", "-o", tmp_path / "out", "--long-edge", 7)
    assert [config.long_edge for config in seen] == [7]


class TestLists:
    @pytest.mark.parametrize(
        "coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-be"]
    )
    @pytest.mark.parametrize("ending", ["\n", "\r\n"])
    def test_a_list_of_any_editor_is_read(self, tmp_path, seen, coding, ending):
        names = ["a.jpg", "Größe 1.jpg", "写真.jpg"]
        mark = "\ufeff" if coding.endswith("-be") else ""
        text = mark + "".join(name + ending for name in [*names, ""])
        (tmp_path / "list").write_bytes(text.encode(coding))
        apply("--from", tmp_path / "list", "-o", tmp_path / "out")
        assert [config.inputs for config in seen] == [tuple(map(Path, names))]

    def test_a_damaged_list_is_told_in_one_line(self, tmp_path, seen):
        (tmp_path / "list").write_bytes("a.jpg".encode("utf-16") + b"x")
        ran = apply("--from", tmp_path / "list", "-o", tmp_path / "out")
        assert ran.exit_code == 2 and "save it in UTF-8" in ran.stderr and not seen

    @pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\0"])
    def test_a_list_names_photos_and_folders(self, tmp_path, seen, separator):
        names = [b"a b.jpg", b"folder", "é.jpg".encode(), b"caf\xe9.jpg"]
        (tmp_path / "list").write_bytes(separator.join([*names, b""]))
        apply("c.jpg", "--from", tmp_path / "list", "-o", tmp_path / "out")
        assert [bytes(one) for one in seen[0].inputs] == [b"c.jpg", *names]

    def test_standard_input_is_a_list(self, tmp_path, seen):
        arguments = ["apply", "--from", "-", "-o", str(tmp_path / "out")]
        CliRunner().invoke(app, arguments, input="a.jpg\n\nb.jpg\n")
        assert [str(one) for one in seen[0].inputs] == ["a.jpg", "b.jpg"]

    def test_a_list_that_is_missing_or_empty_is_told(self, tmp_path, seen):
        for content, said in ((None, "No such file"), (b"\n", "names no photo")):
            if content is not None:
                (tmp_path / "list").write_bytes(content)
            ran = apply("--from", tmp_path / "list", "-o", tmp_path / "out")
            assert ran.exit_code == 2 and said in ran.stderr and not seen

    def test_without_inputs_the_message_says_what_to_give(self, tmp_path, seen):
        ran = apply("-o", tmp_path / "out")
        assert ran.exit_code == 2 and "no INPUT: give photos or folders" in ran.stderr
        assert not seen

"""The README stays true."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from enhance_cli.cli.main import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("enhance ")
]


def test_the_first_two_commands_install_run_and_test():
    assert BLOCKS[0].strip() == "pip install . && enhance demo"
    assert BLOCKS[1].strip() == 'pip install ".[test]" && pytest'


def test_ci_runs_the_readmes_own_test_command():
    assert BLOCKS[1].strip() in (ROOT / ".ci" / "run").read_text()


PROOF = {
    "Originals": "engine/test_planning.py::test_a_result_never_replaces_an_original",
    "Results": "imaging/test_encoding.py::test_a_failure_leaves_the_old_result_and_nothing_else",
    "Files in the way": "engine/test_application.py::"
    "test_what_is_there_is_skipped_unless_told_otherwise",
    "Names": "engine/test_planning.py::test_results_never_share_a_path",
    "Traces": "engine/test_conflicts.py::test_leftovers_of_a_killed_run_are_swept_and_nothing_else",
    "Format": "engine/test_application.py::test_every_format_at_full_size",
    "Depth": "imaging/test_deep.py::test_no_level_is_lost_on_the_way_out_and_in",
    "Size": "engine/test_enhancer.py::test_size",
    "Orientation": "imaging/test_metadata.py::test_what_was_there_is_there_after",
    "Colour": "engine/test_retouching.py::test_an_identity_model_gives_back_what_it_got",
    "Grey photos": "engine/test_application.py::"
    "test_a_grey_photo_stays_grey_and_transparency_stays",
    "Transparency": "imaging/test_encoding.py::test_transparency_is_laid_on_white_in_jpeg",
    "EXIF of JPEG, PNG, WebP, AVIF, HEIC": "imaging/test_metadata.py::"
    "test_maker_notes_can_still_be_read",
    "EXIF of RAW and TIFF": "imaging/test_exif.py::test_camera_lens_exposure_and_place_come_along",
    "Thumbnails": "imaging/test_exif.py::test_a_thumbnail_amid_the_block_is_wiped",
    "XMP": "imaging/test_metadata.py::test_it_goes_along_into_other_formats",
    "IPTC": "imaging/test_metadata.py::test_iptc_stays",
    "Comments, resolution, PNG texts": "imaging/test_metadata.py::test_a_pngs_texts_stay",
    "HDR gain maps": "imaging/test_metadata.py::test_a_gain_map_that_goes_is_said_so",
    "`--strip-gps`": "imaging/test_metadata.py::test_the_place_can_be_left_out",
    "`--strip-metadata`": "imaging/test_metadata.py::test_all_can_be_left_out_but_the_colours",
    "Metadata that is damaged": "engine/test_application.py::test_damaged_metadata_is_a_warning",
    "RAW": "imaging/test_decoding.py::test_the_cameras_white_balance_is_used",
    "Several pictures in a file": "imaging/test_decoding.py::"
    "test_only_the_first_of_several_pictures_is_read_and_that_is_said",
    "Damaged files": "engine/test_damaged.py::test_damaged_files_are_retouched_or_named",
    "Huge files": "engine/test_damaged.py::test_a_png_of_900_megapixels_is_refused_unread",
}
"""Where each line of "What happens to my files" is tested."""


def test_every_line_on_what_happens_to_files_has_a_test():
    table = README.partition("### What happens to my files")[2].partition("###")[0]
    rows = re.findall(r"^\| ([^|]+?) \| [^|]", table, re.MULTILINE)
    assert rows == list(PROOF)
    for place in PROOF.values():
        file, test = place.split("::")
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(), place


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_that_the_readme_shows_exists(command):
    words = shlex.split(command.partition("#")[0])[1:]
    told = CliRunner().invoke(app, [words[0], "--help"], env={"COLUMNS": "300"}).output
    for word in words[1:]:
        if word.startswith("--"):
            assert re.search(rf"{word}\b", told), word


def test_every_dependency_is_used_and_every_use_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[><=\[]", entry)[0] for entry in project["dependencies"]}
    modules = {"pillow": "PIL", "scikit-image": "skimage", "lightning-fabric": "lightning_fabric"}
    modules |= {"pillow-heif": "pillow_heif"}
    source = "\n".join(path.read_text() for path in (ROOT / "enhance_cli").rglob("*.py"))
    for name in declared:
        module = modules.get(name, name)
        assert re.search(rf"^\s*(from|import) {module}\b", source, re.MULTILINE), name


def test_the_top_level_is_what_it_should_be():
    allowed = {"enhance_cli", "weights", "tests", "pyproject.toml", "README.md", "CHANGELOG.md"}
    allowed |= {"LICENSE", ".gitignore", ".ci"}
    import subprocess

    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        assert {line.partition("/")[0] for line in listed.stdout.splitlines()} <= allowed

"""Results in a file, and beside their photos: names, conflicts, traces, and what is refused."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from enhance_cli.cli.main import app

runner = CliRunner()

GREY = np.full((40, 60, 3), 100, np.uint8)


@pytest.fixture
def apply(brightening_weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def apply(*words, **options):
        command = ["apply", *map(str, words), "--weights", str(brightening_weights), "-q"]
        return runner.invoke(app, command, **options)

    return apply


@pytest.fixture
def photo(tmp_path, write_photo) -> Path:
    return write_photo(tmp_path / "photos" / "a.jpg", GREY)


def level(path: Path) -> int:
    return round(np.asarray(Image.open(path).convert("RGB")).mean())


def names(folder: Path) -> list[str]:
    """All files below a folder, hidden ones included, but not the records of folders."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if "/.enhance-run." not in f"/{name}")


def statuses(apply, *words) -> dict[str, str]:
    result = apply(*words, "--json")
    assert result.exit_code == 0, result.output
    photos = json.loads(result.stdout)["photos"]
    return {Path(one["input"]).name: f"{one['status']}: {one['reason']}" for one in photos}


class TestAFile:
    @pytest.mark.proves("Traces", "A single file has none beside it")
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("b.jpg", "JPEG"), ("b.JPEG", "JPEG"), ("b.png", "PNG"), ("b.tif", "TIFF"),
            ("b.tiff", "TIFF"), ("b.webp", "WEBP"), ("b.avif", "AVIF"), ("deep/er/b.jpg", "JPEG"),
        ],
    )  # fmt: skip
    def test_it_is_written_in_the_format_of_its_name_and_nothing_else(
        self, apply, photo, tmp_path, name, kind
    ):
        result = apply(photo, "--out", tmp_path / "r" / name)
        assert (result.exit_code, result.output) == (0, "")
        with Image.open(tmp_path / "r" / name) as written:
            assert written.format == kind
        assert level(tmp_path / "r" / name) == pytest.approx(126, abs=1)
        assert [path.name for path in (tmp_path / "r" / name).parent.iterdir()] == [Path(name).name]

    def test_heic_and_jpeg_xl(self, apply, photo, tmp_path):
        for name, signature in (("b.heic", b"ftyphei"), ("b.jxl", b"JXL ")):
            assert apply(photo, "--out", name).exit_code == 0
            assert signature in (tmp_path / name).read_bytes()[:12]

    def test_a_raw(self, apply, write_dng, tmp_path):
        photo = write_dng(tmp_path / "a.dng", GREY)
        assert apply(photo, "-o", "b.jpg").exit_code == 0
        assert Image.open("b.jpg").format == "JPEG"

    def test_again_it_does_what_is_new(self, apply, photo, write_photo):
        command = (photo, "--out", "b.jpg")
        assert statuses(apply, *command) == {"a.jpg": "done: new"}
        assert statuses(apply, *command) == {"a.jpg": "skipped: up to date"}
        changed = statuses(apply, *command, "--strength", "0.5")
        assert changed == {"a.jpg": "done: settings, weights or sidecar have changed"}
        write_photo(photo, GREY + 50)
        assert statuses(apply, *command, "--strength", "0.5") == {
            "a.jpg": "done: the photo has changed"
        }

    def test_a_strangers_file_stays_unless_the_user_says_otherwise(self, apply, photo, tmp_path):
        mine = tmp_path / "photos" / "b.jpg"  # beside the photo
        mine.write_text("mine")
        assert "was not written by enhance" in statuses(apply, photo, "-o", mine)["a.jpg"]
        assert apply(photo, "-o", mine, "--on-conflict", "error").exit_code == 2
        assert mine.read_text() == "mine"
        assert apply(photo, "-o", mine, "--on-conflict", "rename").exit_code == 0
        assert names(tmp_path / "photos") == ["a.jpg", "b-1.jpg", "b.jpg"]
        assert apply(photo, "-o", mine, "--on-conflict", "overwrite").exit_code == 0
        assert level(mine) == pytest.approx(126, abs=1)

    def test_so_do_an_edited_result_and_that_of_another_photo(self, apply, photo, write_photo):
        apply(photo, "-o", "b.jpg")
        other = write_photo(photo.with_name("other.jpg"), GREY // 2)
        assert "another photo" in statuses(apply, other, "-o", "b.jpg")["other.jpg"]
        Path("b.jpg").write_bytes(Path("b.jpg").read_bytes() + b"edited")
        assert "not written by enhance" in statuses(apply, photo, "-o", "b.jpg")["a.jpg"]

    def test_if_its_records_are_lost_it_stays(self, apply, photo, monkeypatch, tmp_path):
        apply(photo, "-o", "b.jpg")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another-cache"))
        assert "not written by enhance" in statuses(apply, photo, "-o", "b.jpg")["a.jpg"]

    def test_a_result_of_a_run_into_its_folder_is_known(self, apply, photo):
        apply(photo.parent, "-o", "out")
        command = (photo, "-o", "out/a.jpg", "--strength", "0.5")
        assert "settings" in statuses(apply, *command)["a.jpg"]

    @pytest.mark.parametrize("how", ["itself", "hard link", "symbolic link", "other spelling"])
    def test_the_original_is_never_replaced(self, apply, photo, how):
        before, out = photo.read_bytes(), photo
        if how == "hard link":
            out = photo.with_name("b.jpg")
            out.hardlink_to(photo)
        elif how == "symbolic link":
            out = photo.with_name("b.jpg")
            out.symlink_to(photo)
        elif how == "other spelling":
            out = Path("photos/../photos/a.jpg")
        for option in ("skip", "overwrite"):
            result = apply(photo, "-o", out, "--on-conflict", option)
            assert result.exit_code == 2 and "replace the original" in result.stderr
        assert photo.read_bytes() == before

    def test_a_folder_of_that_name_stays_a_folder(self, apply, photo, tmp_path):
        (tmp_path / "b.jpg").mkdir()
        assert apply(photo, "-o", "b.jpg").exit_code == 0
        assert apply(photo, "-o", "new.jpg/").exit_code == 0
        assert names(tmp_path / "b.jpg") == names(tmp_path / "new.jpg") == ["a.jpg"]
        assert apply(photo.parent, "-o", "b.jpg").exit_code == 0

    @pytest.mark.parametrize("several", ["folder", "two", "list"])
    def test_several_photos_are_refused(self, apply, photo, several):
        shutil.copy(photo, "c.jpg")
        Path("list").write_text("c.jpg\nphotos/a.jpg\n")
        words = {"folder": [photo.parent], "two": [photo, "c.jpg"], "list": ["--from", "list"]}
        result = apply(*words[several], "--out", "b.jpg")
        assert result.exit_code == 2 and "b.jpg: names a file" in result.stderr
        assert result.stderr.count("\n") == 1 and not Path("b.jpg").exists()

    def test_two_formats_are_refused_unless_they_are_one(self, apply, photo):
        result = apply(photo, "--out", "b.jpg", "--format", "png")
        assert result.exit_code == 2 and "--format png and --out b.jpg" in result.stderr
        assert apply(photo, "--out", "b.jpg", "--format", "JPEG").exit_code == 0
        (photo.parent / "enhance.toml").write_text('format = "png"')
        assert apply(photo, "--out", "c.tif").exit_code == 0
        assert Image.open("c.tif").format == "TIFF", "the command line counts more"

    @pytest.mark.parametrize(
        "name", ["b.dng", "b.jp2", "b.CR3", "b.gif", "b.BMP", "b.psd", "b.pdf"]
    )
    def test_formats_that_are_not_written_are_told(self, apply, photo, name):
        result = apply(photo, "--out", name)
        assert result.exit_code == 2 and "files are not written" in result.stderr
        assert not Path(name).exists()
        Path(name).mkdir()
        assert apply(photo, "--out", name, "-n").exit_code == 0

    @pytest.mark.parametrize(
        ("name", "meant"),
        [("k.pgn", ".png"), ("k.JPGE", ".jpg"), ("k.wepb", ".webp"), ("k.tfif", ".tif")],
    )
    @pytest.mark.parametrize("more", [(), ("--shard", "1/1"), ("-n",)], ids=["", "part", "dry"])
    def test_a_misspelt_name_is_no_folder(self, apply, photo, tmp_path, name, meant, more):
        refused = apply(photo, "-o", name, *more)
        assert refused.exit_code == 2 and f"--out {name}: no picture ends with" in refused.stderr
        assert f"did you mean {meant}" in refused.stderr and not (tmp_path / name).exists()

    @pytest.mark.parametrize("name", ["k.pgn/", "2026.11", "v1.2", "shoot.d", "k.old", "r", "k.p"])
    def test_a_name_with_another_dot_is_a_folder(self, apply, photo, tmp_path, name):
        for _ in range(2):
            assert apply(photo, "-o", name).exit_code == 0
        assert names(tmp_path / name) == ["a.jpg"]

    def test_that_of_a_folder_may_be_nearly_a_pictures(self, apply, photo, tmp_path):
        assert apply(photo.parent, "-o", "k.pgn").exit_code == 0
        assert apply(photo, "-o", "k.pgn").exit_code == 0
        assert names(tmp_path / "k.pgn") == ["a.jpg"]

    def test_what_is_written_beside_it(self, apply, photo):
        words = ("--lut", "luts", "--compare", "pairs", "--gallery", "page.html")
        assert apply(photo, "--out", "b.png", *words).exit_code == 0
        assert names(Path("luts")) == ["b.png.cube"] and names(Path("pairs")) == ["b.png.jpg"]
        assert "b.png" in Path("page.html").read_text()
        assert statuses(apply, photo, "--out", "b.png", *words) == {"a.jpg": "skipped: up to date"}

    def test_a_dry_run_leaves_nothing(self, apply, photo, tmp_path):
        result = apply(photo, "--out", "r/b.jpg", "--dry-run")
        assert result.stdout.startswith("write r/b.jpg from ")
        assert names(tmp_path) == ["photos/a.jpg"]

    def test_many_runs_into_one_folder_at_once(self, photo, tmp_path, brightening_weights):
        run = [sys.executable, "-m", "enhance_cli", "apply", photo, "--weights"]
        started = [
            subprocess.Popen([*run, brightening_weights, "-q", "-o", tmp_path / "r" / f"{one}.jpg"])
            for one in range(3)
        ]
        assert [one.wait(timeout=300) for one in started] == [0, 0, 0]
        assert names(tmp_path / "r") == ["0.jpg", "1.jpg", "2.jpg"]


class TestBesideThePhotos:
    @pytest.mark.proves("Names", "`--suffix` adds to them")
    def test_every_result_stands_beside_its_photo(self, apply, photo, write_photo, write_dng):
        write_photo(photo.parent / "day" / "b.png", GREY)
        write_dng(photo.parent / "day" / "c.nef", GREY)
        result = apply(photo.parent, "--suffix", "_enhanced")
        assert (result.exit_code, result.output) == (0, "")
        assert names(photo.parent) == [
            "a.jpg", "a_enhanced.jpg", "day/b.png", "day/b_enhanced.png", "day/c.nef",
            "day/c_enhanced.jpg",
        ]  # fmt: skip
        assert level(photo.parent / "a_enhanced.jpg") == pytest.approx(126, abs=1)

    def test_again_results_are_no_photos(self, apply, photo, write_photo):
        write_photo(photo.parent / "day" / "b.jpg", GREY)
        apply(photo.parent, "--suffix", "_enhanced")
        up_to_date = {"a.jpg": "skipped: up to date", "b.jpg": "skipped: up to date"}
        assert statuses(apply, photo.parent, "--suffix", "_enhanced") == up_to_date
        assert set(statuses(apply, photo.parent, "--suffix", "_bw")) == {"a.jpg", "b.jpg"}
        assert set(statuses(apply, photo.parent, "--out", "elsewhere")) == {"a.jpg", "b.jpg"}
        part = statuses(apply, photo.parent / "day", "--suffix", "_enhanced")
        assert part == {"b.jpg": "skipped: up to date"}
        named = sorted((photo.parent / "day").glob("*.jpg"))
        assert len(named) == 3, "as a shell would name them"
        assert set(statuses(apply, *named, "--suffix", "_enhanced")) == {"b.jpg"}

    def test_nor_after_they_were_edited_moved_or_their_photo_deleted(
        self, apply, photo, tmp_path, write_photo
    ):
        write_photo(photo.with_name("b.jpg"), GREY)
        apply(photo.parent, "--suffix", "_enhanced")
        edited = photo.with_name("a_enhanced.jpg")
        write_photo(edited, GREY)
        photo.with_name("b.jpg").unlink()
        moved = photo.parent.rename(tmp_path / "moved")
        before = names(moved)
        assert "was not written" in statuses(apply, moved, "--suffix", "_enhanced")["a.jpg"]
        assert names(moved) == before

    def test_a_photo_that_has_such_a_name_is_a_photo(self, apply, photo, write_photo):
        mine = write_photo(photo.with_name("a_enhanced.jpg"), GREY // 2)
        before = mine.read_bytes()
        found = statuses(apply, photo.parent, "--suffix", "_enhanced")
        assert "was not written by enhance" in found["a.jpg"]
        assert found["a_enhanced.jpg"] == "done: new"
        assert mine.read_bytes() == before
        assert names(photo.parent) == ["a.jpg", "a_enhanced.jpg", "a_enhanced_enhanced.jpg"]
        result = apply(photo.parent, "--suffix", "_enhanced", "--on-conflict", "overwrite")
        assert result.exit_code == 2 and "original" in result.stderr
        assert apply(photo, "--suffix", "_enhanced", "--on-conflict", "overwrite").exit_code == 2
        assert mine.read_bytes() == before
        apply(photo.parent, "--suffix", "_enhanced", "--on-conflict", "rename")
        assert level(photo.with_name("a_enhanced-1.jpg")) == pytest.approx(126, abs=1)
        assert mine.read_bytes() == before

    def test_an_edited_result_is_replaced_on_request_alone(self, apply, photo, write_photo):
        apply(photo, "--suffix", "_e")
        edited = write_photo(photo.with_name("a_e.jpg"), GREY)
        apply(photo, "--suffix", "_e")
        assert level(edited) == 100
        apply(photo, "--suffix", "_e", "--on-conflict", "overwrite")
        assert level(edited) == pytest.approx(126, abs=1)

    def test_a_raw_and_its_jpeg(self, apply, photo, write_dng):
        write_dng(photo.with_name("a.nef"), GREY)
        for _ in range(2):
            assert apply(photo.parent, "--suffix", "_e").exit_code == 0
            assert names(photo.parent) == ["a.jpg", "a.nef", "a.nef_e.jpg", "a_e.jpg"]

    def test_photos_of_several_folders(self, apply, photo, write_photo):
        other = write_photo(photo.parents[1] / "other" / "a.jpg", GREY)
        words = (photo, other, "--suffix", "_e", "--compare", "pairs", "--lut", "luts")
        for status in ("done", "skipped"):
            assert status in statuses(apply, *words)["a.jpg"]
        assert names(photo.parent) == names(other.parent) == ["a.jpg", "a_e.jpg"]
        assert len(names(Path("pairs"))) == len(names(Path("luts"))) == 2

    def test_a_gallery_and_comparisons_keep_the_tree(self, apply, photo, write_photo):
        write_photo(photo.parent / "day" / "b.jpg", GREY)
        words = (photo.parent, "--suffix", "_e", "--compare", "pairs", "--gallery", "g/page.html")
        assert apply(*words).exit_code == 0
        assert names(Path("pairs")) == ["a_e.jpg.jpg", "day/b_e.jpg.jpg"]
        assert "../photos/day/b_e.jpg" in Path("g/page.html").read_text()

    def test_a_dry_run_leaves_nothing(self, apply, photo, tmp_path):
        result = apply(photo.parent, "--suffix", "_e", "--dry-run")
        assert "a_e.jpg from " in result.stdout
        assert [path.name for path in tmp_path.rglob("*")] == ["photos", "a.jpg"]

    def test_in_a_folder_of_their_own_they_have_the_suffix_too(self, apply, photo):
        assert apply(photo.parent, "--out", "out", "--suffix", "_e").exit_code == 0
        assert names(Path("out")) == ["a_e.jpg"]
        assert names(photo.parent) == ["a.jpg"]
        assert set(statuses(apply, "out", "--out", "again")) == {"a_e.jpg"}
        assert apply(photo.parent, "--out", photo.parent, "--suffix", "_e").exit_code == 2

    @pytest.mark.parametrize(
        ("suffix", "message"),
        [
            ("", "is empty"),
            ("/x", "part of a file name"),
            ("..\\x", "part of a file name"),
            ("a\nb", "part of a file name"),
            ("_e.png", "leave out .png"),
            ("_e.JPG", "leave out .jpg"),
            (".nef", "leave out .nef"),
        ],
    )
    def test_suffixes_that_cannot_be_meant(self, apply, photo, suffix, message):
        result = apply(photo, "--suffix", suffix)
        assert result.exit_code == 2 and message in result.stderr
        assert result.stderr.count("\n") == 1 and names(photo.parent) == ["a.jpg"]

    @pytest.mark.parametrize("suffix", [".enhanced", " (2)", "-ü", "_e.v2", "."])
    def test_suffixes_of_any_other_kind(self, apply, photo, suffix):
        for _ in range(2):
            assert apply(photo, f"--suffix={suffix}").exit_code == 0
            assert names(photo.parent) == sorted(["a.jpg", f"a{suffix}.jpg"])

    def test_a_name_at_the_limit_of_the_file_system_fails_alone(self, apply, photo, write_photo):
        long = write_photo(photo.with_name("x" * 250 + ".jpg"), GREY)
        result = apply(photo.parent, "--suffix", "_enhanced")
        assert result.exit_code == 3 and "name too long" in result.stderr.lower()
        assert result.stderr.count("\n") == 1
        assert names(photo.parent) == ["a.jpg", "a_enhanced.jpg", long.name]

    @pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
    def test_more_folders_than_files_may_be_open(self, apply, photo, write_photo):
        import resource

        for number in range(90):
            write_photo(photo.parent / str(number) / "b.jpg", GREY[:2, :2])
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, before[1]))
        try:
            assert apply(photo.parent, "--suffix", "_e").exit_code == 0
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert len(list(photo.parent.rglob("*_e.jpg"))) == 91

    def test_neither_out_nor_suffix(self, apply, photo):
        result = apply(photo)
        assert result.exit_code == 2 and "--out DIR is missing" in result.stderr
        result = apply(photo, "--out", "b.jpg", "--suffix", "_e")
        assert result.exit_code == 2 and "give the name of the file, or a suffix" in result.stderr

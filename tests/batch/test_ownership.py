"""What nobody's, a stranger's and an original's file in an output's place mean to a whole run."""

import hashlib
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from enhance_cli.batch import manifest, process_photo
from enhance_cli.batch.conflicts import Reason
from enhance_cli.batch.outcome import Status
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import EnhanceError, OutputError, UsageError


@pytest.fixture
def photos(tmp_path, write_photo) -> Path:
    for number, name in enumerate(("a.jpg", "b.png", "day/c.jpg")):
        pixels = np.full((40, 60, 3), 60 + 40 * number, np.uint8)
        write_photo(tmp_path / "photos" / name, pixels)
    return tmp_path / "photos"


@pytest.fixture
def run(tmp_path, brightening_weights):
    def run(*inputs, out=tmp_path / "out", **options):
        config = ApplyConfig(
            tuple(inputs), out, weights=brightening_weights, device="cpu", **options
        )
        return list(BatchRunner(config))

    return run


def contents(folder: Path) -> dict[str, str]:
    """Digests of all files but hidden ones."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.fixture
def bind_mount(tmp_path):
    """Mount a folder under a second name."""
    mounted = []

    def mount(folder: Path, name: str) -> Path:
        again = tmp_path / name
        again.mkdir()
        command = ["mount", "--bind", str(folder), str(again)]
        try:
            done = subprocess.run(command, check=False, capture_output=True).returncode == 0
        except OSError:
            done = False
        if not done:
            pytest.skip("only root may mount")
        mounted.append(again)
        return again

    yield mount
    for again in mounted:
        subprocess.run(["umount", again], check=True)


class TestOneFolderUnderTwoNames:
    @pytest.mark.parametrize("on_conflict", ["skip", "overwrite", "rename", "error"])
    def test_mounted_twice(self, photos, run, bind_mount, on_conflict):
        before = contents(photos)
        with pytest.raises(UsageError, match="again: holds the originals"):
            run(photos, out=bind_mount(photos, "again"), on_conflict=on_conflict)
        assert contents(photos) == before

    def test_a_subfolder_mounted_elsewhere(self, photos, run, bind_mount):
        (photos / "day" / "c.jpg").rename(photos / "day" / "a.jpg")
        before = contents(photos)
        again = bind_mount(photos / "day", "again")
        with pytest.raises(UsageError, match="would replace an original"):
            run(photos, out=again, on_conflict="overwrite")
        for option in ("compare", "lut"):
            with pytest.raises(UsageError, match=f"--{option}"):
                run(photos, **{option: again})
        assert contents(photos) == before

    def test_hard_links(self, photos, run, tmp_path):
        (tmp_path / "out").mkdir()
        os.link(photos / "b.png", tmp_path / "out" / "b.png")
        with pytest.raises(UsageError, match="would replace the original"):
            run(photos, on_conflict="overwrite")

    def test_a_photo_found_under_two_names_is_done_once(self, photos, run, bind_mount):
        assert len(run(photos, bind_mount(photos, "again"))) == 3

    def test_results_seen_under_another_name_are_not_inputs(self, photos, run, bind_mount):
        again = bind_mount(photos, "again")
        run(photos, out=again / "retouched")
        assert len(run(photos, out=again / "retouched")) == 3


class TestOriginals:
    def test_a_photo_that_is_left_out_is_an_original_too(self, photos, run, write_dng):
        write_dng(photos / "a.dng", np.full((40, 60, 3), 90, np.uint8))
        before = contents(photos)
        with pytest.raises(UsageError, match=r"a\.jpg.*original"):
            run(photos / "a.dng", out=photos, on_conflict="overwrite")
        assert contents(photos) == before

    def test_the_input_folder_takes_no_results(self, run, write_dng, tmp_path):
        write_dng(tmp_path / "raws" / "a.dng", np.full((40, 60, 3), 90, np.uint8))
        with pytest.raises(UsageError, match=r"--out .*raws: holds the originals"):
            run(tmp_path / "raws", out=tmp_path / "raws")

    @pytest.mark.proves("Originals", "would replace an original is refused")
    def test_photos_in_an_output_folder_among_them(self, photos, run, write_photo):
        """A folder that is left out of the run as that of the results may hold photos."""
        write_photo(photos / "day" / "a.jpg")
        before = contents(photos)
        with pytest.raises(UsageError, match="original"):
            run(photos, out=photos / "day", on_conflict="overwrite")
        assert contents(photos) == before
        with pytest.raises(UsageError, match="--compare"):
            run(photos, compare=photos / "day")

    def test_results_among_them_are_replaced(self, photos, run):
        run(photos, out=photos / "retouched")
        (done, *_) = run(photos, out=photos / "retouched", on_conflict="overwrite")
        assert done.reason is Reason.REPLACED

    @pytest.mark.parametrize("option", ["compare", "lut", "gallery"])
    @pytest.mark.parametrize("on_conflict", ["skip", "overwrite", "rename", "error"])
    def test_side_outputs_do_not_come_among_them(self, photos, run, write_photo, option,
                                                 on_conflict):  # fmt: skip
        write_photo(photos / "a.jpg.jpg")
        before = contents(photos)
        for folder in (photos, photos / "day"):
            place = folder / "all.html" if option == "gallery" else folder
            with pytest.raises(UsageError, match=f"--{option}"):
                run(photos, on_conflict=on_conflict, **{option: place})
        assert contents(photos) == before


SIDE = {"compare": "b.png.jpg", "lut": "b.png.cube", "gallery": "all.html"}


def side_options(folder: Path) -> dict[str, Path]:
    return {
        "compare": folder / "compare",
        "lut": folder / "lut",
        "gallery": folder / "gallery" / "all.html",
    }


class TestStrangersBesideTheResults:
    @pytest.fixture(params=SIDE)
    def strangers(self, request, tmp_path) -> tuple[str, Path]:
        """An option, and somebody's file in a place of its files."""
        path = tmp_path / request.param / SIDE[request.param]
        path.parent.mkdir()
        path.write_bytes(b"mine")
        return request.param, path

    def options(self, tmp_path, strangers):
        return {strangers[0]: side_options(tmp_path)[strangers[0]]}

    def test_they_stay_and_a_warning_says_so(self, tmp_path, photos, run, strangers):
        outcomes = run(photos, **self.options(tmp_path, strangers))
        assert strangers[1].read_bytes() == b"mine"
        assert {one.status for one in outcomes} == {Status.DONE}
        warned = [line for one in outcomes for line in one.warnings]
        assert len(warned) == 1 and str(strangers[1]) in warned[0]
        assert "not write" in warned[0]

    def test_nor_are_they_passed_over_in_silence_later(self, tmp_path, photos, run, strangers):
        options = self.options(tmp_path, strangers)
        run(photos, **options)
        outcomes = run(photos, **options)
        assert {one.status for one in outcomes} == {Status.SKIPPED}
        warned = [line for one in outcomes for line in one.warnings]
        assert len(warned) == 1 and str(strangers[1]) in warned[0] and "not writ" in warned[0]

    def test_an_error_comes_before_any_photo(self, tmp_path, photos, run, strangers):
        with pytest.raises(UsageError, match="already exists"):
            run(photos, on_conflict="error", **self.options(tmp_path, strangers))
        assert strangers[1].read_bytes() == b"mine" and not contents(tmp_path / "out")

    def test_they_are_replaced_on_request(self, tmp_path, photos, run, strangers):
        run(photos, on_conflict="overwrite", **self.options(tmp_path, strangers))
        assert strangers[1].read_bytes() != b"mine"

    def test_a_file_comes_beside_them_on_request(self, tmp_path, photos, run, strangers):
        for _ in range(2):
            run(photos, on_conflict="rename", **self.options(tmp_path, strangers))
            assert strangers[1].read_bytes() == b"mine"
            beside = strangers[1].with_stem(f"{strangers[1].stem}-1")
            assert beside.stat().st_size > 100
            files = {"compare": 4, "lut": 4, "gallery": 2}[strangers[0]]
            there = [path for path in strangers[1].parent.rglob("[!.]*") if path.is_file()]
            assert len(there) == files

    def test_their_own_files_are_written_again_when_they_are_out_of_date(self, tmp_path, photos,
                                                                          run):  # fmt: skip
        options = side_options(tmp_path)
        run(photos, **options)
        before = {name: contents(tmp_path / name) for name in SIDE}
        run(photos, strength=0.5, **options)
        after = {name: contents(tmp_path / name) for name in SIDE}
        for name in SIDE:
            assert before[name].keys() == after[name].keys()
            assert not set(before[name].items()) & set(after[name].items()), name

    def test_a_table_of_another_size_is_written(self, tmp_path, photos, run):
        run(photos, lut=tmp_path / "lut", lut_size=5)
        outcomes = run(photos, lut=tmp_path / "lut", lut_size=6)
        assert {one.reason for one in outcomes} == {Reason.SIDE_OUTPUT_MISSING}
        assert "LUT_3D_SIZE 6" in (tmp_path / "lut" / "a.jpg.cube").read_text()


class TestDuringTheRun:
    """Somebody writes a file while the run goes on."""

    @pytest.fixture
    def meanwhile(self, monkeypatch):
        """Call a function when a photo has been read, before its result appears."""

        def meanwhile(act):
            real = process_photo.decode

            def decode(path, *rest):
                photo = real(path, *rest)
                act()
                return photo

            monkeypatch.setattr(process_photo, "decode", decode)

        return meanwhile

    @pytest.mark.parametrize(
        ("on_conflict", "status"),
        [("skip", Status.SKIPPED), ("error", Status.FAILED), ("rename", Status.DONE),
         ("overwrite", Status.DONE)],
    )  # fmt: skip
    @pytest.mark.parametrize("kind", ["file", "dangling link", "edited result"])
    def test_a_file_that_comes_into_place(
        self, tmp_path, photos, run, meanwhile, on_conflict, status, kind
    ):
        path = tmp_path / "out" / "a.jpg"
        if kind == "edited result":
            run(photos / "a.jpg")

        def act():
            if kind == "dangling link":
                if not path.is_symlink():
                    path.symlink_to("gone")
            else:
                path.write_bytes(b"mine")

        meanwhile(act)
        (outcome,) = run(photos / "a.jpg", on_conflict=on_conflict, strength=0.5)
        if on_conflict != "overwrite":
            assert path.is_symlink() if kind == "dangling link" else path.read_bytes() == b"mine"
        else:
            assert not path.is_symlink() and path.read_bytes() != b"mine"
        assert outcome.status is status
        if on_conflict == "rename":
            assert outcome.output == path.with_stem("a-1") and outcome.output.stat().st_size > 100
        assert not list(tmp_path.rglob("*.part"))

    def test_beside_the_results(self, tmp_path, photos, run, meanwhile):
        places = [tmp_path / "compare" / "b.png.jpg", tmp_path / "lut" / "b.png.cube",
                  tmp_path / "gallery" / "all.html"]  # fmt: skip

        def act():
            for place in places:
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(b"mine")

        meanwhile(act)
        with pytest.raises(EnhanceError, match=r"all\.html"):
            run(photos / "b.png", **side_options(tmp_path))
        assert [place.read_bytes() for place in places] == [b"mine"] * 3

    def test_a_dangling_link_is_not_replaced(self, tmp_path, photos, run):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "a.jpg").symlink_to("gone")
        (outcome,) = run(photos / "a.jpg")
        assert outcome.reason is Reason.FOREIGN_FILE
        assert (tmp_path / "out" / "a.jpg").is_symlink()

    def test_two_runs_one_within_the_other(self, tmp_path, photos, run, meanwhile):
        """The start of a run leaves what another one is writing into a subfolder."""
        started = []

        def act():
            if not started:
                started.append(True)
                run(photos / "b.png", out=tmp_path / "res")

        meanwhile(act)
        outcomes = run(photos, out=tmp_path / "res" / "day1")
        assert {one.status for one in outcomes} == {Status.DONE}


class TestTwoShootsWithTheSameNames:
    @pytest.fixture
    def cards(self, tmp_path, write_photo) -> list[Path]:
        for number in (1, 2):
            pixels = np.full((40, 60, 3), 90 * number, np.uint8)
            write_photo(tmp_path / f"card{number}" / "IMG_1.tif", pixels)
            os.utime(tmp_path / f"card{number}" / "IMG_1.tif", ns=(0, 10**18))
        return [tmp_path / "card1", tmp_path / "card2"]

    @pytest.mark.parametrize("on_conflict", ["skip", "error", "rename", "overwrite"])
    def test_none_replaces_the_other_without_being_told_to(self, tmp_path, cards, run, on_conflict):
        first, second = (card / "IMG_1.tif" for card in cards)
        assert first.stat().st_size == second.stat().st_size, "only the content differs"
        run(cards[0])
        before = contents(tmp_path / "out")
        if on_conflict == "error":
            with pytest.raises(UsageError, match=r"IMG_1.*already exists"):
                run(cards[1], on_conflict="error")
        else:
            (outcome,) = run(cards[1], on_conflict=on_conflict)
        after = contents(tmp_path / "out")
        if on_conflict == "overwrite":
            assert after.keys() == before.keys() and after != before
            return
        assert after["IMG_1.tif"] == before["IMG_1.tif"]
        if on_conflict == "skip":
            assert outcome.reason is Reason.OTHER_PHOTO and outcome.status is Status.SKIPPED
        if on_conflict == "rename":
            assert outcome.output.name == "IMG_1-1.tif"
            assert {one.reason for card in cards for one in run(card, on_conflict="rename")} == {
                Reason.UP_TO_DATE
            }

    def test_nor_what_is_left_beside_the_results(self, tmp_path, cards, run):
        run(cards[0], lut=tmp_path / "lut", strength=0.5)
        before = contents(tmp_path / "lut")
        (tmp_path / "out" / "IMG_1.tif").unlink()
        (outcome,) = run(cards[1], lut=tmp_path / "lut")
        assert outcome.status is Status.DONE and "another photo" in outcome.warnings[0]
        assert contents(tmp_path / "lut") == before

    def test_the_second_is_not_shown_as_the_first(self, tmp_path, cards, run):
        run(cards[0])
        run(cards[1], gallery=tmp_path / "all.html")
        page = (tmp_path / "all.html").read_text()
        assert "<figure>" not in page and "another photo" in page


class TestMoved:
    def test_a_renamed_source_folder_changes_nothing(self, photos, run):
        run(photos)
        moved = photos.rename(photos.with_name("archive"))
        assert {one.reason for one in run(moved)} == {Reason.UP_TO_DATE}

    def test_nor_does_a_copy_of_it(self, photos, run, tmp_path):
        run(photos)
        subprocess.run(["cp", "-r", photos, tmp_path / "copy"], check=True)
        assert {one.reason for one in run(tmp_path / "copy")} == {Reason.UP_TO_DATE}

    def test_nor_a_copy_of_the_results(self, photos, run, tmp_path):
        run(photos)
        subprocess.run(["cp", "-a", tmp_path / "out", tmp_path / "backup"], check=True)
        outcomes = run(photos, out=tmp_path / "backup")
        assert {one.reason for one in outcomes} == {Reason.UP_TO_DATE}

    def test_no_trace_holds_an_absolute_path(self, photos, run, tmp_path):
        (photos / "bad.jpg").write_bytes(b"no photo")
        (tmp_path / "out" / "a.jpg").mkdir(parents=True)
        run(photos, on_conflict="overwrite", **side_options(tmp_path))
        page = (tmp_path / "gallery" / "all.html").read_text()
        assert "Failed (2)" in page and "bad.jpg</b>" in page
        for text in (page, (tmp_path / "out" / manifest.NAME).read_text()):
            assert str(tmp_path) not in text and tmp_path.name not in text

    def test_records_of_earlier_versions_are_understood(self, photos, run, tmp_path):
        """They held the path of the photo, and neither a digest nor a number of an inode."""
        run(photos)
        path = tmp_path / "out" / manifest.NAME
        old = []
        for line in path.read_text().splitlines():
            record = json.loads(line)
            found = photos / ("day" if "c.jpg" in record["input"] else "") / record["input"]
            old.append(
                {
                    "output": record["output"],
                    "input": str(found),
                    "source": record["source"],
                    "settings": record["settings"],
                    "result": record["result"],
                }
            )
        path.write_text("".join(json.dumps(one) + "\n" for one in old))
        assert {one.reason for one in run(photos)} == {Reason.UP_TO_DATE}
        moved = photos.rename(photos.with_name("archive"))
        assert {one.reason for one in run(moved)} == {Reason.UP_TO_DATE}


class TestEmptied:
    def test_a_result_that_was_emptied_is_done_again(self, photos, run, tmp_path):
        run(photos)
        (tmp_path / "out" / "a.jpg").write_bytes(b"")
        reasons = {one.input.name: one.reason for one in run(photos)}
        assert reasons == {
            "a.jpg": Reason.RESULT_EMPTY,
            "b.png": Reason.UP_TO_DATE,
            "c.jpg": Reason.UP_TO_DATE,
        }
        assert (tmp_path / "out" / "a.jpg").stat().st_size

    def test_a_strangers_empty_file_stays(self, photos, run, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "a.jpg").touch()
        assert run(photos / "a.jpg")[0].reason is Reason.FOREIGN_FILE

    def test_so_are_side_outputs(self, photos, run, tmp_path):
        options = side_options(tmp_path)
        run(photos, **options)
        table = tmp_path / "lut" / "a.jpg.cube"
        whole = table.read_bytes()
        table.write_bytes(b"")
        run(photos, **options)
        assert table.read_bytes() == whole


class TestPermissionsAndTimes:
    @pytest.mark.proves("Results", "permissions and times of their photos")
    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o664, 0o444])
    @pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "webp", "avif"])
    def test_a_result_has_those_of_its_photo(self, photos, run, tmp_path, mode, suffix):
        photo = photos / "a.jpg"
        os.utime(photo, ns=(10**18, 10**18 + 7))
        photo.chmod(mode)
        (outcome,) = run(photo, format=suffix, **side_options(tmp_path))
        state = outcome.output.stat()
        assert state.st_mode & 0o777 == mode
        assert state.st_mtime_ns == photo.stat().st_mtime_ns
        for name, file in {"compare": f"a.{'jpg' if suffix == 'jpg' else suffix}.jpg"}.items():
            assert (tmp_path / name / file).stat().st_mode & 0o777 == mode
        gallery = (tmp_path / "gallery" / "all.html").stat().st_mode & 0o777
        assert gallery & ~mode == 0, "who may not read the photo may not read the page"
        assert run(photo, format=suffix)[0].reason is Reason.UP_TO_DATE

    def test_times_of_its_own_on_request(self, photos, run):
        os.utime(photos / "a.jpg", ns=(10**18, 10**18))
        (outcome,) = run(photos / "a.jpg", keep_times=False)
        assert outcome.output.stat().st_mtime_ns > 1.7e18
        assert run(photos / "a.jpg")[0].reason is Reason.SETTINGS_CHANGED


def test_places_of_side_outputs_are_tried_before_any_photo(photos, run, tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    for option in ("lut", "compare"):
        with pytest.raises(OutputError, match=f"--{option}"):
            run(photos, **{option: tmp_path / "file"})
        assert not contents(tmp_path / "out")
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert {one.status for one in run(photos)} == {Status.DONE}


def test_a_result_is_ours_although_its_side_output_failed(photos, run, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("enhance_cli.batch.side_outputs.lut_file.write_lut", fail)
        with pytest.raises(OutputError, match="No space left"):
            run(photos, lut=tmp_path / "lut")
    outcomes = run(photos, lut=tmp_path / "lut")
    assert {one.status for one in outcomes} == {Status.DONE}
    assert len(contents(tmp_path / "lut")) == 3


@pytest.mark.parametrize("error", [5, 28, 116])
def test_a_record_that_cannot_be_written_leaves_no_result(
    photos, run, tmp_path, monkeypatch, error
):
    """Neither a new one nor a changed one; the next run makes up for it."""
    run(photos / "a.jpg")
    before = contents(tmp_path / "out")
    real = manifest._sync

    def fail(_file):
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patched:
        patched.setattr(manifest, "_sync", fail)
        try:
            outcomes = run(photos, strength=0.5)
            assert error != 28 and {one.status for one in outcomes} == {Status.FAILED}
        except OutputError:
            assert error == 28
    assert contents(tmp_path / "out") == before
    assert manifest._sync is real
    outcomes = run(photos, strength=0.5)
    assert {one.status for one in outcomes} == {Status.DONE}


def test_an_unreadable_folder_fails_its_photos_alone(photos, run, monkeypatch):
    from enhance_cli.imaging.codecs import encode

    real = encode.WRITERS[".jpg"]

    def refuse(photo, path, *rest):
        if "day" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        real(photo, path, *rest)

    monkeypatch.setitem(encode.WRITERS, ".jpg", refuse)
    statuses = {one.input.name: one.status for one in run(photos)}
    assert statuses == {"a.jpg": Status.DONE, "b.png": Status.DONE, "c.jpg": Status.FAILED}


def test_a_dry_run_tells_the_same(photos, tmp_path, brightening_weights):
    config = ApplyConfig((photos,), tmp_path / "out", weights=brightening_weights, device="cpu")
    (tmp_path / "lut").mkdir()
    (tmp_path / "lut" / "a.jpg.cube").write_text("mine")
    strict = replace(config, lut=tmp_path / "lut", on_conflict="error")
    with pytest.raises(UsageError, match="already exists"):
        BatchRunner(strict).decisions()
    assert not (tmp_path / "out").exists()


def test_names_that_are_not_utf8(tmp_path, run, write_photo, write_dng):
    """In every format, with all side outputs, and twice."""
    write_photo(tmp_path / "plain.png")
    (tmp_path / "in").mkdir()
    for suffix in (b"jpg", b"png", b"tif", b"webp", b"avif"):
        path = tmp_path / "in" / os.fsdecode(b"b\xe9." + suffix)
        Image.open(tmp_path / "plain.png").save(path)
    dng = write_dng(tmp_path / "raw.dng", np.full((40, 60, 3), 90, np.uint8))
    dng.rename(tmp_path / "in" / os.fsdecode(b"raw\xe9.dng"))
    (tmp_path / "in" / "line\u2028separator\nname.jpg").write_bytes(
        (tmp_path / "in" / os.fsdecode(b"b\xe9.jpg")).read_bytes()
    )
    outcomes = run(tmp_path / "in", **side_options(tmp_path))
    assert [one.error for one in outcomes] == [None] * 7
    assert not any(one.warnings for one in outcomes), [one.warnings for one in outcomes]
    assert (tmp_path / "out" / os.fsdecode(b"b\xe9.jpg")).is_file()
    assert 'href="../out/b%E9.jpg"' in (tmp_path / "gallery" / "all.html").read_text()
    again = run(tmp_path / "in", **side_options(tmp_path))
    assert {one.reason for one in again} == {Reason.UP_TO_DATE}

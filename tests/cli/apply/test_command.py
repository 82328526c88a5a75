import io
import json
import os
import pkgutil
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import piexif
import pytest
from PIL import Image
from typer.testing import CliRunner

from enhance_cli.batch.worker_pool import WorkerPool
from enhance_cli.cli.main import app
from enhance_cli.errors import OutputError, UsageError

runner = CliRunner()


@pytest.fixture
def photos(tmp_path, write_photo) -> Path:
    write_photo(tmp_path / "photos" / "a.jpg")
    write_photo(tmp_path / "photos" / "sub" / "b [1].png")
    return tmp_path / "photos"


def apply(*arguments):
    return runner.invoke(app, ["apply", *map(str, arguments)])


def test_the_summary_gives_counts_folder_and_size(photos, tmp_path, identity_weights):
    result = apply(photos, "--out", tmp_path / "out", "--weights", identity_weights)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"2 done, 0 failed, 0 skipped; in {tmp_path / 'out'}\n")
    assert "500 px on the longer edge (the default)" in result.stdout
    assert "[1/2]" in result.stderr and "b [1].png: done" in result.stderr


def test_one_bad_photo_exits_with_3_and_is_reported(photos, tmp_path, identity_weights):
    (photos / "bad.jpg").write_text("no photo")
    result = apply(photos, "--out", tmp_path / "out", "--weights", identity_weights)
    assert result.exit_code == 3
    assert f"error: {photos / 'bad.jpg'}: not a photo" in result.stderr
    assert "2 done, 1 failed, 0 skipped" in result.stdout


def test_json_is_one_document_and_nothing_else(photos, tmp_path, identity_weights):
    (photos / "bad.jpg").write_text("no photo")
    arguments = (photos, "--out", tmp_path / "out", "--weights", identity_weights, "--json")
    document = json.loads(apply(*arguments).stdout)
    assert document["interrupted"] is False
    assert {name: document[name] for name in ("done", "failed", "skipped")} == {
        "done": 2,
        "failed": 1,
        "skipped": 0,
    }
    done, bad = document["photos"][0], document["photos"][1]
    assert set(done) == {"input", "output", "status", "reason", "error", "warnings", "seconds"}
    assert done["output"] == str(tmp_path / "out" / "a.jpg") and done["error"] is None
    assert bad["output"] is None and "bad.jpg" in bad["error"]
    assert json.loads(apply(*arguments).stdout)["skipped"] == 2


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (["gone", "--out", "o"], "gone: no such file or folder", 2),
        (["photos", "--out", "photos"], "photos: holds the originals", 2),
        (["empty", "--out", "o"], "no photo found", 2),
        (["photos", "--out", "o", "--device", "cuda:99"], "--device cpu", 1),
        (["photos", "--out", "o", "--device", "gpu"], "auto, cpu, cuda", 2),
        (["photos", "--out", "o", "--weights", "gone.safetensors"], "no such weights file", 2),
        (["photos", "--out", "photos/a.jpg/x"], "choose another folder", 1),
    ],
)
@pytest.mark.usefixtures("photos")
def test_errors_are_one_line_without_a_traceback(
    tmp_path, monkeypatch, identity_weights, arguments, said, code
):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(identity_weights))
    result = apply(*arguments)
    assert result.exit_code == code
    assert said in result.stderr and result.stderr.count("\n") == 1
    assert not result.stdout


def test_ctrl_c_keeps_finished_results_and_says_how_to_continue(
    tmp_path, monkeypatch, write_photo, identity_weights
):
    from enhance_cli.batch.runner import BatchRunner

    for number in range(40):
        write_photo(tmp_path / "photos" / f"{number}.jpg")
    real, reported = BatchRunner._report, []

    def interrupt_at_the_second(self, processed):
        reported.append(processed)
        if len(reported) == 2:
            raise KeyboardInterrupt
        return real(self, processed)

    monkeypatch.setattr(BatchRunner, "_report", interrupt_at_the_second)
    arguments = (tmp_path / "photos", "--out", tmp_path / "out", "--weights", identity_weights)
    run = apply(*arguments)
    assert run.exit_code == 130
    assert "1 done" in run.stdout and "continues" in run.stderr
    finished = len(list((tmp_path / "out").glob("*.jpg")))
    assert 2 <= finished < 40 and not list((tmp_path / "out").glob("*.part"))
    monkeypatch.setattr(BatchRunner, "_report", real)
    assert f"{40 - finished} done, 0 failed, {finished} skipped" in apply(*arguments).stdout


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_real_interrupt_exits_with_130(tmp_path, write_photo, identity_weights):
    for number in range(300):
        write_photo(tmp_path / "photos" / f"{number}.jpg", size=(400, 300))
    command = [sys.executable, "-m", "enhance_cli", "apply", "photos", "--out", "out"]
    with subprocess.Popen(
        [*command, "--weights", identity_weights], cwd=tmp_path, stdout=-1, stderr=-1
    ) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("out/*.jpg")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said.decode()
    assert b"Traceback" not in said
    assert 0 < len(list(tmp_path.glob("out/*.jpg"))) < 300
    assert not list(tmp_path.glob("out/.*.part"))


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_the_first_interrupt_finishes_the_photos_in_progress(
    tmp_path, monkeypatch, write_photo, identity_weights
):
    from enhance_cli.batch.runner import BatchRunner

    for number in range(40):
        write_photo(tmp_path / "photos" / f"{number}.jpg")
    real = BatchRunner._report

    def interrupt_once(self, processed):
        if not self.was_stopped:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, processed)

    monkeypatch.setattr(BatchRunner, "_report", interrupt_once)
    arguments = (tmp_path / "photos", "--out", tmp_path / "out", "--weights", identity_weights)
    result = apply(*arguments)
    finished = len(list((tmp_path / "out").glob("*.jpg")))
    assert (
        result.exit_code == 130 and f"{finished} done, 0 failed" in result.stdout and finished < 40
    )
    assert "press Ctrl-C again to stop at once" in result.stderr and "continues" in result.stderr
    monkeypatch.setattr(BatchRunner, "_report", real)
    assert f"{40 - finished} done, 0 failed, {finished} skipped" in apply(*arguments).stdout


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_an_interrupt_while_a_line_is_written_is_not_an_error(
    tmp_path, monkeypatch, photos, identity_weights
):
    class Terminal(io.RawIOBase):
        interrupted = False

        def writable(self):
            return True

        def write(self, content):
            if not self.interrupted:
                self.interrupted = True
                os.kill(os.getpid(), signal.SIGINT)
            return len(content)

    stream = io.TextIOWrapper(io.BufferedWriter(Terminal()), write_through=True)
    monkeypatch.setattr("enhance_cli.cli.console.messages._file", stream)
    result = apply(photos, "--out", tmp_path / "out", "--weights", identity_weights)
    assert result.exit_code == 130, result.exception
    assert result.stdout.startswith("2 done, 0 failed")


def test_a_dry_run_prints_the_plan_and_writes_nothing(photos, tmp_path, identity_weights):
    out = tmp_path / "out"
    arguments = (photos, "--out", out, "--weights", identity_weights)
    result = apply(*arguments, "--dry-run")
    assert result.exit_code == 0 and not out.exists()
    assert f"write {out / 'a.jpg'} from {photos / 'a.jpg'} (new)" in result.stdout
    apply(*arguments)
    assert "skip" in apply(*arguments, "--dry-run").stdout
    planned = json.loads(apply(*arguments, "--dry-run", "--json", "--quality", 80).stdout)
    assert {one["reason"] for one in planned["photos"]} == {
        "settings, weights or sidecar have changed"
    }


def test_full_size_and_a_long_edge_exclude_each_other(photos, tmp_path):
    result = apply(photos, "--out", tmp_path / "out", "--full-size", "--long-edge", 800)
    assert result.exit_code == 2 and "give one of the two" in result.stderr


def test_a_shared_warning_is_printed_a_few_times_and_counted(
    tmp_path, write_photo, identity_weights
):
    for number in range(7):
        write_photo(tmp_path / "in" / f"{number}.png", exif=b"Exif\x00\x00II*\x00\xff\xff\x00\x00")
    ran = apply(tmp_path / "in", "--out", tmp_path / "out", "--weights", identity_weights)
    assert ran.exit_code == 0
    assert ran.stderr.count("its EXIF block is damaged") == 4
    assert "7 photos in all, 4 of them not listed: its EXIF" in ran.stderr.replace("\n", " ")


def test_every_option_reaches_the_run(tmp_path, photos, monkeypatch):
    seen = []

    def stop(config):
        seen.append(config)
        raise UsageError("stop here")

    monkeypatch.setattr("enhance_cli.batch.runner.BatchRunner", stop)
    words = (
        "--strip-gps --pairs raw --exclude a --exclude b/* --max-pixels 99 --lut l --compare c "
        "--gallery g.html --format tiff --bit-depth 16 --srgb --strength 0.5 --full-size"
    )
    apply(photos, "--out", tmp_path, *words.split())
    (config,) = seen
    assert (config.keep_metadata, config.pairs, config.exclude) == ("no-gps", "raw", ("a", "b/*"))
    assert (config.max_pixels, config.lut, config.compare) == (99, Path("l"), Path("c"))
    assert config.gallery == Path("g.html") and config.encoding.bits == 16
    assert (config.format, config.srgb, config.strength) == ("tiff", True, 0.5)
    assert config.long_edge is None


class TestVerbosity:
    @pytest.fixture
    def arguments(self, photos, tmp_path, write_photo, identity_weights):
        """A photo without problems, one with damaged metadata, and a file that is no photo."""
        write_photo(photos / "c.png", exif=b"Exif\x00\x00II*\x00\xff\xff\x00\x00")
        (photos / "bad.jpg").write_text("no photo")
        return (photos, "-o", tmp_path / "out", "--weights", identity_weights)

    @pytest.mark.parametrize("option", ["-q", "--quiet"])
    def test_quiet_prints_only_errors_and_warnings(self, arguments, option):
        result = apply(*arguments, option)
        assert result.exit_code == 3 and not result.stdout
        lines = result.stderr.splitlines()
        assert len(lines) == 2
        assert lines[0].startswith("error: ") and "bad.jpg: not a photo" in lines[0]
        assert lines[1].startswith("warning: ") and "EXIF" in lines[1]

    @pytest.mark.parametrize("option", ["-v", "--verbose"])
    def test_verbose_prints_a_line_for_each_photo(self, arguments, option, tmp_path):
        result = apply(*arguments, option)
        lines = [line for line in result.stderr.splitlines() if line.startswith("[")]
        assert len(lines) == 3
        assert lines[0].startswith("[1/4] ")
        assert re.search(r"a\.jpg: done \(new\), \d+\.\d\d s, ", lines[0])
        assert lines[0].endswith(str(tmp_path / "out" / "a.jpg"))
        assert result.stdout.startswith("3 done, 1 failed, 0 skipped")

    def test_quiet_and_verbose_exclude_each_other(self, arguments):
        result = apply(*arguments, "-q", "-v")
        assert result.exit_code == 2 and not result.stdout
        assert "--quiet and --verbose: give one of the two" in result.stderr


def test_short_options(photos, tmp_path, identity_weights):
    arguments = (photos / "a.jpg", "-o", tmp_path / "out", "--weights", identity_weights)
    assert "1 to write" in apply(*arguments, "-f", "PNG", "-n").stderr
    assert apply(*arguments, "-f", "PNG", "-q").exit_code == 0
    assert [path.name for path in (tmp_path / "out").glob("[!.]*")] == ["a.png"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--out DIR is missing"),
        (["--no-pictures"], "give their folder, --lut DIR"),
        (["--no-pictures", "--lut", "l", "--out", "o"], "leave out --out"),
        (["--no-pictures", "--lut", "l", "--compare", "c"], "leave out --compare and --gallery"),
        (
            ["--out", "o", "--lut", "l", "--lut-format", "hald", "--lut-size", "33"],
            "a HaldCLUT has 4, 9, 16, 25, 36",
        ),
    ],
)
def test_options_of_look_up_tables_that_make_no_sense(
    options, said, tmp_path, monkeypatch, write_photo
):
    monkeypatch.chdir(tmp_path)
    write_photo(tmp_path / "a.png")
    result = runner.invoke(app, ["apply", "a.png", *options])
    assert result.exit_code == 2
    assert said in result.stderr and result.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_series_are_shown_in_the_plan_the_document_and_the_gallery(tmp_path, coffee):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, second in (("a", 1), ("b", 2), ("c", 200)):
        exif = piexif.dump({"Exif": {36867: b"2026:01:01 12:%02d:%02d" % divmod(second, 60)}})
        Image.fromarray(coffee).save(folder / f"{name}.jpg", exif=exif)
    common = (folder, "--out", tmp_path / "out", "--series", "AUTO")
    plan = apply(*common, "-n")
    assert [line.endswith(", series 1") for line in plan.stdout.splitlines()] == [True, True, False]
    planned = json.loads(apply(*common, "-n", "--json").stdout)["photos"]
    apart = apply(*common, "--series-gap", "0", "-o", tmp_path / "apart")
    assert "No series were found" in apart.stdout
    together = apply(*common, "-o", tmp_path / "together").stdout
    assert "1 series with 2 photos in all; the other photo has a look of its own" in together
    page = tmp_path / "all.html"
    done = json.loads(apply(*common, "--json", "--gallery", page).stdout)["photos"]
    assert [one["series"] for one in planned] == [one["series"] for one in done] == [1, 1, None]
    text = page.read_text()
    in_order = ("<h3>Series 1</h3>", "a.jpg", "b.jpg", "<h3>Other photos</h3>", "c.jpg")
    places = [text.index(one) for one in in_order]
    assert places == sorted(places)


def test_series_and_a_look_of_one_photo_exclude_each_other(photos, tmp_path):
    given = ("--series", "auto", "--sync-from", photos / "a.jpg")
    done = apply(photos, "--out", tmp_path / "out", *given)
    assert done.exit_code == 2 and "--series and --sync-from: give one of the two" in done.stderr


class TestARunThatExplainsItself:
    @pytest.mark.parametrize("option", ["--json", "--json-lines", "--no-toml"])
    @pytest.mark.parametrize(
        ("into", "where"),
        [
            ((), "batch.runner.BatchRunner.__iter__"),
            (("--shard", "1/1"), "cloud.machine.work_through"),
        ],
    )
    def test_a_full_disk_leaves_a_report_of_what_was_done(
        self, photos, tmp_path, identity_weights, monkeypatch, option, into, where
    ):
        """The disk is full after the first photo."""
        module, name = f"enhance_cli.{where}".rsplit(".", 1)
        work = getattr(pkgutil.resolve_name(module), name)

        def until_full(*arguments):
            yield next(iter(work(*arguments)))
            raise OutputError("out: No space left on device")

        monkeypatch.setattr(f"{module}.{name}", until_full)
        command = (photos, "--out", tmp_path / "out", "--weights", identity_weights, *into)
        ran = apply(*command, option)
        assert ran.exit_code == 1 and "No space left on device" in ran.stderr
        if option == "--no-toml":
            assert ran.stdout.startswith("1 done, 0 failed")
            return
        end = ran.stdout.splitlines()[-1] if option == "--json-lines" else ran.stdout
        found = json.loads(end)
        assert (found["done"], found["interrupted"]) == (1, False)
        assert found["error"] == "out: No space left on device"

    @pytest.mark.parametrize("option", ["--json", "--json-lines"])
    @pytest.mark.parametrize(
        ("into", "where"),
        [
            ((), "batch.runner.BatchRunner.__iter__"),
            (("--shard", "1/1"), "cloud.machine.work_through"),
        ],
    )
    def test_a_disk_that_is_full_from_the_start_leaves_one_document(
        self, photos, tmp_path, identity_weights, monkeypatch, option, into, where
    ):
        def full(*_):
            raise OutputError("out: No space left on device")
            yield

        module, name = f"enhance_cli.{where}".rsplit(".", 1)
        monkeypatch.setattr(f"{module}.{name}", full)
        command = (photos, "--out", tmp_path / "out", "--weights", identity_weights, *into)
        ran = apply(*command, option)
        found = json.loads(ran.stdout)
        assert ran.exit_code == 1 and ran.stderr.count("No space left on device") == 1
        assert (found["done"], found["error"]) == (0, "out: No space left on device")
        assert apply(*command).stdout == ""

    def test_lines_of_json_come_one_a_photo(self, photos, tmp_path):
        (photos / "broken.jpg").write_bytes(b"nothing")
        ran = apply(photos, "--out", tmp_path / "out", "--json-lines")
        events = [json.loads(line) for line in ran.stdout.splitlines()]
        assert [one["event"] for one in events] == ["photo"] * (len(events) - 1) + ["end"]
        assert ran.exit_code == 3 and events[-1]["failed"] == 1 and not events[-1]["interrupted"]
        statuses = [one["status"] for one in events[:-1]]
        assert sorted(set(statuses)) == ["done", "failed"]
        assert statuses.count("done") == events[-1]["done"]

    def test_a_dry_run_has_the_keys_and_lines_of_a_run(self, photos, tmp_path):
        common = (photos, "--out", tmp_path / "out")
        apply(photos / "a.jpg", *common[1:])
        for line in (True, False):
            option = "--json-lines" if line else "--json"
            plan, run = (
                apply(*common, option, *more).stdout for more in (("-n", "-q"), ("--full-size",))
            )
            if line:
                planned, ran = (
                    [json.loads(one) for one in text.splitlines()] for text in (plan, run)
                )
                assert [one["event"] for one in planned] == ["photo", "photo", "end"]
                photo_keys = planned[0].keys(), ran[0].keys()
                assert [one["status"] for one in planned[:-1]] == ["skipped", "planned"]
                end, end_of_run = planned[-1], ran[-1]
            else:
                end, end_of_run = json.loads(plan), json.loads(run)
                photo_keys = end["photos"][0].keys(), end_of_run["photos"][0].keys()
            assert (
                photo_keys[0] - photo_keys[1] == {"skipped"} and not photo_keys[1] - photo_keys[0]
            )
            assert end.keys() - end_of_run.keys() == {"to_write"}
            assert not end_of_run.keys() - end.keys()
            numbers = [end[name] for name in ("done", "failed", "interrupted")]
            assert numbers == [0, 0, False]
            (tmp_path / "out" / "sub" / "b [1].png").unlink()
            apply(photos / "a.jpg", *common[1:])

    def test_a_folder_of_results_among_the_inputs_is_no_input(
        self, photos, identity_weights, write_photo
    ):
        """As where the shell replaces ``*`` by all that is in the photos' folder."""
        out, compare = photos / "retouched", photos / "compared"
        options = ("--out", out, "--compare", compare, "--weights", identity_weights, "--json")
        first = json.loads(apply(*sorted(photos.iterdir()), *options).stdout)
        assert first["done"] == 2
        again = apply(*sorted(photos.iterdir()), *options)
        assert again.exit_code == 0, again.stderr
        found = json.loads(again.stdout)
        assert (found["done"], found["skipped"], found["error"]) == (0, 2, None)
        assert [one["output"] for one in found["photos"]] == [
            one["output"] for one in first["photos"]
        ]
        write_photo(out / "mine.jpg")
        refused = apply(*sorted(photos.iterdir()), *options)
        assert refused.exit_code == 2 and "--out" in refused.stderr

    def test_a_quiet_dry_run_prints_the_plan_alone(self, photos, tmp_path):
        ran = apply(photos, "--out", tmp_path / "out", "-n", "--quiet")
        assert ran.exit_code == 0 and ran.stderr == "" and ran.stdout.count("write ") == 2

    def test_both_kinds_of_json_are_refused(self, photos, tmp_path):
        ran = apply(photos, "--out", tmp_path / "out", "--json", "--json-lines")
        assert ran.exit_code == 2 and "give one of the two" in ran.stderr

    def test_the_size_is_told_before_the_first_photo(self, photos, tmp_path):
        said = "results measure 500 px;"
        messages = apply(photos, "--out", tmp_path / "out").stderr
        assert said in messages and messages.index(said) < messages.index(": done")
        for option in ("--full-size", "--long-edge=501", "--quiet"):
            assert said not in apply(photos, "--out", tmp_path / "out", option).stderr

    def test_files_in_the_way_are_named(self, photos, tmp_path):
        (tmp_path / "out").mkdir()
        name = min(path.name for path in photos.iterdir())
        (tmp_path / "out" / name).write_bytes(b"mine")
        ran = apply(photos, "--out", tmp_path / "out")
        assert f"overwrite or rename: {tmp_path / 'out' / name}" in ran.stdout.replace("\n", "")

    def test_places_of_side_outputs_are_told(self, photos, tmp_path):
        where = {"--gallery": "all.html", "--compare": "compared", "--lut": "luts"}
        options = [f"{option}={tmp_path / name}" for option, name in where.items()]
        said = apply(photos, "--out", tmp_path / "out", *options).stdout.replace("\n", "")
        for name, place in zip(("Gallery", "Comparisons", "LUTs"), where.values(), strict=True):
            assert f"{name}: {tmp_path / place}" in said

    def test_a_gallery_is_where_the_summary_says(self, photos, tmp_path):
        page = tmp_path / "g.html"
        page.write_text("mine")
        common = (photos, "--out", tmp_path / "out", "--gallery", page)
        ran = apply(*common)
        assert ran.exit_code == 0 and "was not written" in ran.stderr.replace("\n", " ")
        assert "Gallery" not in ran.stdout
        renamed = apply(*common, "--on-conflict", "rename").stdout.replace("\n", "")
        assert f"Gallery: {tmp_path / 'g-1.html'}" in renamed
        assert (tmp_path / "g-1.html").read_text() != page.read_text() == "mine"

    @pytest.mark.parametrize("conflict", ["skip", "error", "overwrite", "rename"])
    def test_a_dry_run_ends_as_the_run_over_a_gallery_in_the_way(self, photos, tmp_path, conflict):
        page = tmp_path / "g.html"
        page.write_text("mine")
        common = (photos, "--out", tmp_path / "out", "--gallery", page, "--on-conflict", conflict)
        planned = apply(*common, "-n")
        assert page.read_text() == "mine" and not (tmp_path / "out").exists()
        ran = apply(*common)
        assert planned.exit_code == ran.exit_code == (2 if conflict == "error" else 0)
        said = [" ".join(one.stderr.split()) for one in (planned, ran)]
        assert ("would not be written" in said[0]) == ("was not written" in said[1])

    def test_a_single_result_is_where_the_summary_says(self, photos, tmp_path):
        place = tmp_path / "b.jpg"
        place.write_text("mine")
        common = (photos / "a.jpg", "--out", place)
        ran = apply(*common).stdout.replace("\n", " ")
        assert "0 done, 0 failed, 1 skipped; no result" in ran and "1 was skipped" in ran
        renamed = apply(*common, "--on-conflict", "rename").stdout.replace("\n", "")
        assert f"1 done, 0 failed, 0 skipped; in {tmp_path / 'b-1.jpg'}" in renamed

    def test_an_interrupted_run_says_so_in_json(self, photos, tmp_path, monkeypatch):
        from enhance_cli.batch.runner import BatchRunner

        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(BatchRunner, "_report", interrupt)
        ran = apply(photos, "--out", tmp_path / "out", "--json")
        assert ran.exit_code == 130 and json.loads(ran.stdout)["interrupted"] is True

    def test_jobs_limit_what_is_done_side_by_side(self, photos, tmp_path, monkeypatch):
        threads = []
        start = WorkerPool._start

        def observed(pool):
            threads.append(pool.threads)
            return start(pool)

        monkeypatch.setattr(WorkerPool, "_start", observed)
        assert apply(photos, "--out", tmp_path / "out", "--jobs", "3").exit_code == 0
        assert threads == [3]
        assert apply(photos, "--out", tmp_path / "out", "--jobs", "0").exit_code == 2

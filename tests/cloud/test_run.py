"""Runs over stores give what runs over folders give."""

import json
import os
import re
import signal
import subprocess
import sys

import piexif
import pytest
import tifffile
from pictures import smooth
from stored import apply, results, upload

from enhance_cli.imaging.codecs.encode import write_photo as encode
from enhance_cli.imaging.photo import Photo


@pytest.fixture
def photos(tmp_path, write_photo):
    folder = tmp_path / "photos"
    for name in ("a.jpg", "b.png", "sub/c.JPG", "sub/d.tif", "sub/deep/é ü#%25.webp", "A.jpg"):
        write_photo(folder / name)
    (folder / "notes.txt").write_text("no photo")
    (folder / "bad.jpg").write_text("no photo")
    write_photo(folder / ".hidden" / "h.jpg")
    write_photo(folder / "@eaDir" / "t.jpg")
    return folder


def plain(document: str, *places: tuple[str, str]) -> dict:
    """A run's document with the places in one form, and without times."""
    for place, name in places:
        document = document.replace(place, name)
    return json.loads(re.sub(r'"seconds": [\d.]+', '"seconds": 0', document))


@pytest.mark.proves(
    "Traces", "Runs over stores, and those with `--shard` or `--cluster`, leave a folder"
)
def test_equal_trees_give_equal_results_wherever_they_are(
    photos, tmp_path, s3, bucket, identity_weights
):
    upload(s3, photos, f"{bucket}/in")
    options = ("--weights", identity_weights, "--json")
    local = tmp_path / "local"
    told = apply(photos, "-o", local, *options)
    assert told.exit_code == 3
    expected = plain(told.stdout, (str(photos), "IN"), (str(local), "OUT"))
    for source, out, *more in (
        (f"{bucket}/in", f"{bucket}/out"),
        (f"{bucket}/in", str(tmp_path / "mixed")),
        (str(photos), f"{bucket}/mixed"),
        (f"file://{photos}", f"file://{tmp_path / 'file'}"),
        (str(photos), str(tmp_path / "part"), "--shard", "1/1"),
    ):
        again = apply(source, "-o", out, *options, *more)
        assert again.exit_code == 3, again.output
        own = plain(again.stdout, (source, "IN"), (out, "OUT"))
        for one, other in zip(own["photos"], expected["photos"], strict=True):
            assert one == other, source
        assert own == expected
        assert results(out) == results(local)
    for folder in ("mixed", "file", "part"):
        assert {path.name for path in (tmp_path / folder).glob(".*")} == {".enhance"}


def test_parts_give_together_what_one_run_gives(photos, s3, bucket, identity_weights):
    upload(s3, photos, f"{bucket}/in")
    options = ("--weights", identity_weights, "--json")
    apply(f"{bucket}/in", "-o", f"{bucket}/whole", *options)
    counts = []
    for _ in range(2):
        for part in (1, 2, 3):
            told = apply(f"{bucket}/in", "-o", f"{bucket}/parts", "--shard", f"{part}/3", *options)
            counts.append({key: json.loads(told.stdout)[key] for key in ("done", "skipped")})
    assert results(f"{bucket}/parts") == results(f"{bucket}/whole")
    assert sum(one["done"] for one in counts[:3]) == 6
    assert sum(one["skipped"] for one in counts[:3]) == 0
    assert [one["done"] for one in counts[3:]] == [0, 0, 0]
    assert sum(one["skipped"] for one in counts[3:]) == 6


def test_parts_of_a_folder_need_no_store(photos, tmp_path, identity_weights):
    options = ("--weights", identity_weights)
    apply(photos, "-o", tmp_path / "whole", *options)
    for part in (2, 1):
        apply(photos, "-o", tmp_path / "parts", "--shard", f"{part}/2", *options)
    assert results(tmp_path / "parts") == results(tmp_path / "whole")


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "-1/3", "1/0", "a/b", " "])
def test_a_part_counts_from_1_to_n(shard, photos, tmp_path):
    told = apply(photos, "-o", tmp_path / "out", f"--shard={shard}")
    assert told.exit_code == 2 and "K/N" in told.stderr and len(told.stderr.splitlines()) == 1


def test_only_what_has_changed_is_done_again(
    photos, s3, bucket, write_photo, identity_weights, brightening_weights
):
    upload(s3, photos, f"{bucket}/in")

    def reasons(*more: object) -> dict[str, str]:
        told = json.loads(apply(f"{bucket}/in", "-o", f"{bucket}/out", "--json", *more).stdout)
        return {
            one["input"].removeprefix(f"{bucket}/in/"): f"{one['status']}: {one['reason']}"
            for one in told["photos"]
        }

    weights = ("--weights", identity_weights)
    assert set(reasons(*weights).values()) == {"done: new", "failed: new"}
    write_photo(photos / "b.png", size=(50, 30))
    write_photo(photos / "bad.jpg")
    write_photo(photos / "more.jpg")
    upload(s3, photos, f"{bucket}/in")
    s3.delete_object(Bucket=bucket[5:], Key="out/sub/c.JPG")
    s3.put_object(Bucket=bucket[5:], Key="out/A.jpg", Body=b"edited")
    found = reasons(*weights)
    assert found.pop("b.png") == "done: the photo has changed"
    assert found.pop("bad.jpg") == "done: new"
    assert found.pop("more.jpg") == "done: new"
    assert found.pop("sub/c.JPG") == "done: new"
    assert found.pop("A.jpg") == "skipped: output exists and was not written by enhance"
    assert set(found.values()) == {"skipped: up to date"}
    found = reasons("--weights", brightening_weights)
    assert found.pop("A.jpg") == "skipped: output exists and was not written by enhance"
    assert set(found.values()) == {"done: settings, weights or sidecar have changed"}
    assert results(f"{bucket}/out")["A.jpg"] == b"edited"


@pytest.mark.parametrize("kind", ["s3", "file"])
@pytest.mark.parametrize("on_conflict", ["skip", "overwrite", "rename", "error"])
def test_a_strangers_object_in_the_way(
    kind, on_conflict, photos, tmp_path, request, identity_weights
):
    """As in a run over folders, whose outcome is the right one."""
    options = ("--weights", identity_weights, "--on-conflict", on_conflict, "--json")
    local = tmp_path / "local"
    local.mkdir()
    (local / "A.jpg").write_bytes(b"a stranger's")
    expected = apply(photos, "-o", local, *options)
    if kind == "s3":
        s3, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
        out = f"{bucket}/out"
        s3.put_object(Bucket=bucket[5:], Key="out/A.jpg", Body=b"a stranger's")
    else:
        out = f"file://{tmp_path / 'out'}"
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "A.jpg").write_bytes(b"a stranger's")
    for _ in range(2):
        told = apply(photos, "-o", out, *options)
        assert told.exit_code == expected.exit_code
        if on_conflict == "error":
            assert told.stderr.replace(out, str(local)) == expected.stderr.splitlines(True)[-1]
            assert results(out) == {"A.jpg": b"a stranger's"}
            return
        own, other = plain(told.stdout, (out, "OUT")), plain(expected.stdout, (str(local), "OUT"))
        assert own == other
        assert results(out) == results(local)
        expected = apply(photos, "-o", local, *options)


def test_a_dry_run_says_what_would_be_done_and_stores_nothing(
    photos, tmp_path, s3, bucket, identity_weights
):
    upload(s3, photos, f"{bucket}/in")
    options = ("--weights", identity_weights, "--dry-run", "--json")
    expected = apply(photos, "-o", tmp_path / "out", *options)
    told = apply(f"{bucket}/in", "-o", f"{bucket}/out", *options)
    assert told.exit_code == expected.exit_code == 0
    assert plain(told.stdout, (f"{bucket}/in", "IN"), (f"{bucket}/out", "OUT")) == plain(
        expected.stdout, (str(photos), "IN"), (str(tmp_path / "out"), "OUT")
    )
    listed = s3.list_objects_v2(Bucket=bucket[5:], Prefix="out/")
    assert listed["KeyCount"] == 0


def test_results_of_a_run_over_folders_are_known(photos, tmp_path, write_photo, identity_weights):
    options = ("-o", tmp_path / "out", "--weights", identity_weights, "--json")
    apply(photos, *options)
    write_photo(photos / "b.png", size=(30, 30))
    (tmp_path / "out" / "A.jpg").write_bytes(b"edited")
    expected = apply(photos, *options, "--dry-run")
    told = apply(photos, *options, "--dry-run", "--shard", "1/1")
    assert json.loads(told.stdout) == json.loads(expected.stdout)
    told = json.loads(apply(photos, *options, "--shard", "1/1").stdout)
    assert (told["done"], told["skipped"], told["failed"]) == (1, 5, 1)


def test_a_wrong_command_leaves_nothing(tmp_path, s3, bucket):
    (tmp_path / "empty").mkdir()
    (tmp_path / "out").mkdir()
    assert apply(tmp_path / "empty", "-o", tmp_path / "out", "--shard", "1/1").exit_code == 2
    assert not list((tmp_path / "out").iterdir())
    assert apply(tmp_path / "empty", "-o", f"{bucket}/out").exit_code == 2
    assert s3.list_objects_v2(Bucket=bucket[5:])["KeyCount"] == 0


def test_ctrl_c_finishes_the_photos_in_progress(tmp_path, bucket, write_photo, identity_weights):
    for number in range(60):
        write_photo(tmp_path / "many" / f"{number:02}.png")
    words = ["apply", str(tmp_path / "many"), "-o", f"{bucket}/out", "--json"]
    command = [sys.executable, "-m", "enhance_cli", *words, "--weights", str(identity_weights)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while b"done" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=100)
    told = json.loads(out)
    assert process.returncode == 130 and 0 < told["done"] < 60 and not told["failed"]
    assert len(results(f"{bucket}/out")) == told["done"]


@pytest.mark.parametrize(
    "options", [(), ("--full-size", "--format", "tiff", "--exposure=1")], ids=str
)
def test_every_format_comes_out_of_a_store_as_from_a_folder(
    options, tmp_path, s3, bucket, write_photo, write_dng, identity_weights
):
    photos = tmp_path / "photos"
    exif = piexif.dump({"0th": {piexif.ImageIFD.Model: b"X", piexif.ImageIFD.Orientation: 6}})
    write_photo(photos / "turned.jpg", exif=exif)
    write_photo(photos / "same.jpg")
    write_dng(photos / "same.dng", smooth(64, 48))
    for suffix in ("heic", "jxl", "avif", "webp", "tif", "png"):
        encode(Photo(smooth(60, 40)), photos / f"a.{suffix}")
    tifffile.imwrite(photos / "deep.tif", smooth(40, 30).astype("uint16") * 257)
    upload(s3, photos, f"{bucket}/in")
    words = ("--weights", identity_weights, *options)
    assert apply(photos, "-o", tmp_path / "out", *words).exit_code == 0
    assert apply(f"{bucket}/in", "-o", f"{bucket}/out", *words).exit_code == 0
    assert len(results(f"{bucket}/out")) == 10
    assert results(f"{bucket}/out") == results(tmp_path / "out")
    for key in results(f"{bucket}/out"):
        kind = s3.head_object(Bucket=bucket[5:], Key=f"out/{key}")["ContentType"]
        known = {"jpg": "jpeg", "tif": "tiff"}
        assert kind == f"image/{known.get(key[-3:], key.rpartition('.')[2])}"


def reasons(*words: object) -> set[str]:
    """What a run says of its photos."""
    told = apply(*words, "--json")
    assert told.exit_code == 0, told.output
    return {f"{one['status']}: {one['reason']}" for one in json.loads(told.stdout)["photos"]}


@pytest.fixture
def two_photos(tmp_path, write_photo, identity_weights, monkeypatch):
    """The current folder, with two photos in ``photos``; runs use small weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(identity_weights))
    for name in ("a.jpg", "sub/b.png"):
        write_photo(tmp_path / "photos" / name, size=(30, 20))
    return tmp_path


NEW, KEPT = {"done: new"}, {"skipped: up to date"}
CHANGED = {"done: settings, weights or sidecar have changed"}
FOREIGN = {"skipped: output exists and was not written by enhance"}
OTHERS = {"skipped: output exists and is that of another photo"}


@pytest.mark.parametrize("typed", ["as before", "absolute", ".", "file", "renamed", "by a link"])
def test_results_are_known_whatever_was_typed(typed, two_photos, monkeypatch):
    out, photos = two_photos / "r", two_photos / "photos"
    assert reasons("photos", "-o", "r", "--shard", "1/1") == NEW
    if typed == "renamed":
        photos = photos.rename(two_photos / "elsewhere")
    elif typed == "by a link":
        (two_photos / "link").symlink_to(photos)
    elif typed == ".":
        monkeypatch.chdir(photos)
    inputs = {"as before": "photos", "file": f"file://{photos}", ".": ".", "by a link": "link"}
    words = (inputs.get(typed, photos), "-o", out, "--shard", "1/1")
    assert reasons(*words) == KEPT
    assert reasons(*words, "--strength", "0.5") == CHANGED
    assert reasons(*words, "--strength", "0.5") == KEPT
    assert reasons("photos" if typed == "as before" else words[0], *words[1:]) == CHANGED


@pytest.mark.usefixtures("two_photos")
def test_parts_of_a_run_with_other_options_know_all_results():
    for part in ("1/2", "2/2"):
        apply("photos", "-o", "r", "--shard", part)
    for part in ("2/2", "1/2", "1/1"):
        found = reasons("photos", "-o", "r", "--shard", part, "--strength", "0.5")
        assert found <= (KEPT if part == "1/1" else CHANGED)


def test_a_copied_photo_is_known_by_its_content(two_photos):
    """As in a run over folders: times change, and so does the place."""
    apply("photos", "-o", "r", "--shard", "1/1")
    for name in ("a.jpg", "sub/b.png"):
        copy = two_photos / "copies" / "photos" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((two_photos / "photos" / name).read_bytes())
        os.utime(copy, ns=(10**18, 10**18))
    assert reasons("copies/photos", "-o", "r", "--shard", "1/1") == KEPT
    assert reasons("copies/photos", "-o", "r", "--shard", "1/1") == KEPT
    os.utime(copy, ns=(2 * 10**18, 2 * 10**18))
    assert "done: the photo has changed" in reasons("copies/photos", "-o", "r", "--shard", "1/1")


def test_another_photo_of_the_same_name_is_no_changed_one(two_photos, monkeypatch):
    """Of equal size and time, and typed alike."""
    apply("photos", "-o", two_photos / "r", "--shard", "1/1")
    for name in ("a.jpg", "sub/b.png"):
        original = two_photos / "photos" / name
        other = two_photos / "day" / "photos" / name
        other.parent.mkdir(parents=True, exist_ok=True)
        content = bytearray(original.read_bytes())
        content[-4] ^= 1
        other.write_bytes(content)
        os.utime(other, ns=(original.stat().st_mtime_ns,) * 2)
    monkeypatch.chdir(two_photos / "day")
    assert reasons("photos", "-o", two_photos / "r", "--shard", "1/1") == OTHERS


def test_a_moved_folder_keeps_its_results_in_a_store(two_photos, bucket):
    assert reasons("photos", "-o", f"{bucket}/out") == NEW
    (two_photos / "photos").rename(two_photos / "moved")
    words = (two_photos / "moved", "-o", f"{bucket}/out")
    assert reasons(*words) == KEPT
    assert reasons(*words, "--strength", "0.5") == CHANGED


@pytest.mark.parametrize("words", [("--shard", "1/1"), ("--shard", "1/2"), ("file",)], ids=str)
def test_a_run_over_folders_knows_the_results_of_parts(words, two_photos):
    out = two_photos / "r"
    if words == ("file",):
        apply(f"file://{two_photos / 'photos'}", "-o", f"file://{out}")
    else:
        apply("photos", "-o", "r", *words)
        apply("photos", "-o", "r", "--shard", "2/2")
    assert len(results(out)) == 2
    plain = ("photos", "-o", "r")
    assert {one["reason"] for one in dry_run(*plain)} == {"up to date"}
    changed = dry_run(*plain, "--strength", "0.5")
    assert {one["reason"] for one in changed} == {"settings, weights or sidecar have changed"}
    (two_photos / "photos").rename(two_photos / "moved")
    assert {one["reason"] for one in dry_run("moved", "-o", "r")} == {"up to date"}
    (out / "a.jpg").write_bytes(b"edited")
    (out / "sub" / "b.png").write_bytes(b"")
    found = [one["reason"] for one in dry_run("moved", "-o", "r")]
    assert found == ["output exists and was not written by enhance", "the result was empty"]


def test_runs_over_folders_and_parts_of_runs_take_turns(two_photos):
    for number in range(3):
        strength = ("--strength", 0.1 * number)
        expected = CHANGED if number else NEW
        assert reasons("photos", "-o", "r", "--shard", "1/1", *strength) == expected
        assert reasons("photos", "-o", "r", *strength) == KEPT
        assert reasons("photos", "-o", "r", "--full-size", *strength) == CHANGED
        assert reasons("photos", "-o", "r", "--full-size", *strength) == KEPT
    kept = (two_photos / "r" / ".enhance-run.jsonl").read_bytes()
    assert len(kept.splitlines()) == 6, "only what it did itself"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"records": 1}', '{"records": [1, {"version": []}]}', '"a"'], ids=str
)
def test_what_is_no_done_log_is_passed_over(text, two_photos):
    log = two_photos / "r" / ".enhance" / "run" / "done" / "1-of-1.0001" / "0000001" / "all.json"
    log.parent.mkdir(parents=True)
    log.write_text(text)
    os.mkfifo(log.with_name("pipe.json"))
    assert {one["reason"] for one in dry_run("photos", "-o", "r")} == {"new"}


def dry_run(*words: object) -> list[dict[str, str]]:
    """What a run would do."""
    told = apply(*words, "--dry-run", "--json")
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout)["photos"]


def test_a_part_says_which_settings_count(two_photos):
    """And they count as in a run over folders."""
    (two_photos / "photos" / "enhance.toml").write_text('format = "png"\nexposure = 1\n')
    (two_photos / "photos" / "sub" / "enhance.toml").write_text('[camera."X"]\nwarmth = 1\n')
    told = [f"settings from photos/{folder}enhance.toml (--no-toml" for folder in ("", "sub/")]
    words = ("photos", "-o", "r", "--shard", "1/1")
    for more in (("-n",), (), ()):
        stderr = apply(*words, *more).stderr
        assert [stderr.count(one) for one in told] == [1, 1]
    plain = apply("photos", "-o", "plain")
    assert all(one in plain.stderr for one in told)
    assert results("r") == results("plain") and set(results("r")) == {"a.png", "sub/b.png"}
    assert "settings from" not in apply(*words, "-q").stderr
    assert "settings from" not in apply(*words, "-n", "--no-toml").stderr


@pytest.mark.parametrize("where", ["store", "folder"])
def test_sidecars_count(
    tmp_path, s3, bucket, write_dng, write_photo, monkeypatch, identity_weights, where
):
    """And they count as in a run over folders: a changed one redoes its photo."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(identity_weights))
    for name in ("a", "sub/b", "c"):
        write_dng(tmp_path / "photos" / f"{name}.dng", smooth(64, 48))
    write_photo(tmp_path / "photos" / "d.jpg")
    place = f"{bucket}/in" if where == "store" else "photos"
    out = f"{bucket}/out" if where == "store" else "r"
    words = (place, "-o", out, "--shard", "1/1", "--json")

    def done():
        if where == "store":
            upload(s3, tmp_path / "photos", place)
        told = json.loads(apply(*words).stdout)
        return {one["input"][-5:] for one in told["photos"] if one["status"] == "done"}

    assert done() == {"a.dng", "b.dng", "c.dng", "d.jpg"}
    for rating in (3, 5):
        for beside in ("sub/b.dng.xmp", "d.jpg.xmp"):
            (tmp_path / "photos" / beside).write_text(
                '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
                '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
                f'<r:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{rating}"/>'
                "</r:RDF></x:xmpmeta>"
            )
        assert done() == {"b.dng", "d.jpg"} and not done()
    apply("photos", "-o", "plain")
    assert results(out) == results("plain")
    for name in ("sub/b.jpg", "d.jpg"):
        assert b'xmp:Rating="5"' in (tmp_path / "plain" / name).read_bytes()


def test_the_settings_in_a_store_are_named(two_photos, s3, bucket):
    (two_photos / "photos" / "sub" / "enhance.toml").write_text("exposure = 1\n")
    upload(s3, two_photos / "photos", f"{bucket}/in")
    told = apply(f"{bucket}/in", "-o", f"{bucket}/out", "-n").stderr
    assert f"settings from {bucket}/in/sub/enhance.toml (--no-toml" in told


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("photos/a.jpg", "-o", "x.jpg", "--shard", "1/2"), "--out x.jpg: names a file"),
        (("photos/a.jpg", "-o", "r/x.jpg", "--shard", "1/2"), "--out r/x.jpg: names a file"),
        (("file:///a.jpg", "-o", "file:///r/x.jpg"), "--out file:///r/x.jpg: names a file"),
        (("-", "-o", "-", "--shard", "1/2"), "-, standard input and output, does not go with"),
        (("-", "-o", "x.jpg", "--shard", "1/2"), "-, standard input and output, does not go with"),
        (("photos/a.jpg", "-o", "-", "--shard", "1/2"), "-, standard input and output, does not"),
        (("file:///a.jpg", "-o", "-"), "-, standard input and output, does not go with stores"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("two_photos")
def test_what_parts_cannot_do_is_said_in_the_users_words(words, expected):
    told = apply(*words)
    assert told.exit_code == 2 and told.stderr.startswith(f"error: {expected}")
    assert len(told.stderr.splitlines()) == 1


def test_a_name_in_another_encoding(two_photos):
    """Old disks and archives have names that are not UTF-8."""
    name = os.fsdecode(b"Stra\xdfe.jpg")
    (two_photos / "photos" / "a.jpg").rename(two_photos / "photos" / name)
    for part in ("1/2", "2/2"):
        told = apply("photos", "-o", "r", "--shard", part)
        assert told.exit_code == 0, told.output
    assert set(results("r")) == {name, "sub/b.png"}
    assert {one["reason"] for one in dry_run("photos", "-o", "r")} == {"up to date"}


@pytest.mark.parametrize("shard", [(), ("--shard", "1/1")], ids=["folder", "part"])
def test_a_dry_run_says_what_is_left_out(shard, two_photos):
    (two_photos / "photos" / "a.txt").write_text("a")
    (two_photos / "link").mkdir()
    (two_photos / "photos" / "link").symlink_to(two_photos / "link")
    words = ("photos", "-o", "r", "-n", "--exclude", "nothing", *shard)
    told = apply(*words).stderr
    assert "1 file is no photo and was passed over: 1 .txt" in told
    assert "warning: --exclude nothing: fits no photo" in told
    assert "warning: photos/link: folder passed over" in told
    quiet = apply(*words, "-q").stderr
    assert "a link" in quiet and ".txt" not in quiet


@pytest.mark.parametrize("place", ["mine", "mine/r"])
@pytest.mark.parametrize("more", [(), ("-n",)], ids=["run", "dry run"])
def test_a_place_that_cannot_be_written(place, more, two_photos):
    (two_photos / "mine").write_text("mine")
    words = ("photos", "-o", place, *more)
    expected = apply(*words)
    told = apply(*words, "--shard", "1/1")
    assert (told.exit_code, told.stderr) == (expected.exit_code, expected.stderr)
    assert told.exit_code == 1 and told.stderr.startswith(f"error: --out {place}: ")
    assert not told.stdout


def test_the_size_of_results_is_told_if_there_are_any(two_photos):
    said, words = "results measure 500 px", ("photos", "-o", "r", "--shard", "1/1")
    assert [said in apply(*words).stderr for _ in range(2)] == [True, False]
    (two_photos / "photos" / "a.jpg").write_bytes(b"no photo")
    assert said not in apply(*words).stderr


@pytest.mark.parametrize("kind", ["folder", "link", "dangling link", "pipe"])
@pytest.mark.parametrize("on_conflict", ["skip", "rename", "overwrite", "error"])
def test_what_is_no_file_is_in_the_way(kind, on_conflict, two_photos):
    """As in a run over folders."""
    ends = []
    for out, more in (("plain", ()), ("part", ("--shard", "1/1"))):
        place = two_photos / out / "a.jpg"
        place.parent.mkdir()
        (two_photos / "mine.jpg").write_bytes(b"mine")
        if kind == "folder":
            place.mkdir()
        elif kind == "pipe":
            os.mkfifo(place)
        else:
            place.symlink_to(two_photos / ("mine.jpg" if kind == "link" else "gone.jpg"))
        words = ("photos/a.jpg", "-o", out, "--on-conflict", on_conflict, *more)
        told = apply(*words, "-n"), apply(*words)
        said = [(one.exit_code, (one.stdout + one.stderr).replace(f"{out}/", "")) for one in told]
        names = sorted(path.name for path in place.parent.glob("[!.]*"))
        ends.append((said[1][0], said[1][1].partition("; in ")[0], names, place.is_file()))
        assert (two_photos / "mine.jpg").read_bytes() == b"mine"
    assert ends[0] == ends[1]

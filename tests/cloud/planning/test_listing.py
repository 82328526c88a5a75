"""Which photos a run over stores finds, and under which names: those of a run over folders."""

from __future__ import annotations

import json
import os

import pytest
from pictures import smooth
from stored import apply, upload

from enhance_cli.imaging.codecs.encode import write_photo as encode
from enhance_cli.imaging.photo import Photo

TREE = (
    *(
        "shoot/a.jpg",
        "shoot/a.nef",
        "shoot/b.CR3",
        "shoot/b.heic",
        "shoot/b.jpg",
        "shoot/c_edit.jpg",
    ),
    *("shoot/rejected/d.jpg", "shoot/sub/rejected/e.png", "shoot/sub/f.jxl", "shoot/.g/h.jpg"),
    *("shoot/@eaDir/i.jpg", "shoot/.j.jpg", "shoot/k.txt", "shoot/l", "shoot/m.jpg.xmp"),
    *("shoot-2/a.jpg", "other/shoot/a.jpg", "other/shoot/z.tif", "one.nef", "deep/er/one.jpg"),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    for name in TREE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        (["shoot"], []),
        (["shoot/"], []),
        (["shoot"], ["--pairs", "raw"]),
        (["shoot"], ["--pairs", "jpeg"]),
        (["shoot"], ["--exclude", "*_edit.*", "--exclude", "rejected"]),
        (["shoot"], ["--exclude", "sub/**/e.png", "--exclude", "nothing"]),
        (["shoot"], ["--exclude", "*"]),
        (["shoot"], ["--format", "tiff"]),
        (["shoot", "other/shoot"], []),
        (["shoot", "shoot-2", "other"], []),
        (["one.nef", "deep/er/one.jpg"], []),
        (["shoot", "one.nef"], []),
        (["one.nef", "shoot", "deep/er/one.jpg"], []),
        (["shoot", "shoot/sub"], []),
        (["shoot/sub", "shoot"], []),
        (["shoot/a.jpg", "shoot"], []),
        (["shoot", "shoot/a.jpg"], []),
        (["shoot", "shoot"], []),
        (["nothing"], []),
        (["shoot/k.txt"], []),
        (["shoot/l"], []),
        (["shoot/.j.jpg"], []),
        (["shoot/.g/h.jpg", "shoot/@eaDir/i.jpg"], []),
        (["shoot/.j.jpg", "shoot/.g", "shoot/k.txt", "shoot"], []),
    ],
    ids=str,
)
def test_a_dry_run_is_that_over_folders(inputs, options, tree, tmp_path, s3, bucket):
    upload(s3, tree, f"{bucket}/in")
    words = (*options, "--dry-run", "--json")
    local = apply(*(tree / name for name in inputs), "-o", tmp_path / "out", *words)
    stored = apply(*(f"{bucket}/in/{name}" for name in inputs), "-o", f"{bucket}/out", *words)
    assert stored.exit_code == local.exit_code, (stored.output, local.output)
    if local.exit_code:
        assert len(stored.stderr.splitlines()) == 1
        return
    text = stored.stdout.replace(f"{bucket}/in", "IN").replace(f"{bucket}/out", "OUT")
    other = local.stdout.replace(str(tree), "IN").replace(str(tmp_path / "out"), "OUT")
    assert json.loads(text) == json.loads(other)


@pytest.mark.parametrize("out", ["sub", "rejected", "new"])
def test_photos_where_results_go_are_told_of_in_parts_too(out, tree):
    words = (tree / "shoot", "-o", tree / "shoot" / out, "--dry-run", "--json")
    plain, part = (json.loads(apply(*words, *more).stdout) for more in ((), ("--shard", "1/1")))
    assert part["warnings"] == plain["warnings"]
    assert bool(plain["warnings"]) == (out != "new")


@pytest.mark.parametrize("hidden", [".j.jpg", "k.txt", ".g", "@eaDir"])
def test_what_a_folder_hides_is_taken_if_it_is_named(hidden, tree, tmp_path, s3, bucket):
    upload(s3, tree, f"{bucket}/in")
    local = apply(tree / "shoot", tree / "shoot" / hidden, "-o", tmp_path / "out", "-n")
    words = (f"{bucket}/in/shoot", f"{bucket}/in/shoot/{hidden}", "-o", f"{bucket}/out", "-n")
    stored = apply(*words).stdout.replace(f"{bucket}/in", "IN").replace(f"{bucket}/out", "OUT")
    other = local.stdout.replace(str(tree), "IN").replace(str(tmp_path / "out"), "OUT")
    assert sorted(stored.splitlines()) == sorted(other.splitlines())
    assert f"IN/shoot/{hidden}" in stored


def test_a_list_of_urls(tree, tmp_path, s3, bucket):
    upload(s3, tree, f"{bucket}/in")
    (tmp_path / "list").write_text(f"{bucket}/in/shoot/a.jpg\n{bucket}/in/one.nef\n")
    words = ("--from", tmp_path / "list", "-o", f"{bucket}/out", "--dry-run", "--json")
    told = json.loads(apply(*words).stdout)
    assert [one["output"] for one in told["photos"]] == [
        f"{bucket}/out/a.jpg",
        f"{bucket}/out/one.jpg",
    ]


def test_what_is_no_photo_is_counted(tree, s3, bucket, identity_weights):
    upload(s3, tree, f"{bucket}/in")
    told = apply(f"{bucket}/in/shoot", "-o", f"{bucket}/out", "--weights", identity_weights)
    assert "2 files are no photos and were passed over" in told.stderr


def test_photos_that_come_while_parts_start_are_never_lost(
    tmp_path, s3, bucket, write_photo, identity_weights
):
    """A part that has been listed does not see them; the next run of all parts does."""
    photos = tmp_path / "photos"
    came: set[str] = set()

    def comes(*names: str) -> None:
        for name in names:
            write_photo(photos / name)
        came.update(names)
        upload(s3, photos, f"{bucket}/in")

    def run() -> None:
        for part in (2, 3, 1):
            words = ("--shard", f"{part}/3", "--weights", identity_weights, "--json")
            told = json.loads(apply(f"{bucket}/in", "-o", f"{bucket}/out", *words).stdout)
            done.extend(one["input"] for one in told["photos"] if one["status"] == "done")
            comes(*(f"{len(came) + number}.jpg" for number in range(3)))

    done: list[str] = []
    comes(*(f"{number}.jpg" for number in range(9)))
    run()
    first = set(came)
    run()
    names = [one.rpartition("/")[2] for one in done]
    assert len(names) == len(set(names)), "none is done twice"
    assert first <= set(names) <= came


@pytest.mark.parametrize("shard", ["1/1", "2/2"])
def test_results_beside_photos_are_no_photos_of_parts(shard, tree, tmp_path, identity_weights):
    """As in runs over folders; what was edited since is none the less a result."""
    photos = tmp_path / "photos"
    for name in ("a.jpg", "sub/b.jpg"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        encode(Photo(smooth(30, 20)), photos / name)
    assert apply(photos, "--suffix", "_e", "--weights", identity_weights).exit_code == 0
    (photos / "sub" / "b_e.jpg").write_bytes(b"edited")
    listed = []
    for part in ["1/1"] if shard == "1/1" else ["1/2", "2/2"]:
        words = ("--shard", part, "--dry-run", "--json")
        told = apply(photos, tree / "one.nef", "-o", tmp_path / "r", *words)
        listed += [one["output"] for one in json.loads(told.stdout)["photos"]]
    assert sorted(listed) == [
        str(tmp_path / "r" / name) for name in ("a.jpg", "one.jpg", "sub/b.jpg")
    ]
    given = apply(photos / "a_e.jpg", "-o", tmp_path / "r", "--shard", "1/1", "-n")
    assert given.exit_code == 0 and "1 to write" in given.stderr


@pytest.fixture
def names(tmp_path, monkeypatch):
    """The current folder: one folder of photos under several names."""
    for name in ("a.jpg", "b.jpg", "sub/c.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(name.encode())
    (tmp_path / "alias").symlink_to("photos")
    (tmp_path / "photos" / "link.jpg").symlink_to("b.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "inputs",
    [
        ("photos",),
        ("alias", "{}/photos"),
        ("photos/sub", "alias"),
        ("alias/a.jpg", "photos"),
        ("photos", "{}/photos/a.jpg", "alias/b.jpg"),
        ("photos/link.jpg", "alias"),
        ("file://{}/photos", "photos"),
        (".", "alias/sub"),
    ],
    ids=str,
)
def test_each_file_is_listed_once(inputs, names):
    """As in runs over folders."""
    words = [one.format(names) for one in inputs]
    plain = [one.removeprefix("file://") for one in words]
    options = ("-o", "r", "--dry-run", "--json")
    expected = json.loads(apply(*plain, *options).stdout)["photos"]
    told = json.loads(apply(*words, *options, "--shard", "1/1").stdout)["photos"]
    outputs = [one["output"] for one in told]
    assert sorted(outputs) == sorted(one["output"] for one in expected)
    assert len(set(outputs)) == 3 == len(outputs)


@pytest.mark.parametrize("kind", ["hard link", "link", "linked folder", "the same folder", "named"])
@pytest.mark.parametrize("on_conflict", ["skip", "overwrite"])
def test_no_original_is_replaced_under_another_name(kind, on_conflict, names):
    out = names / "r"
    if kind == "the same folder":
        out.symlink_to("photos")
    else:
        out.mkdir()
    if kind in {"hard link", "named"}:
        os.link(names / "photos" / "a.jpg", out / "a.jpg")
    elif kind == "link":
        (out / "a.jpg").symlink_to(names / "photos" / "a.jpg")
    elif kind == "linked folder":
        (out / "sub").symlink_to(names / "photos" / "sub")
    photos = "photos/a.jpg" if kind == "named" else "photos"
    words = (photos, "-o", "r", "--on-conflict", on_conflict, "-n")
    expected = apply(*words)
    told = apply(*words, "--shard", "1/1")
    assert told.exit_code == expected.exit_code
    assert told.stderr == expected.stderr
    assert told.exit_code == 2 and "original" in told.stderr


def test_a_result_with_another_name_is_no_original(names):
    (names / "r").mkdir()
    (names / "mine.jpg").write_bytes(b"mine")
    os.link(names / "mine.jpg", names / "r" / "a.jpg")
    told = apply("photos", "-o", "r", "--on-conflict", "overwrite", "-n", "--shard", "1/1")
    assert told.exit_code == 0 and "3 to write" in told.stderr


def test_a_link_to_another_input_causes_no_warning(names, identity_weights):
    (names / "more").mkdir()
    (names / "more" / "d.jpg").write_bytes(b"d")
    (names / "photos" / "more").symlink_to(names / "more")
    words = ("-o", "r", "--shard", "1/1", "--weights", identity_weights)
    assert "photos/more: folder passed over" in apply("photos", *words).stderr
    assert "passed over" not in apply("photos", "more", *words).stderr


@pytest.mark.parametrize(
    "exclude",
    ["{}/shoot/sub/f.jxl", "{}/shoot/sub/", "{}/other/shoot", "{}/one.nef", "{}/**/e.png", "a.*"],
)
@pytest.mark.parametrize("kind", ["part", "file", "store"])
def test_a_place_is_excluded_as_it_was_given(kind, exclude, tree, tmp_path, request):
    root, out, more = str(tree), str(tmp_path / "out"), ("--shard", "1/1")
    if kind == "file":
        root, more = f"file://{tree}", ()
    elif kind == "store":
        s3, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
        upload(s3, tree, f"{bucket}/in")
        root, out, more = f"{bucket}/in", f"{bucket}/out", ()

    def planned(root: str, out: str, *more: str) -> list[str]:
        inputs = [f"{root}/{name}" for name in ("shoot", "other/shoot", "one.nef")]
        words = ("-o", out, "-n", "--json", "--exclude", exclude.format(root))
        told = apply(*inputs, *words, *more)
        assert told.exit_code == 0, told.output
        return sorted(one["output"].removeprefix(out) for one in json.loads(told.stdout)["photos"])

    expected = planned(str(tree), str(tmp_path / "out"))
    assert 0 < len(expected) < 12
    assert planned(root, out, *more) == expected

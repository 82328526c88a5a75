"""Results of earlier runs that lie among photos are no photos, as in runs over folders."""

from __future__ import annotations

import json
from itertools import chain

import pytest
from stored import apply, upload


@pytest.fixture
def photos(tmp_path, write_photo, identity_weights, monkeypatch):
    """Photos with results beside them, and others in a folder below them."""
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(identity_weights))
    folder = tmp_path / "photos"
    for name in ("a.jpg", "(1).jpg", "sub/b.jpg", "sub/deep/c.jpg"):
        write_photo(folder / name)
    assert apply(folder, "-o", folder / "sub" / "r").exit_code == 0
    assert apply(folder, "--suffix", "_e").exit_code == 0
    write_photo(folder / "sub" / "r" / "a.jpg", size=(90, 50))  # edited: somebody's photo
    write_photo(folder / "sub" / "deep" / "c_e.jpg", size=(90, 50))  # a result none the less
    return folder


def planned(*words: object) -> list[str]:
    told = apply(*words, "--dry-run", "--json")
    assert told.exit_code == 0, told.output
    return sorted(one["output"].partition("/out/")[2] for one in json.loads(told.stdout)["photos"])


@pytest.mark.parametrize("below", ["", "/sub", "/sub/r"])
@pytest.mark.parametrize("kind", ["part", "store"])
def test_they_are_those_of_a_run_over_folders(kind, below, photos, tmp_path, request):
    expected = planned(f"{photos}{below}", "-o", tmp_path / "out")
    assert not below or expected
    if kind == "part":
        found = [
            planned(f"{photos}{below}", "-o", tmp_path / "out", "--shard", part)
            for part in ("1/2", "2/2")
        ]
        assert sorted(chain(*found)) == expected
        return
    s3, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
    upload(s3, photos, f"{bucket}/photos")
    assert planned(f"{bucket}/photos{below}", "-o", f"{bucket}/out") == expected


def test_they_are_counted(photos, tmp_path):
    told = apply(photos, "-o", tmp_path / "out")
    part = apply(photos, "-o", tmp_path / "part", "--shard", "1/1")
    line = next(line for line in told.stderr.splitlines() if "earlier run" in line)
    assert line in part.stderr.splitlines()


@pytest.mark.parametrize("kind", ["folder", "part", "store"])
def test_nothing_but_results(kind, photos, tmp_path, request):
    (photos / "a.jpg").unlink()
    (photos / "(1).jpg").unlink()
    (photos / "sub").rename(tmp_path / "elsewhere")
    place, more = photos, ("--shard", "1/1") if kind == "part" else ()
    if kind == "store":
        s3, place = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
        upload(s3, photos, place)
    told = apply(place, "-o", tmp_path / "out", *more)
    assert told.exit_code == 2 and "results of earlier runs; give the photos" in told.stderr


PART = ("--shard", "1/1")


@pytest.fixture
def shoot(tmp_path, write_photo, identity_weights, monkeypatch):
    """The current folder: photos in it and in a subfolder."""
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(identity_weights))
    folder = tmp_path / "shoot"
    for name in ("(1).jpg", "a.jpg", "day/b.jpg", "day/(2).jpg"):
        write_photo(folder / name)
    monkeypatch.chdir(folder)
    return folder


def counts(*words: object) -> tuple[int, int]:
    told = apply(*words, "--json")
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    return found["done"], found["skipped"]


@pytest.mark.parametrize("more", [(), PART], ids=["folder", "part"])
def test_a_star_names_the_results_of_the_first_run(more, shoot):
    """And the second run is the same run."""
    for expected in ((4, 0), (0, 4), (0, 4)):
        names = sorted(path.name for path in shoot.iterdir())
        assert counts(*names, "-o", "retouched", *more) == expected
    assert len(list((shoot / "retouched").glob(".enhance/*"))) == len(more) // 2
    (shoot / "retouched" / "mine.jpg").write_bytes(b"mine")
    names = sorted(path.name for path in shoot.iterdir())
    for option in ("-v", "-n"):
        told = apply(*names, "-o", "retouched", option, *more)
        assert told.exit_code == 2 and "holds the originals" in told.stderr


def test_a_run_in_a_store_names_its_own_results(shoot, s3, bucket):
    upload(s3, shoot, f"{bucket}/shoot")
    own = f"{bucket}/out"
    for expected in ((4, 0), (0, 4), (0, 4)):
        assert counts(f"{bucket}/shoot", own, "-o", own) == expected
    runs = {one["Key"].split("/")[2] for one in objects(s3, own) if "/.enhance/" in one["Key"]}
    assert len(runs) == 1
    (shoot / "mine").mkdir()
    (shoot / "a.jpg").rename(shoot / "mine" / "a.jpg")
    upload(s3, shoot / "mine", f"{own}/mine")
    told = apply(f"{bucket}/shoot", own, "-o", own)
    assert told.exit_code == 2 and "holds the originals" in told.stderr


def objects(s3, url: str) -> list[dict]:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/")["Contents"]


@pytest.mark.proves("Results", "Those of earlier runs among the photos are passed over")
@pytest.mark.proves("Results", "to retouch them again, name them without their photos")
@pytest.mark.parametrize("first", [(), PART], ids=["folder first", "part first"])
@pytest.mark.parametrize("more", [(), PART], ids=["folder", "part"])
@pytest.mark.usefixtures("shoot")
def test_results_of_parts_are_no_photos(first, more):
    """Nor those of runs over folders, whichever folder is given, if their photos are inputs."""
    assert counts("day", "-o", "day/r", *first) == (2, 0)
    assert counts("day", "-o", "day/other", "--suffix", "_x", *first) == (2, 0)
    assert counts("day", "-o", ".", "--suffix", "_y", *first) == (2, 0)
    for inputs in (
        (".",),
        ("a.jpg", "(1).jpg", "day", "day/r"),
        ("b_y.jpg", "a.jpg", "(1).jpg", "day"),
    ):
        told = apply(*inputs, "-o", "out", *more, "-n", "--json")
        photos = json.loads(told.stdout)["photos"]
        assert sorted(one["input"] for one in photos) == [
            "(1).jpg",
            "a.jpg",
            "day/(2).jpg",
            "day/b.jpg",
        ]
    assert counts("day/r", "-o", "out", *more) == (2, 0)
    assert counts("b_y.jpg", "-o", "out", *more) == (1, 0)


def test_results_in_a_store_are_no_photos(shoot, s3, bucket):
    photos = f"{bucket}/shoot"
    upload(s3, shoot, photos)
    for out in ("out", "!first", "shoot/r", "shoot/day/!r", "shoot/day/r", "shoot"):
        assert counts(f"{photos}/day", "-o", f"{bucket}/{out}", "--suffix", "_x") == (2, 0)
    expected = sorted(
        f"{photos}/{name}" for name in ("(1).jpg", "a.jpg", "day/(2).jpg", "day/b.jpg")
    )
    for inputs in ((bucket,), (photos,), (photos, f"{bucket}/out"), (f"{bucket}/out", photos)):
        told = apply(*inputs, "-o", f"{bucket}/other", "-n", "--json")
        assert sorted(one["input"] for one in json.loads(told.stdout)["photos"]) == expected
    assert counts(f"{bucket}/out", "-o", f"{bucket}/other") == (2, 0)


def test_results_of_parts_that_were_copied_to_a_store(shoot, s3, bucket):
    """Their times are new there."""
    assert counts("day", "-o", "day/r", *PART) == (2, 0)
    upload(s3, shoot, f"{bucket}/shoot")
    assert counts(f"{bucket}/shoot", "-o", f"{bucket}/out") == (4, 0)

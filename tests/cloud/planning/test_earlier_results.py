"""Results of runs over folders that lie among photos are no photos, here as in such runs."""

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

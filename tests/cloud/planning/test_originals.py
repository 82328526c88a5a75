"""No result ever comes into the place of an original, or of a file among originals."""

from __future__ import annotations

import pytest
from pictures import smooth
from stored import apply, results, upload

from enhance_cli.cloud.look_folders import PhotoFiles


@pytest.fixture
def photos(tmp_path, write_photo, write_dng, identity_weights, monkeypatch):
    """A RAW file and the camera's JPEG beside it, and a folder among the photos."""
    monkeypatch.setenv("ENHANCE_WEIGHTS", str(identity_weights))
    folder = tmp_path / "photos"
    write_dng(folder / "a.dng", smooth(48, 32))
    write_photo(folder / "a.jpg")
    write_photo(folder / "r" / "a.dng.jpg", size=(20, 20))
    write_photo(folder / "r" / "notes.jpg", size=(20, 20))
    return folder


@pytest.fixture(params=["folders", "part", "file", "store"])
def run(request, photos, tmp_path):
    """Runs a command on the photos, and returns what is there afterwards; wherever they are."""
    if request.param == "store":
        s3, root = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
        upload(s3, photos, f"{root}/photos")
    else:
        root = f"file://{tmp_path}" if request.param == "file" else str(tmp_path)
    more = ("--shard", "1/1") if request.param == "part" else ()

    def ran(photo: str, out: str, *words: str):
        told = apply(f"{root}/{photo}", "-o", f"{root}/{out}", *words, *more)
        there = results(f"{root}/photos")
        return told, {key: content for key, content in there.items() if "/." not in key}

    return ran


@pytest.mark.parametrize(
    ("photo", "out"),
    [
        ("photos/a.dng", "photos"),  # its neighbour is no input, and an original none the less
        ("photos", "photos/r"),  # the folder for the results holds somebody's photos
    ],
)
@pytest.mark.proves("Originals", "A run whose results would replace an original is refused")
def test_a_file_among_originals_is_never_replaced(photo, out, run, photos):
    before = results(photos)
    told, after = run(photo, out, "--on-conflict", "overwrite")
    assert told.exit_code == 2, told.output
    *warnings, error = told.stderr.splitlines()
    assert "would replace an original, or a file among originals" in error and after == before
    assert all("left out, since results go there" in warning for warning in warnings)


def test_a_result_among_originals_may_be_replaced(run, photos):
    before = results(photos)
    words = ("photos/a.dng", "photos", "--on-conflict")
    told, after = run(*words, "rename")
    assert told.exit_code == 0 and after.keys() - before.keys() == {"a-1.jpg"}
    (photos / "a.jpg").unlink()
    told, _ = run("photos/a.dng", "photos/new", "--on-conflict", "overwrite")
    assert told.exit_code == 0, told.stderr
    told, again = run("photos/a.dng", "photos/new", "--on-conflict", "overwrite", "--format", "png")
    assert told.exit_code == 0, told.stderr
    told, again = run("photos/a.dng", "photos/new", "--on-conflict", "overwrite")
    assert told.exit_code == 0 and {"new/a.jpg", "new/a.png"} <= again.keys()


def test_what_comes_while_a_result_is_made_is_an_original_too(run, photos, monkeypatch, request):
    """The camera's JPEG arrives after the RAW file; in a run over folders that is seen as well."""
    kind = request.node.callspec.params["run"]
    if kind == "folders":
        pytest.skip("see tests/batch/test_ownership.py")
    fetch = PhotoFiles.fetch

    def slow(files, photo):
        store = files._inputs[photo.source].store
        store.write("b.jpg", b"the camera's")
        return fetch(files, photo)

    monkeypatch.setattr(PhotoFiles, "fetch", slow)
    (photos / "a.dng").rename(photos / "b.dng")
    if kind == "store":
        s3, bucket = request.getfixturevalue("s3"), request.getfixturevalue("bucket")
        upload(s3, photos, f"{bucket}/photos")
    told, after = run("photos/b.dng", "photos", "--on-conflict", "overwrite")
    assert told.exit_code == 3, told.output
    assert "would replace an original" in told.stderr and after["b.jpg"] == b"the camera's"

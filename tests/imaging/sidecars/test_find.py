import os

import pytest

from enhance_cli.imaging.sidecars.find import find_sidecar, sidecar_digest


@pytest.mark.parametrize(
    ("photo", "files", "found"),
    [
        ("a.nef", ["a.xmp"], "a.xmp"),
        ("a.NEF", ["a.NEF.xmp"], "a.NEF.xmp"),
        ("a.NEF", ["a.XMP"], "a.XMP"),
        ("a.nef", ["a.xmp", "a.nef.xmp"], "a.nef.xmp"),
        ("a.b.nef", ["a.b.xmp", "a.xmp"], "a.b.xmp"),
        ("a.nef", ["b.xmp", "a.jpg.xmp", "a_01.nef.xmp"], None),
        ("a.jpg", ["a.xmp", "a.jpg.xmp"], "a.jpg.xmp"),
        ("a.jpg", ["a.xmp"], None),  # that of a RAW file
        ("a.nef", [], None),
    ],
)
def test_names_of_sidecars(tmp_path, photo, files, found):
    for name in (photo, *files):
        (tmp_path / name).touch()
    assert find_sidecar(tmp_path / photo) == (tmp_path / found if found else None)


def test_a_folder_is_no_sidecar(tmp_path):
    (tmp_path / "a.xmp").mkdir()
    assert find_sidecar(tmp_path / "a.nef") is None


@pytest.mark.parametrize("suffix", [".jpg", ".nef"])
def test_names_that_are_too_long_are_nobodys(tmp_path, suffix):
    assert find_sidecar(tmp_path / ("a" * 250 + suffix)) is None


def test_the_digest_is_that_of_the_content(tmp_path):
    photo, sidecar = tmp_path / "a.nef", tmp_path / "a.xmp"
    assert sidecar_digest(photo) == ""
    sidecar.write_bytes(b"one")
    first = sidecar_digest(photo)
    os.utime(sidecar, (1, 1))
    assert sidecar_digest(photo) == first != ""
    sidecar.write_bytes(b"two")
    assert sidecar_digest(photo) not in {first, ""}

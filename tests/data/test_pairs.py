import pytest

from enhance_cli.data.pairs import find_pairs
from enhance_cli.errors import PairsError


def test_pairs_are_found_by_name_whatever_their_suffix(tmp_path, write_photo):
    for name in ("a0001-IMG_2.png", "b.png"):
        write_photo(tmp_path / "me" / "before" / name)
    for name in ("a0001-IMG_2.jpg", "b.webp"):
        write_photo(tmp_path / "me" / "after" / name)
    (tmp_path / "me" / "after" / "notes.txt").write_text("no photo")
    pairs = find_pairs(tmp_path / "me")
    assert [pair.key for pair in pairs] == ["a0001", "me/b"]
    assert [pair.expert.name for pair in pairs] == ["a0001-IMG_2.jpg", "b.webp"]


def test_the_layout_of_a_fivek_folder(write_pairs):
    assert [pair.key for pair in find_pairs(write_pairs())] == [
        "a0001",
        "a0002",
        "a0003",
        "fivek/b",
    ]


def test_a_photo_without_a_partner_is_named(write_pairs):
    root = write_pairs()
    (root / "expertC" / "a0002-y.png").unlink()
    with pytest.raises(PairsError, match="'a0002-y'"):
        find_pairs(root)


def test_a_name_that_stands_twice_is_named(write_pairs, write_photo):
    root = write_pairs()
    write_photo(root / "input" / "b.jpg")
    with pytest.raises(PairsError, match="twice"):
        find_pairs(root)


def test_folders_that_hold_no_pairs(tmp_path):
    with pytest.raises(PairsError, match="no such folder"):
        find_pairs(tmp_path / "gone")
    with pytest.raises(PairsError, match="expertC"):
        find_pairs(tmp_path)
    (tmp_path / "input").mkdir()
    (tmp_path / "expertC").mkdir()
    with pytest.raises(PairsError, match="not a single photo"):
        find_pairs(tmp_path)

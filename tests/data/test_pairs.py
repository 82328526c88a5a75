import pytest

from enhance_cli.atomic_write import FileSignature
from enhance_cli.batch.manifest import Manifest
from enhance_cli.data.pairs import find_finished_photos, find_pairs
from enhance_cli.errors import PairsError


def test_pairs_are_found_by_name_whatever_their_suffix(tmp_path, write_photo):
    for name in ("a0001-IMG_2.png", "b.png", "trip/c.png"):
        write_photo(tmp_path / "me" / "before" / name)
    for name in ("a0001-IMG_2.jpg", "b.webp", "trip/c.jpg"):
        write_photo(tmp_path / "me" / "after" / name)
    (tmp_path / "me" / "after" / "notes.txt").write_text("no photo")
    found = find_pairs(tmp_path / "me")
    assert [pair.key for pair in found.pairs] == ["a0001", "me/b", "me/trip/c"]
    assert [pair.expert.name for pair in found.pairs] == ["a0001-IMG_2.jpg", "b.webp", "c.jpg"]
    assert not found.bad and found.layout == "before/ and after/"


def test_bad_pairs_are_listed_with_the_reason(write_pairs, write_photo):
    root = write_pairs(names=("a", "b", "c"))
    (root / "expertC" / "a.png").unlink()
    write_photo(root / "input" / "b.jpg")
    found = find_pairs(root)
    assert [pair.key for pair in found.pairs] == ["fivek/c"]
    assert [bad.key for bad in found.bad] == ["fivek/a", "fivek/b"]
    assert "no expert's version" in found.bad[0].reason and "duplicate id" in found.bad[1].reason


def test_finished_photos_have_no_original(tmp_path, write_photo):
    for name in ("one.jpg", "one.png", "deep/er/two.jpg", ".hidden/three.jpg"):
        write_photo(tmp_path / "good" / name)
    found = find_finished_photos(tmp_path / "good")
    assert {pair.key for pair in found.pairs} == {
        "good/one.jpg",
        "good/one.png",
        "good/deep/er/two.jpg",
    }
    assert all(pair.original is None for pair in found.pairs)


def test_folders_without_pairs(tmp_path):
    with pytest.raises(PairsError, match="no such folder"):
        find_pairs(tmp_path / "gone")
    with pytest.raises(PairsError, match="expertC"):
        find_pairs(tmp_path)
    (tmp_path / "input").mkdir()
    (tmp_path / "expertC").mkdir()
    with pytest.raises(PairsError, match="no photos in"):
        find_pairs(tmp_path)
    with pytest.raises(PairsError, match="no photos in"):
        find_finished_photos(tmp_path)


def test_a_list_names_the_pairs_that_are_versions_of_one_photo(write_pairs):
    root = write_pairs(names=("a", "b", "c"))
    (root / "list.csv").write_text("file,source,kind\na.avif,one.jpg,x\nc.avif,one.jpg,y\n")
    assert [pair.photo for pair in find_pairs(root).pairs] == ["one.jpg", None, "one.jpg"]


@pytest.mark.parametrize(
    "content", ["name,photo\na,b\n", "file,source\n\x00\n", "file\na\n", "\xff"]
)
def test_a_list_that_cannot_be_read_is_an_error(write_pairs, content):
    root = write_pairs(names=("a", "b"))
    (root / "list.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(PairsError, match=r"list\.csv: needs the columns file and source"):
        find_pairs(root)


class TestResultsAmongThePhotos:
    """What ``enhance apply`` has written beside or below the photos is none of them."""

    def write_result(self, folder, name, beside):
        """Write a file as a run does whose records lie in its folder."""
        folder.mkdir(parents=True, exist_ok=True)
        records = Manifest(folder, beside=beside)
        with records.locked():
            (folder / name).write_bytes(b"result")
            photo = folder.parent / "photo.jpg"
            records.add(photo, FileSignature(1, 1), folder / name, "settings")

    def test_finished_photos(self, tmp_path, write_photo):
        root = tmp_path / "good"
        write_photo(root / "a.jpg")
        self.write_result(root, "a_enhanced.jpg", beside=True)
        self.write_result(root / "retouched", "a.jpg", beside=False)
        found = find_finished_photos(root)
        assert [pair.key for pair in found.pairs] == ["good/a.jpg"] and found.results == 2
        (root / "a.jpg").unlink()
        with pytest.raises(PairsError, match="only results of enhance apply"):
            find_finished_photos(root)

    def test_pairs(self, write_pairs):
        root = write_pairs(names=("a", "b"))
        self.write_result(root / "input", "a_enhanced.jpg", beside=True)
        self.write_result(root / "input" / "retouched", "a.jpg", beside=False)
        self.write_result(root / "expertC", "b_enhanced.jpg", beside=True)
        found = find_pairs(root)
        assert [pair.key for pair in found.pairs] == ["fivek/a", "fivek/b"]
        assert not found.bad and found.results == 3

    def test_a_folder_of_results_that_was_given_itself(self, write_pairs, write_photo):
        root = write_pairs(names=("a",))
        write_photo(root / "input" / "b.png")
        self.write_result(root / "expertC", "b.png", beside=False)
        found = find_pairs(root)
        assert [pair.key for pair in found.pairs] == ["fivek/a", "fivek/b"] and not found.results

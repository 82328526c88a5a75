import os
from pathlib import Path

import pytest

from enhance_cli.atomic_write import FileSignature
from enhance_cli.batch.discovery import (
    InputPhoto,
    discover_photos,
    holds_own_results,
    without_own_results,
)
from enhance_cli.batch.manifest import Manifest
from enhance_cli.batch.runner import BatchRunner
from enhance_cli.config.apply import ApplyConfig
from enhance_cli.errors import UsageError


@pytest.fixture
def touch(tmp_path):
    def touch(*names: str) -> Path:
        for name in names:
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        return tmp_path / "in"

    return touch


def found(root: Path, **options) -> list[str]:
    photos, _ = discover_photos(ApplyConfig((root,), root.parent / "out", **options))
    return [one.relative.as_posix() for one in photos]


class TestPairs:
    NAMES = ("a.nef", "a.jpg", "b.NEF", "B.JPG", "c.dng", "c.png", "d.jpg", "e.cr3", "e.heic")

    def test_both_is_the_default(self, touch):
        assert sorted(found(touch(*self.NAMES))) == sorted(self.NAMES)

    def test_raw_leaves_out_the_cameras_jpeg(self, touch):
        left = {"a.nef", "b.NEF", "c.dng", "c.png", "d.jpg", "e.cr3"}
        assert set(found(touch(*self.NAMES), pairs="raw")) == left

    def test_jpeg_leaves_out_the_raw(self, touch):
        left = {"a.jpg", "B.JPG", "c.dng", "c.png", "d.jpg", "e.heic"}
        assert set(found(touch(*self.NAMES), pairs="jpeg")) == left

    def test_other_folders_do_not_count(self, touch):
        names = {"raw/a.nef", "jpeg/a.jpg"}
        assert set(found(touch(*names), pairs="raw")) == names


class TestExclude:
    NAMES = ("a.jpg", "a_edit.jpg", "old/b.jpg", "day/old/c.jpg", "day/d.png")

    @pytest.mark.parametrize(
        ("pattern", "left"),
        [
            ("*_edit.*", {"a.jpg", "old/b.jpg", "day/old/c.jpg", "day/d.png"}),
            ("old", {"a.jpg", "a_edit.jpg", "day/d.png"}),
            ("old/", {"a.jpg", "a_edit.jpg", "day/d.png"}),
            ("day/old", {"a.jpg", "a_edit.jpg", "old/b.jpg", "day/d.png"}),
            ("day/*", {"a.jpg", "a_edit.jpg", "old/b.jpg"}),
            ("nothing", set(NAMES)),
            ("./day/*", {"a.jpg", "a_edit.jpg", "old/b.jpg"}),
            ("**/old", {"a.jpg", "a_edit.jpg", "day/d.png"}),
            ("**/old/**", {"a.jpg", "a_edit.jpg", "day/d.png"}),
            ("**/a.jpg", set(NAMES) - {"a.jpg"}),
            ("day/**/c.jpg", set(NAMES) - {"day/old/c.jpg"}),
            ("day/**/d.png", set(NAMES) - {"day/d.png"}),
        ],
    )
    def test_names_paths_and_folders(self, touch, pattern, left):
        assert set(found(touch(*self.NAMES), exclude=(pattern,))) == left

    @pytest.mark.parametrize("given", ["photos", "./photos", "../{here}/photos"])
    def test_a_path_as_it_was_given(self, touch, given, monkeypatch):
        root = touch(*(f"photos/{name}" for name in self.NAMES))
        monkeypatch.chdir(root)
        folder = Path(given.format(here=root.name))
        for pattern in (f"{given.format(here=root.name)}/day", f"{root}/photos/day/"):
            left = set(found(folder, exclude=(pattern,)))
            assert left == {"a.jpg", "a_edit.jpg", "old/b.jpg"}, pattern

    @pytest.mark.parametrize(
        "pattern",
        [
            "photos/day [1]/F.JPG", "./photos/day [1]/F.JPG", "../{here}/photos/day [1]/F.JPG",
            "{root}/photos/day [1]/F.JPG", "photos/../photos/day [1]", "day [1]", "day [1]/F.JPG",
            "link/day [1]", "photos/day ?1?/F.*", "../{here}/photos/day*/F.JPG", "photos//day [1]/",
        ],
    )  # fmt: skip
    def test_a_path_as_it_was_typed(self, touch, pattern, monkeypatch):
        root = touch("photos/a.jpg", "photos/day [1]/F.JPG", "photos/day 2/G.JPG")
        (root / "link").symlink_to(root / "photos")
        monkeypatch.chdir(root)
        pattern = pattern.format(here=root.name, root=root)
        for given in ("photos", "./photos", root / "photos", f"../{root.name}/photos"):
            config = ApplyConfig((Path(given),), Path("out"), exclude=(pattern,))
            photos, warnings = discover_photos(config)
            left = {photo.relative.as_posix() for photo in photos}
            assert (left, warnings) == ({"a.jpg", "day 2/G.JPG"}, []), given

    @pytest.mark.parametrize("pattern", ["one", "./one", "{root}/one/", "../{here}/one"])
    def test_an_input_itself(self, touch, pattern, monkeypatch):
        root = touch("one/a.jpg", "one/sub/b.jpg", "two/a.jpg")
        monkeypatch.chdir(root)
        pattern = pattern.format(here=root.name, root=root)
        config = ApplyConfig((Path("one"), root / "two"), Path("out"), exclude=(pattern,))
        photos, warnings = discover_photos(config)
        assert [photo.relative.as_posix() for photo in photos] == ["two/a.jpg"] and not warnings
        with pytest.raises(UsageError, match="--exclude leaves none of 2"):
            found(Path("one"), exclude=(pattern,))

    def test_a_path_of_one_folder_leaves_others_alone(self, touch, monkeypatch):
        root = touch("one/old/a.jpg", "one/b.jpg", "two/old/a.jpg", "one/sub/b.jpg")
        monkeypatch.chdir(root)
        patterns = ("../" + root.name + "/one/old", "./one/b.jpg")
        config = ApplyConfig((Path("one"), Path("two")), Path("out"), exclude=patterns)
        left = {photo.relative.as_posix() for photo in discover_photos(config)[0]}
        assert left == {"two/old/a.jpg", "one/sub/b.jpg"}

    def test_folders_above_the_input_do_not_count(self, touch):
        root = touch(*(f"old/photos/{name}" for name in self.NAMES)) / "old" / "photos"
        for pattern in ("**/old", "*/old/*", "photos", "old/*"):
            assert {"a.jpg", "day/d.png"} <= set(found(root, exclude=(pattern,))), pattern

    def test_a_pattern_that_fits_nothing_is_told(self, touch):
        config = ApplyConfig((touch(*self.NAMES),), Path("out"), exclude=("*.nef", "old", "x/y"))
        _, warnings = discover_photos(config)
        assert [line.split(":")[0] for line in warnings] == ["--exclude *.nef", "--exclude x/y"]

    def test_excluding_everything_is_an_error(self, touch):
        with pytest.raises(UsageError, match="--exclude leaves none of 5"):
            found(touch(*self.NAMES), exclude=("*",))


def test_comparisons_are_not_inputs(touch):
    root = touch("a.jpg", "compare/a.jpg.jpg")
    assert found(root, compare=root / "compare") == ["a.jpg"]


def test_haldcluts_are_not_inputs(touch):
    root = touch("a.jpg", "luts/a.jpg.hald.png")
    assert found(root, lut=root / "luts") == ["a.jpg"]


def test_a_folder_that_may_not_be_searched_is_a_warning(touch, monkeypatch):
    """Its files are listed, but nothing can be said of any of them."""
    root, real = touch("a.jpg", "day/b.jpg", "day/c.jpg"), Path.is_file

    def is_file(path):
        if path.parent.name == "day":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "is_file", is_file)
    photos, warnings = discover_photos(ApplyConfig((root,), root.parent / "out"))
    assert [photo.relative.name for photo in photos] == ["a.jpg"]
    assert warnings == [f"{root / 'day'}: folder cannot be read (Permission denied)"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
@pytest.mark.parametrize("kind", ["pipe", "dangling link", "device"])
def test_what_is_no_file_is_called_so_at_once(tmp_path, kind):
    path = tmp_path / "a.jpg"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else "nowhere")
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        discover_photos(ApplyConfig((path,), tmp_path / "out"))


class TestLinkedFolders:
    def test_a_folder_elsewhere_is_told_of(self, touch, tmp_path):
        root = touch("a.jpg", "day/b.jpg")
        more = tmp_path / "more"
        (more / "deep").mkdir(parents=True)
        (more / "deep" / "c.jpg").write_bytes(b"x")
        for link in (root / "more", root / "day" / "more"):
            link.symlink_to(more, target_is_directory=True)
        photos, warnings = discover_photos(ApplyConfig((root,), tmp_path / "out"))
        assert [photo.path.name for photo in photos] == ["a.jpg", "b.jpg"]
        told = [line.partition(":")[0] for line in warnings]
        assert told == [str(root / "more"), str(root / "day" / "more")]

    @pytest.mark.parametrize("given", ["in/more", "more", "."])
    def test_a_linked_folder_that_is_an_input_causes_no_warning(self, touch, tmp_path, given):
        """It may be given under its own name, as the link, or with a folder above it."""
        root = touch("a.jpg", "day/b.jpg", "../more/deep/c.jpg")
        for link in (root / "more", root / "day" / "deep"):
            target = tmp_path / "more" / ("deep" if link.name == "deep" else "")
            link.symlink_to(target, target_is_directory=True)
        config = ApplyConfig((root, tmp_path / given), tmp_path / "out")
        photos, warnings = discover_photos(config)
        assert [photo.path.name for photo in photos] == ["a.jpg", "b.jpg", "c.jpg"]
        assert not warnings

    def test_an_input_inside_the_linked_folder_leaves_the_warning(self, touch, tmp_path):
        root = touch("a.jpg", "../more/b.jpg", "../more/deep/c.jpg")
        (root / "more").symlink_to(tmp_path / "more", target_is_directory=True)
        config = ApplyConfig((root, tmp_path / "more" / "deep"), tmp_path / "out")
        assert len(discover_photos(config)[1]) == 1

    def test_what_is_done_anyway_or_left_out_causes_no_warning(self, touch, tmp_path):
        root = touch("a.jpg", "day/b.jpg", "../out/a.jpg")
        for name, target in (("again", root), ("b", root / "day"), ("out", tmp_path / "out"),
                             (".hidden", tmp_path)):  # fmt: skip
            (root / name).symlink_to(target, target_is_directory=True)
        photos, warnings = discover_photos(ApplyConfig((root,), tmp_path / "out"))
        assert len(photos) == 2 and not warnings

    def test_photos_where_the_results_of_a_first_run_go(self, touch, tmp_path):
        root = touch("a.jpg", "sub/b.jpg", "sub/.hidden/c.jpg", "empty/notes.txt")
        left_out = f"{root / 'sub'}: photos in it, such as b.jpg, are left out"
        for given in ((root,), (tmp_path,), (root, root / "a.jpg")):
            photos, (warning,) = discover_photos(ApplyConfig(given, root / "sub"))
            assert [photo.path.name for photo in photos] == ["a.jpg"]
            assert warning.startswith(left_out) and "choose another folder" in warning
        for out in ("empty", "new", "../other"):
            assert not discover_photos(ApplyConfig((root,), root / out))[1]
        assert not discover_photos(ApplyConfig((root / "a.jpg",), root / "sub"))[1]

    def test_later_runs_find_results_there(self, tmp_path, write_photo):
        write_photo(tmp_path / "photos" / "a.jpg")
        config = ApplyConfig((tmp_path / "photos",), tmp_path / "photos" / "out", device="cpu")
        list(BatchRunner(config))
        assert not discover_photos(config)[1]


class TestResultsAmongThePhotos:
    """What an earlier run has written below the input is no photo, whatever this run writes."""

    def record(self, folder: Path, *names: str, beside: bool = False) -> None:
        """Write files as a run does whose records lie in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        records = Manifest(folder, beside=beside)
        with records.locked():
            for number, name in enumerate(names):
                path = Path(os.path.normpath(folder / name))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"result" * (number + 2))
                photo = folder.parent / "photo.jpg"
                records.add(photo, FileSignature(1, 1), path, "settings")

    def found_with(self, root: Path, out: Path) -> tuple[list[str], int]:
        results: list[Path] = []
        config = ApplyConfig((root,), out)
        photos, _ = discover_photos(config, None, None, results)
        return sorted(one.relative.as_posix() for one in photos), len(results)

    def test_the_output_folder_of_another_run(self, touch, tmp_path):
        root = touch("a.jpg", "day/b.jpg")
        self.record(root / "retouched", "a.jpg", "day/b.jpg")
        assert self.found_with(root, tmp_path / "full") == (["a.jpg", "day/b.jpg"], 2)
        (root / "retouched" / "a.jpg").write_bytes(b"edited by hand")
        assert self.found_with(root, tmp_path / "full")[1] == 1, "an edited one is a photo"

    def test_it_was_renamed_since(self, touch):
        root = touch("a.jpg")
        self.record(root / "out", "a.jpg", "day/b.jpg")
        (root / "out").rename(root / "best")
        assert self.found_with(root, root / "out") == (["a.jpg"], 2)

    def test_comparisons_and_haldcluts_of_this_output_folder(self, touch, tmp_path):
        root = touch("a.jpg")
        self.record(tmp_path / "r", "a.jpg", "../in/cmp/a.jpg.jpg", "../in/luts/a.jpg.hald.png")
        assert self.found_with(root, tmp_path / "r") == (["a.jpg"], 2)

    @pytest.mark.parametrize("beside", [False, True])
    def test_results_that_were_moved_elsewhere_among_the_photos(self, touch, tmp_path, beside):
        root = touch("a.jpg", "keep/c.jpg")
        folder = root if beside else root / "out"
        self.record(folder, "a_x.jpg", beside=beside)
        (folder / "a_x.jpg").rename(root / "keep" / "b.jpg")
        assert self.found_with(root, tmp_path / "r") == (["a.jpg", "keep/c.jpg"], 1)

    def test_a_folder_of_results_as_the_input(self, touch, tmp_path):
        root = touch("a.jpg")
        self.record(root / "retouched", "a.jpg", "day/b.jpg")
        retouched = root / "retouched"
        assert self.found_with(retouched, tmp_path / "r") == (["a.jpg", "day/b.jpg"], 0)
        assert self.found_with(retouched / "day", tmp_path / "r") == (["b.jpg"], 0)

    @pytest.mark.parametrize("out", ["in", "in/day", "in/r", "elsewhere"])
    def test_their_photos_are_among_the_inputs(self, touch, tmp_path, out):
        """Then not even who names their folder wants them to be retouched."""
        root = touch("day/a.jpg", "day/b.jpg")
        results = tmp_path / out
        self.write_results(results, root / "day" / "a.jpg", "a_x.jpg")
        for inputs in ((root, results), (results, root / "day"), (root / "day", results)):
            names = {one.path.name for one in self.discover(*inputs)}
            assert names == {"a.jpg", "b.jpg"}, inputs
        alone = results if out in {"elsewhere", "in/r"} else results / "a_x.jpg"
        assert {one.path.name for one in self.discover(alone)} == {"a_x.jpg"}

    @pytest.mark.parametrize("beside", [False, True])
    def test_they_are_named_one_by_one(self, touch, beside):
        """As by a shell, with their photos or without."""
        root = touch("a.jpg", "b.jpg")
        self.write_results(root, root / "a.jpg", "a_x.jpg", beside)
        a, b, result = (root / name for name in ("a.jpg", "b.jpg", "a_x.jpg"))
        assert [one.path for one in self.discover(a, b, result)] == [a, b]
        assert [one.path for one in self.discover(root, result)] == [a, b]
        assert [one.path for one in self.discover(b, result)] == [b, result]

    def write_results(self, out: Path, photo: Path, name: str, beside: bool = False) -> None:
        """Write a file as a run does that has retouched a photo."""
        out.mkdir(parents=True, exist_ok=True)
        records = Manifest(out, beside=beside)
        with records.locked():
            (out / name).write_bytes(b"result")
            records.add(photo, FileSignature(1, 1), out / name, "settings")

    def discover(self, *inputs: Path) -> list[InputPhoto]:
        return discover_photos(ApplyConfig(inputs, inputs[0].parent / "full"))[0]


class TestOwnResults:
    """A folder that a run writes to is no input, if it holds nothing but results."""

    @pytest.fixture
    def retouched(self, touch) -> Path:
        out = touch("a.jpg") / "retouched"
        TestResultsAmongThePhotos().write_results(out, out.parent / "a.jpg", "a.jpg")
        return out

    def test_it_is_left_out_if_others_are_left(self, retouched):
        photo = retouched.parent / "a.jpg"
        config = ApplyConfig((photo, retouched), retouched)
        assert without_own_results(config).inputs == (photo,)
        config = ApplyConfig((retouched,), retouched)
        assert without_own_results(config) == config

    def test_results_may_have_been_edited(self, retouched):
        (retouched / "a.jpg").write_bytes(b"edited by hand")
        assert holds_own_results(retouched, [retouched])

    def test_comparisons_may_lie_below(self, retouched):
        cards = retouched / "compared"
        photo = retouched.parent / "a.jpg"
        TestResultsAmongThePhotos().write_results(cards, photo, "a.jpg.jpg")
        assert holds_own_results(retouched, [retouched])

    def test_it_is_known_under_another_name(self, retouched, tmp_path):
        (tmp_path / "link").symlink_to(retouched)
        assert holds_own_results(tmp_path / "link", [retouched])

    @pytest.mark.parametrize("name", ["b.jpg", "sub/b.nef"])
    def test_it_holds_something_else(self, retouched, name):
        (retouched / name).parent.mkdir(exist_ok=True)
        (retouched / name).write_bytes(b"mine")
        assert not holds_own_results(retouched, [retouched])

    def test_it_is_another_folder(self, retouched, tmp_path):
        assert not holds_own_results(retouched, [tmp_path, tmp_path / "gone"])
